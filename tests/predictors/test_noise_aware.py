"""The noise-aware predictor learns the mean over what is hidden."""

import itertools

import pytest
import torch

from graphs.errors import InvalidOption
from predictors.member_training import Schedule
from predictors.noise_aware import fit_noise_aware, slot_inputs

SIZES = (3, 2, 4)
ROWS = torch.tensor(list(itertools.product(*map(range, SIZES))))
LABELS = 70 + ROWS[:, 0].double() * 3 + (ROWS[:, 1] * ROWS[:, 2]).double()
SCHEDULE = Schedule(steps=400, batch=64, learning_rate=3e-3, decay=0.01)


def hide(values: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    hidden = torch.rand(values.shape, generator=rng) < torch.rand(len(values), 1, generator=rng)
    return torch.where(hidden, torch.tensor(SIZES), values)


def test_it_learns_the_mean_over_what_is_hidden() -> None:
    found = fit_noise_aware(SIZES, ROWS, LABELS, hide, SCHEDULE)
    asked = torch.tensor([[3, 2, 4], [0, 2, 4], [2, 2, 4], [2, 1, 4], [2, 1, 3]])
    wanted = [LABELS[((row == ROWS) | (row == torch.tensor(SIZES))).all(1)].mean() for row in asked]
    mean, deviation = found(asked)
    assert (mean - torch.stack(wanted)).abs().max() < LABELS.std() / 2
    assert (deviation > 0).all()
    assert mean.dtype == torch.float64


def test_same_arguments_same_predictor() -> None:
    short = Schedule(steps=5)
    before = torch.random.get_rng_state()
    one, other = (fit_noise_aware(SIZES, ROWS, LABELS, hide, short, seed=1)(ROWS)[0] for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not torch.equal(one, fit_noise_aware(SIZES, ROWS, LABELS, hide, short, seed=2)(ROWS)[0])


def test_the_noise_level_is_the_share_of_hidden_slots() -> None:
    assert slot_inputs(SIZES, torch.tensor([[0, 2, 4], [1, 1, 1]]))[:, -1].tolist() == pytest.approx([2 / 3, 0])


@pytest.mark.parametrize("labels", [LABELS[1:], torch.full((len(ROWS),), torch.nan)])
def test_bad_labels_are_refused(labels: torch.Tensor) -> None:
    with pytest.raises(InvalidOption, match="expected a finite one each"):
        fit_noise_aware(SIZES, ROWS, labels, hide)
