"""DiffusionGenerator's own promises: how many, from which seed and start, in chunks, guided and watched."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from archgen.diffusion import generator as module
from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import DiffusionGenerator, distinct_starts, new_denoiser
from archgen.diffusion.guidance import Guide
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.layout import layout_of

SIZE = DenoiserConfig(width=8, layers=1, heads=2)


def untrained(space, graphs=None) -> DiffusionGenerator:
    layout = layout_of(space)
    starts, weights = distinct_starts(layout, layout.read(space.listed if graphs is None else graphs))
    return DiffusionGenerator(space, SIZE, new_denoiser(layout, SIZE, 3), starts, weights)


@pytest.fixture
def generator(toy) -> DiffusionGenerator:
    return untrained(toy)


def flat(graphs) -> np.ndarray:
    return np.zeros(len(graphs))


@pytest.mark.parametrize("guide", [None, Guide(flat, candidates=3)], ids=["plain", "guided"])
@pytest.mark.parametrize("count", [1, 2, 33])
def test_as_many_valid_graphs_as_asked_for(generator, toy, count: int, guide: Guide | None) -> None:
    graphs = generator.sample(count, 0, steps=3, guide=guide)
    assert len(graphs) == count
    for graph in graphs:
        toy.check(graph)


@pytest.mark.parametrize("guide", [None, Guide(flat)], ids=["plain", "guided"])
@pytest.mark.parametrize(("count", "steps"), [(0, 6), (-3, 6), (1, 0), (1, -1)])
def test_counts_and_steps_below_one_are_refused(generator, count: int, steps: int, guide: Guide | None) -> None:
    with pytest.raises(InvalidOption, match=f"{count} graphs in {steps} steps"):
        generator.sample(count, 0, steps=steps, guide=guide)
    with pytest.raises(InvalidOption, match=f"{count} graphs in {steps} steps"):
        next(generator.stream(count, 0, steps=steps))


@pytest.mark.parametrize("guide", [None, Guide(flat, candidates=2)], ids=["plain", "guided"])
def test_the_seed_decides_and_the_global_random_state_does_not(generator, guide: Guide | None) -> None:
    state = torch.get_rng_state()
    first = generator.sample(64, 7, steps=2, guide=guide)
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(3)
    assert generator.sample(64, 7, steps=2, guide=guide) == first
    assert generator.sample(64, 8, steps=2, guide=guide) != first


@pytest.mark.parametrize("guide", [None, Guide(flat, candidates=2)], ids=["plain", "guided"])
def test_chunks_give_valid_graphs_that_differ(generator, toy, monkeypatch, guide: Guide | None) -> None:
    monkeypatch.setattr(module, "CHUNK", 4)
    graphs = generator.sample(11, 1, steps=2, guide=guide)
    assert len(graphs) == 11
    for graph in graphs:
        toy.check(graph)
    assert graphs[:4] != graphs[4:8], "each chunk must draw anew"
    assert generator.sample(11, 1, steps=2, guide=guide) == graphs
    assert generator.sample(4, 1, steps=2, guide=guide) == graphs[:4]


def test_a_stream_is_the_sample_in_chunks(generator, monkeypatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 8)
    parts = list(generator.stream(27, 1, steps=2))
    assert [len(part) for part in parts] == [8, 8, 8, 3]
    assert generator.layout.write(torch.cat(parts)) == generator.sample(27, 1, steps=2)


def test_a_stream_draws_from_other_predictions_than_the_denoisers(tree_space, law_of, exact, distance_to) -> None:
    generator, law = untrained(tree_space), law_of(tree_space)
    rows = torch.cat(list(generator.stream(2_000, 0, steps=7, predict=exact(generator.layout, law))))
    found, limit = distance_to(tree_space, generator.layout.write(rows), law)
    assert found < limit


def test_without_constraints_an_untrained_network_draws_invalid_rows(tree_space) -> None:
    generator = untrained(tree_space)
    (free,), (obeying,) = (generator.stream(500, 0, constrained=constrained) for constrained in (False, True))
    assert generator.layout.valid(obeying).all()
    assert not generator.layout.valid(free).all()


def test_more_steps_ask_more_often_and_the_usual_number_is_six_or_one_a_slot(tree_space, growing_space) -> None:
    """All five edges of the growing space are coupled, which six steps can keep apart; seven they could not."""
    assert untrained(tree_space).usual_steps == 6
    assert untrained(growing_space).usual_steps == 6
    seven = untrained(growing_space)
    seven.layout.coupled = (tuple(range(7)),)
    assert seven.usual_steps == len(seven.layout) == 9
    for steps in (None, 2):
        seen: list[int] = []
        generator = untrained(tree_space)

        def predict(values: Tensor, seen=seen, generator=generator) -> Tensor:
            seen.append(len(values))
            return generator.predict(values)

        next(generator.stream(10, 0, steps=steps, predict=predict))
        assert len(seen) == (steps or 6)


def test_starts_are_each_once_with_their_share(growing_space, tree_space) -> None:
    layout = layout_of(growing_space)
    starts, weights = distinct_starts(layout, layout.read([*growing_space.listed, *growing_space.listed[:4] * 4]))
    assert sorted(zip((starts == layout.hidden).sum(1).tolist(), (weights * 100).round().tolist(), strict=True)) == [
        (6, 20.0),
        (7, 16.0),
        (8, 64.0),
    ]
    starts, weights = distinct_starts(layout_of(tree_space), layout_of(tree_space).read(tree_space.listed))
    assert starts.tolist() == [layout_of(tree_space).hidden.tolist()]
    assert weights.tolist() == [1.0]


def test_starts_are_drawn_as_often_as_the_training_graphs_had_them(growing_space) -> None:
    """Sizes of drawn graphs, each within 6 sigma."""
    draws = 6_000
    generator = untrained(growing_space, [*growing_space.listed, *growing_space.listed[:4] * 4])
    sizes = [len(graph) for graph in generator.sample(draws, 0, steps=2)]
    for size, p in ((3, 20 / 100), (4, 16 / 100), (5, 64 / 100)):
        assert abs(sizes.count(size) / draws - p) < 6 * math.sqrt(p * (1 - p) / draws)


def test_only_sizes_that_were_trained_on_are_drawn(growing_space) -> None:
    generator = untrained(growing_space, [graph for graph in growing_space.listed if len(graph) == 4])
    for guide in (None, Guide(lambda graphs: np.array([float(len(graph)) for graph in graphs]))):
        assert {len(graph) for graph in generator.sample(200, 0, guide=guide)} == {4}


def test_watch_sees_the_graphs_of_every_step_of_a_guided_draw(generator, toy) -> None:
    seen: list[list[ArchGraph]] = []
    guide = Guide(flat, candidates=2)
    last = generator.sample(5, 2, steps=4, guide=guide, watch=lambda graphs: seen.append(list(graphs)))
    assert [len(graphs) for graphs in seen] == [5] * 4
    assert seen[-1] == last
    for graph in (graph for step in seen for graph in step):
        toy.check(graph)


def test_the_denoiser_is_left_in_evaluation_mode_without_gradients(generator) -> None:
    generator.denoiser.train()
    generator.sample(2, 0)
    assert not generator.denoiser.training
    assert all(parameter.grad is None for parameter in generator.denoiser.parameters())


def test_new_denoiser_depends_on_the_seed_alone(tree_space) -> None:
    state, layout = torch.get_rng_state(), layout_of(tree_space)
    first, again, other = (new_denoiser(layout, SIZE, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["position.weight"], other["position.weight"])
