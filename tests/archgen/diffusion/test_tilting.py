"""Learned guidance against the exactly tilted law of the generator."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.tilting import TiltConfig, systematic, tilt_generator
from graphs.errors import EvaluationError, InvalidOption

CONFIG = TiltConfig(steps=60, batch=128, pool=8_192, rounds=3)


@pytest.fixture(scope="module")
def generator(untrained: Callable[..., DiffusionGenerator]) -> DiffusionGenerator:
    """One whose law is of no particular form."""
    other = untrained("nasbench201", "given")
    denoiser = deepcopy(other.denoiser)
    torch.nn.init.normal_(denoiser.node_head.weight, std=0.2, generator=torch.Generator().manual_seed(1))
    return replace(other, denoiser=denoiser)


def score(rows: torch.Tensor) -> torch.Tensor:
    """Operation 3 counts, and more so beside another one."""
    hot = (rows == 3).double()
    return hot.sum(1) + hot[:, 0] * hot[:, 5]


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_the_tilted_law_is_that_of_the_exact_weights(generator: DiffusionGenerator, strength: float) -> None:
    """The base is hardly trained, so the exact law is that of its own draws, weighted; both means have small errors."""
    tilted = tilt_generator(generator, score, 2.0, CONFIG)
    drawn = torch.cat([rows for rows, _, _ in tilted.stream(4_000, 1, strength=strength)])
    plain = torch.cat(list(generator.stream(200_000, 2)))
    weights = (strength * score(plain)).softmax(0)
    wanted, size = float((score(plain) * weights).sum()), float(1 / weights.square().sum())
    deviation = float((weights * (score(plain) - wanted).square()).sum()) ** 0.5
    assert float(score(drawn).mean()) == pytest.approx(wanted, abs=5 * deviation * (1 / size + 1 / 2_000) ** 0.5)


def test_weights_are_the_ratio_of_both_laws(generator: DiffusionGenerator) -> None:
    """The mean importance weight is 1, whatever the proposal."""
    tilted = tilt_generator(generator, score, 1.0, CONFIG)
    drawn = tilted.draw_weighted(20_000, 0.3, torch.Generator().manual_seed(3))
    ratio = drawn.log_ratio.exp()
    assert float(ratio.mean()) == pytest.approx(1, abs=5 * float(ratio.std()) / math.sqrt(len(ratio)))
    assert float(ratio.std()) > 0.01


def test_a_forbidden_row_never_comes(generator: DiffusionGenerator) -> None:
    def forbidding(rows: torch.Tensor) -> torch.Tensor:
        return score(rows).masked_fill(rows[:, 2] != 1, -torch.inf)

    tilted = tilt_generator(generator, forbidding, 1.0, CONFIG)
    rows, _, allowed = next(iter(tilted.stream(500, 4)))
    assert bool((rows[:, 2] == 1).all())
    plain = torch.cat(list(generator.stream(4_000, 5)))
    assert float((plain[:, 2] == 1).double().mean()) < 0.3
    assert allowed > 0.8, "the copy should have learned what is forbidden"


def test_the_same_arguments_give_the_same_rows(generator: DiffusionGenerator) -> None:
    first, again = (tilt_generator(generator, score, 1.0, TiltConfig(steps=5, pool=512, rounds=1)) for _ in range(2))
    assert torch.equal(next(iter(first.stream(100, 7)))[0], next(iter(again.stream(100, 7)))[0])


def test_what_cannot_be_tilted_is_refused(generator: DiffusionGenerator) -> None:
    small = TiltConfig(steps=1, pool=64, rounds=1)
    for strength in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InvalidOption):
            tilt_generator(generator, score, strength, small)
    with pytest.raises(EvaluationError, match="NaN"):
        tilt_generator(generator, lambda rows: torch.full((len(rows),), torch.nan), 1.0, small)
    with pytest.raises(EvaluationError, match="forbids all"):
        tilt_generator(generator, lambda rows: torch.full((len(rows),), -torch.inf), 1.0, small)
    with pytest.raises(InvalidOption, match="stronger"):
        next(iter(tilt_generator(generator, score, 0.1, small).stream(3, 0, strength=0.2)))


def test_systematic_draws_follow_the_weights() -> None:
    weights = torch.tensor([0.5, 0.0, 0.3, 0.2], dtype=torch.float64)
    picked = systematic(weights, 1_000, torch.Generator().manual_seed(0))
    assert picked.bincount(minlength=4).tolist() == pytest.approx([500, 0, 300, 200], abs=1)
    assert picked.tolist() != sorted(picked.tolist()), "rows come in random order"
