"""Networks as padded tensors: which node is told what, and who is whose neighbour."""

import numpy as np
import torch

from graphs.archgraph import ArchGraph, Op
from graphs.spaces.catalogue import get_space
from predictors.graph_inputs import GraphInputs, depths

SPACE = get_space("free-dag")
DIAMOND = ArchGraph(
    (Op("input"), Op("conv1x1"), Op("conv3x3"), Op("maxpool3x3"), Op("output")),
    ((0, 1), (0, 2), (1, 3), (2, 3), (0, 4), (3, 4)),
)


def test_depths_are_longest_paths() -> None:
    assert depths(DIAMOND).tolist() == [0, 1, 1, 2, 3]
    assert depths(DIAMOND, backwards=True).tolist() == [3, 2, 2, 1, 0]


def test_messages_go_both_ways_and_far() -> None:
    inputs = GraphInputs(SPACE)
    found = inputs([DIAMOND])
    network = SPACE.network(DIAMOND)
    reads, read_by, after, before = found.relations[0]
    for node in range(len(network)):
        assert set(reads[node].nonzero()[:, 0].tolist()) == set(network.predecessors[node])
    assert torch.equal(reads.T, read_by)
    assert torch.allclose(after[-1, :-1], torch.full((len(network) - 1,), 1 / (len(network) - 1)))
    assert torch.equal(after > 0, before.T > 0)
    assert (found.nodes[0, :, :-2].sum(1) == len(SPACE.fields)).all()
    assert found.nodes.shape[2] == inputs.width


def test_padding_and_rows() -> None:
    rng = np.random.default_rng(0)
    graphs = [SPACE.sample(rng) for _ in range(20)]
    inputs = GraphInputs(SPACE)
    found = inputs(graphs)
    sizes = [len(SPACE.network(graph)) for graph in graphs]
    assert found.present.sum(1).tolist() == sizes
    assert found.ends.argmax(1).tolist() == [size - 1 for size in sizes]
    assert not (found.nodes * (1 - found.present[..., None])).any()
    some = found[torch.tensor([3, 1])]
    assert torch.equal(some.nodes, found.nodes[[3, 1]])
    assert len(some) == 2
    assert len(inputs([])) == 0
