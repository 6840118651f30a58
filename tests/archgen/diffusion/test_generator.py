"""DiffusionGenerator's own promises: how many, from which seed, in chunks, watched."""

import pytest
import torch

from archgen.diffusion import generator as module
from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import DiffusionGenerator, new_denoiser, require_fixed_size
from archgen.diffusion.process import Slots
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.batch import encode
from graphs.errors import InvalidOption

SIZE = DenoiserConfig(width=8, layers=1, heads=2)


@pytest.fixture
def generator(tree_space, slots_of) -> DiffusionGenerator:
    return DiffusionGenerator(
        tree_space, SIZE, new_denoiser(tree_space, SIZE, 3), slots_of(tree_space), tree_space.listed[0]
    )


@pytest.mark.parametrize("count", [1, 2, 33])
def test_as_many_valid_graphs_as_asked_for(generator, tree_space, count: int) -> None:
    graphs = generator.sample(count, 0, steps=3)
    assert len(graphs) == count
    for graph in graphs:
        tree_space.check(graph)


@pytest.mark.parametrize(("count", "steps"), [(0, 6), (-3, 6), (1, 0), (1, -1)])
def test_counts_and_steps_below_one_are_refused(generator, count: int, steps: int) -> None:
    with pytest.raises(InvalidOption, match=f"{count} graphs in {steps} steps"):
        generator.sample(count, 0, steps=steps)


def test_the_seed_decides_and_the_global_random_state_does_not(generator) -> None:
    state = torch.get_rng_state()
    first = generator.sample(64, 7)
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(3)
    assert generator.sample(64, 7) == first
    assert generator.sample(64, 8) != first


def test_chunks_give_valid_graphs_that_differ(generator, tree_space, monkeypatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 8)
    graphs = generator.sample(27, 1)
    assert len(graphs) == 27
    for graph in graphs:
        tree_space.check(graph)
    assert graphs[:8] != graphs[8:16], "each chunk must draw anew"
    assert generator.sample(27, 1) == graphs
    assert generator.sample(8, 1) == graphs[:8]


def test_watch_sees_the_graphs_of_every_step(generator, tree_space) -> None:
    seen: list[list[ArchGraph]] = []
    last = generator.sample(5, 2, steps=4, watch=lambda graphs: seen.append(list(graphs)))
    assert [len(graphs) for graphs in seen] == [5] * 4
    assert seen[-1] == last
    for graph in (graph for step in seen for graph in step):
        tree_space.check(graph)


def test_the_denoiser_is_left_in_evaluation_mode_without_gradients(generator) -> None:
    generator.denoiser.train()
    generator.sample(2, 0)
    assert not generator.denoiser.training
    assert all(parameter.grad is None for parameter in generator.denoiser.parameters())


def test_new_denoiser_depends_on_the_seed_alone(tree_space) -> None:
    state = torch.get_rng_state()
    first, again, other = (new_denoiser(tree_space, SIZE, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["position.weight"], other["position.weight"])


def test_graphs_of_fewer_nodes_are_refused(tree_space) -> None:
    class Shorter(type(tree_space)):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            short = ArchGraph((INPUT, Op("fc"), OUTPUT), ((0, 1), (1, 2)))
            self.listed = (*self.listed, short)
            self.places[short] = 81

    space = Shorter()
    require_fixed_size(space, encode(space, space.listed[:81]))
    with pytest.raises(InvalidOption, match="exactly max_nodes = 5"):
        require_fixed_size(space, encode(space, space.listed))


def test_a_space_without_varying_slots_gives_its_one_graph(tree_space) -> None:
    still = Slots(torch.zeros(5, 2, dtype=torch.bool), torch.zeros(5, 5, dtype=torch.bool))
    only = tree_space.listed[44]
    generator = DiffusionGenerator(tree_space, SIZE, new_denoiser(tree_space, SIZE, 3), still, only)
    assert generator.sample(20, 0) == [only] * 20
