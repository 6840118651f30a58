"""Log odds of presence: their slope is zero, known odds are found, descriptions of one network share theirs."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from graphs.errors import InvalidOption
from graphs.spaces.nasbench201 import NasBench201
from predictors.presence import DEVIATION, LEVEL, fit_presence

SPACE = NasBench201()
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def cells(count: int, seed: int) -> list:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    return [SPACE.representative(SPACE.sample(rng)) for _ in range(count)]


def test_the_odds_are_those_of_a_general_optimiser() -> None:
    graphs = cells(60, 0)
    present = torch.from_numpy(np.random.default_rng(1).random(60) < 0.4)
    layout = SPACE.layout()
    rows = layout.read(graphs).numpy()
    columns = {}
    for row in rows:
        for one, slot in enumerate(row):
            columns.setdefault(("slot", one, slot), len(columns))
            for other in range(one + 1, len(row)):
                columns.setdefault(("pair", one, slot, other, row[other]), len(columns))
    design = np.zeros((len(rows), 1 + len(columns)))
    design[:, 0] = 1
    for at, row in enumerate(rows):
        for one, slot in enumerate(row):
            design[at, 1 + columns["slot", one, slot]] = 1
            for other in range(one + 1, len(row)):
                design[at, 1 + columns["pair", one, slot, other, row[other]]] = 1
    sign = np.where(present.numpy(), 1.0, -1.0)
    precision = np.full(design.shape[1], DEVIATION**-2)
    precision[0] = LEVEL**-2

    def surprise(effects: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (design @ effects)
        slope = precision * effects - design.T @ (sign / (1 + np.exp(margin)))
        return float(np.logaddexp(0, -margin).sum() + precision @ effects**2 / 2), slope

    best = minimize(surprise, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    odds = fit_presence(layout, graphs, present)(graphs)
    np.testing.assert_allclose(odds.numpy(), design @ best.x, atol=2e-3)


def test_what_is_always_chosen_has_high_odds() -> None:
    graphs = cells(400, 2)
    present = torch.tensor([graph.ops.count(graph.ops[1]) >= 3 for graph in graphs])
    odds = fit_presence(SPACE.layout(), graphs, present)(graphs)
    assert odds[present].mean() > odds[~present].mean() + 1


def test_descriptions_of_one_network_share_their_odds() -> None:
    """The third edge leaves a node that nothing enters, so what stands there does not matter."""
    same = [
        SPACE.build(("none", "nor_conv_3x3", dead, "skip_connect", "none", "none")) for dead in ("none", "avg_pool_3x3")
    ]
    graphs = cells(50, 3)
    odds = fit_presence(SPACE.layout(), graphs, torch.arange(50) < 20)(same)
    assert odds[0] == odds[1]


@pytest.mark.parametrize("marks", [[True] * 5, [False] * 5, [True, False]])
def test_marks_of_one_kind_or_too_few_are_told(marks: list[bool]) -> None:
    with pytest.raises(InvalidOption, match="expected a mark each"):
        fit_presence(SPACE.layout(), cells(5, 4), torch.tensor(marks))
