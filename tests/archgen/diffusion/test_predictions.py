"""Predictions: what the denoiser says, each state asked once, and nothing of an answer left to chance."""

import itertools

import pytest
import torch
from torch import Tensor

from archgen.diffusion import predictions as module
from archgen.diffusion.denoiser import Denoiser, DenoiserConfig
from archgen.diffusion.generator import new_denoiser
from archgen.diffusion.predictions import Predictions
from graphs.layout import layout_of
from graphs.spaces.nas_bench_graph import NasBenchGraph

SIZE = DenoiserConfig(width=16, layers=1, heads=2)


def recorded(denoiser: Denoiser) -> list[Tensor]:
    """The rows of each later call of the denoiser."""
    seen: list[Tensor] = []
    denoiser.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    return seen


def partly_hidden(layout, count: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (torch.rand(count, len(layout), generator=rng) * (layout.hidden + 1)).long()


@pytest.mark.parametrize("most", [module.MOST_STATES, 0], ids=["remembered", "not remembered"])
def test_logits_are_the_denoisers(toy, monkeypatch, most: int) -> None:
    monkeypatch.setattr(module, "MOST_STATES", most)
    monkeypatch.setattr(module, "CHUNK", 64)
    layout = layout_of(toy)
    denoiser = new_denoiser(layout, SIZE, 0).eval()
    predict = Predictions(denoiser)
    for seed, count in enumerate([1, 65, 300, 300]):
        values = partly_hidden(layout, count, seed)
        found = predict(values)
        torch.testing.assert_close(found, denoiser(values), rtol=1e-5, atol=1e-5)
        assert not found.requires_grad


def test_every_state_of_a_small_space_has_its_own_answer(product_space) -> None:
    """All 4 * 4 * 3 * 3 * 3 of them, asked in one order and read in another."""
    layout = layout_of(product_space)
    every = torch.tensor(list(itertools.product(*(range(size + 1) for size in layout.sizes))))
    denoiser = new_denoiser(layout, SIZE, 0).eval()
    predict = Predictions(denoiser)
    predict(every[::3])
    torch.testing.assert_close(predict(every.flip(0)), denoiser(every.flip(0)), rtol=1e-5, atol=1e-5)


def test_each_state_is_evaluated_once(tree_space) -> None:
    layout = layout_of(tree_space)
    denoiser = new_denoiser(layout, SIZE, 0).eval()
    predict, seen = Predictions(denoiser), recorded(denoiser)
    first, second = partly_hidden(layout, 50, 1), partly_hidden(layout, 50, 2)
    predict(first.repeat(9, 1))
    predict(torch.cat([second, first]))
    predict(torch.cat([first, second]))
    asked = torch.cat(seen)
    assert len(asked) == len(asked.unique(dim=0)) == len(torch.cat([first, second]).unique(dim=0))
    assert len(seen) == 2, "nothing was new in the third call"


def test_equal_rows_of_a_large_space_are_evaluated_at_once(tree_space, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_STATES", 0)
    layout = layout_of(tree_space)
    denoiser = new_denoiser(layout, SIZE, 0).eval()
    predict, seen = Predictions(denoiser), recorded(denoiser)
    hidden = layout.hidden.repeat(500, 1)
    assert torch.equal(predict(hidden), predict(hidden[:1]).expand(500, -1, -1))
    assert max(map(len, seen)) <= module.COMPANY


def test_large_graphs_are_evaluated_in_smaller_parts(tree_space, monkeypatch) -> None:
    """So many rows at once that their pairs of nodes are bounded, and one row at least."""
    monkeypatch.setattr(module, "MOST_STATES", 0)
    layout = layout_of(tree_space)
    denoiser = new_denoiser(layout, SIZE, 0).eval()
    values, seen = partly_hidden(layout, 50), recorded(denoiser)
    for pairs, most in ((20 * denoiser.n**2, 20), (0, module.COMPANY)):  # a row alone goes in company
        seen.clear()
        monkeypatch.setattr(module, "PAIRS", pairs)
        torch.testing.assert_close(Predictions(denoiser)(values), denoiser(values), rtol=1e-5, atol=1e-5)
        assert max(map(len, seen[:-1])) == most


@pytest.mark.parametrize("most", [module.MOST_STATES, 0], ids=["remembered", "not remembered"])
def test_what_was_asked_before_and_beside_changes_no_bit(monkeypatch, most: int) -> None:
    """A matrix of one row goes through another kernel than a taller one; draws would depend on the draws before."""
    monkeypatch.setattr(module, "MOST_STATES", most)
    layout = layout_of(NasBenchGraph())
    denoiser = new_denoiser(layout, DenoiserConfig(), 0).eval()
    values = partly_hidden(layout, 40)
    together = Predictions(denoiser)(values)
    for count in (1, 2, 3, 8):
        predict = Predictions(denoiser)
        parts = [predict(part) for part in values.split(count)]
        assert torch.equal(torch.cat(parts), together)


def test_the_level_is_the_one_asked_for(tree_space) -> None:
    layout = layout_of(tree_space)
    denoiser = new_denoiser(layout, DenoiserConfig(16, 1, 2, levels=True), 0).eval()
    assert denoiser.level is not None
    torch.nn.init.normal_(denoiser.level.net[2].weight, generator=torch.Generator().manual_seed(0))
    values = partly_hidden(layout, 20)
    for level in (0.0, 0.5, 1.0):
        expected = denoiser(values, torch.full((20,), level))
        torch.testing.assert_close(Predictions(denoiser, level)(values), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(Predictions(denoiser)(values), denoiser(values), rtol=1e-5, atol=1e-5)
