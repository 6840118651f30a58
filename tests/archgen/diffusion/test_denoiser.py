"""What the denoiser may and may not see, and what comes out of it."""

import pytest
import torch

from archgen.diffusion.denoiser import Denoiser, DenoiserConfig
from archgen.diffusion.generator import new_denoiser
from archgen.diffusion.process import add_noise, hide, negative_elbo
from graphs.batch import encode
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201

SIZE = DenoiserConfig(width=16, layers=2, heads=4)


@pytest.fixture(scope="module")
def denoiser(tree_space) -> Denoiser:
    return new_denoiser(tree_space, SIZE, 0).eval()


def test_shapes_and_minus_infinity_past_the_last_choice(tree_space, denoiser, slots_of) -> None:
    clean = encode(tree_space, tree_space.listed[:7])
    masked = add_noise(clean, slots_of(tree_space), torch.rand(7), denoiser.mask_codes, torch.Generator())
    nodes, edges = denoiser(masked)
    assert nodes.shape == (7, 5, 2, 4)
    assert edges.shape == (7, 5, 5)
    assert torch.isneginf(nodes[:, :, 1, 3:]).all(), "`bits` has three choices"
    assert torch.isfinite(nodes[:, :, 0]).all()
    assert torch.isfinite(nodes[:, :, 1, :3]).all()
    assert torch.isfinite(edges).all()


@pytest.mark.parametrize("space", [NasBenchGraph(), NasBench201()], ids=lambda space: space.name)
def test_shapes_on_the_built_in_spaces(space) -> None:
    clean = encode(space, [space.parse(TEXTS[space.name])] * 2)
    everything = torch.ones_like(clean.codes).bool(), torch.ones_like(clean.adj)
    network = new_denoiser(space, SIZE, 0)
    nodes, edges = network(hide(clean, *everything, network.mask_codes))
    assert nodes.shape == (2, space.max_nodes, 1, len(space.fields[0].choices))
    assert edges.shape == (2, space.max_nodes, space.max_nodes)


TEXTS = {
    "nas-bench-graph": "0012|gat|gcn|skip|fc",
    "nasbench201": "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|",
}


def test_gradients_reach_every_parameter(tree_space, slots_of) -> None:
    network = new_denoiser(tree_space, SIZE, 1)
    clean, time = encode(tree_space, tree_space.listed), torch.linspace(0.1, 1, 81)
    masked = add_noise(clean, slots_of(tree_space), time, network.mask_codes, torch.Generator().manual_seed(1))
    negative_elbo(*network(masked), clean, masked, time).mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_value_behind_a_mask_cannot_leak(tree_space, denoiser, slots_of) -> None:
    """All 81 graphs under the same mask agree on the known slots or differ in them; equal views give equal outputs."""
    clean, slots = encode(tree_space, tree_space.listed), slots_of(tree_space)
    nodes, edges = denoiser(
        hide(clean, slots.nodes.expand(81, 5, 2), slots.edges.expand(81, 5, 5), denoiser.mask_codes)
    )
    assert torch.equal(nodes, nodes[:1].expand_as(nodes))
    assert torch.equal(edges, edges[:1].expand_as(edges))


@pytest.mark.parametrize("node", [1, 3])
def test_one_hidden_slot_changes_nothing_and_one_shown_slot_does(tree_space, denoiser, node: int) -> None:
    """Two graphs that differ in the `bits` of one node."""
    same = [*tree_space.layers[:1] * 3]
    pair = []
    for bits in (1, 2):
        ops = list(same)
        ops[node - 1] = tree_space.layers[bits]
        pair.append(next(g for g in tree_space.listed if g.ops[1:-1] == tuple(ops)))
    clean = encode(tree_space, pair)
    hidden = torch.zeros_like(clean.codes).bool()
    no_edge = torch.zeros_like(clean.adj)
    shown, _ = denoiser(hide(clean, hidden, no_edge, denoiser.mask_codes))
    hidden[:, node, 1] = True
    masked, _ = denoiser(hide(clean, hidden, no_edge, denoiser.mask_codes))
    assert torch.equal(masked[0], masked[1])
    other = 1 if node == 3 else 3
    assert not torch.equal(shown[0, other], shown[1, other]), "what is known must reach the other nodes"


def test_a_shown_edge_reaches_every_node(tree_space, denoiser) -> None:
    clean = encode(tree_space, [tree_space.listed[0], tree_space.listed[27]])  # same layers on two wirings
    assert torch.equal(clean.codes[0], clean.codes[1])
    none = torch.zeros_like(clean.codes).bool()
    nodes, _ = denoiser(hide(clean, none, torch.zeros_like(clean.adj), denoiser.mask_codes))
    assert ((nodes[0] - nodes[1]).nan_to_num().abs().amax((1, 2)) > 0).all()


def test_rows_do_not_see_each_other(tree_space, denoiser, slots_of) -> None:
    clean = encode(tree_space, tree_space.listed)
    masked = add_noise(clean, slots_of(tree_space), torch.rand(81), denoiser.mask_codes, torch.Generator())
    one = hide(clean[9:10], masked.hidden_nodes[9:10], masked.hidden_edges[9:10], denoiser.mask_codes)
    for together, alone in zip(denoiser(masked), denoiser(one), strict=True):
        torch.testing.assert_close(together[9:10], alone, rtol=1e-4, atol=1e-5)


def test_mask_codes_count_the_choices(denoiser) -> None:
    assert denoiser.mask_codes.tolist() == [4, 3]
    assert denoiser.choices.tolist() == [[True] * 4, [True, True, True, False]]
