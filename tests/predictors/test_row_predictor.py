"""RowPredictor: what the predictor of graphs says, of rows; and draws that are draws of its posterior."""

import numpy as np
import pytest
import torch

from archgen.testing.objective import made_up_value
from graphs.errors import InvalidOption
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space
from predictors.encodings import Encodings
from predictors.row_predictor import RowPredictor, fit_row_predictor
from predictors.slot_predictor import SlotPredictor

SPACE = get_space("nas-bench-graph")
LAYOUT = layout_of(SPACE)
RNG = np.random.default_rng(0)
GRAPHS = [SPACE.sample(RNG) for _ in range(40)]
LABELS = torch.tensor([made_up_value(SPACE, graph) for graph in GRAPHS], dtype=torch.float64)
ROWS = LAYOUT.read([SPACE.sample(RNG) for _ in range(60)])


@pytest.fixture(scope="module")
def fitted() -> RowPredictor:
    return fit_row_predictor(LAYOUT, GRAPHS, LABELS, Encodings(SPACE))


def test_rows_are_predicted_as_their_graphs(fitted: RowPredictor) -> None:
    assert isinstance(fitted, SlotPredictor)
    rows = torch.cat([ROWS, ROWS[:5]])
    mean, deviation = fitted.predict(rows)
    found = fitted.output.predict(LAYOUT.write(rows))
    torch.testing.assert_close(mean, found.mean, rtol=1e-3, atol=1e-3)
    assert bool((deviation <= found.std).all())


def test_draws_have_the_posteriors_moments(fitted: RowPredictor) -> None:
    draws = torch.stack([fitted.model.scale(fitted.draw(seed)(ROWS)) for seed in range(300)])
    mean, variance = fitted.model.moments(LAYOUT.write(ROWS))
    expected = (fitted.output.widening**2 * variance).sqrt()
    error = (draws.mean(0) - mean) / expected
    assert float(error.abs().max()) < 0.4
    assert float((draws.std(0) / expected).log().abs().mean()) < 0.15


def test_a_draw_is_one_function(fitted: RowPredictor) -> None:
    first, again = fitted.draw(3), fitted.draw(3)
    torch.testing.assert_close(first(ROWS), again(ROWS.flip(0)).flip(0))
    assert not torch.allclose(first(ROWS), fitted.draw(4)(ROWS))


def test_rows_that_are_not_complete_are_refused(fitted: RowPredictor) -> None:
    for score in (fitted.predict, fitted.draw(0)):
        with pytest.raises(InvalidOption, match="give complete rows"):
            score(torch.where(ROWS[0] == ROWS, LAYOUT.hidden, ROWS))
