"""Explanations: effects add up to the prediction, and what is known to matter is what is named."""

import numpy as np
import pytest

from graphs.errors import InvalidOption
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from predictors import explanation as module
from predictors.encodings import Encodings
from predictors.explanation import explain
from predictors.predictor import Predictor

CELLS = get_space("nasbench201")


def _graphs(space: SearchSpace, count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@pytest.fixture(scope="module")
def encodings() -> Encodings:
    return Encodings(CELLS)


def _convolutions(graph) -> float:
    return float(sum(op.name == "nor_conv_3x3" for op in CELLS.network(graph).ops))


@pytest.mark.parametrize("kind", ["auto", "wl-gp", "slot-gp"])
def test_effects_add_up_and_name_what_matters(encodings: Encodings, kind: str) -> None:
    """The property is the number of 3x3 convolutions, so those raise it."""
    graphs = _graphs(CELLS, 40)
    predictor = Predictor(CELLS, kind, encodings=encodings).fit(graphs, [_convolutions(graph) for graph in graphs])
    asked = max(_graphs(CELLS, 50, seed=1), key=_convolutions)
    found = explain(predictor, asked)
    assert sum(motif.effect for motif in found.motifs) == pytest.approx(found.prediction - found.base)
    assert found.prediction == pytest.approx(float(predictor.predict([asked]).quantile(0.5)[0]), abs=1e-3)
    assert found.prediction > found.base
    assert "nor_conv_3x3" in found.motifs[0].label
    assert found.motifs[0].effect > 0
    assert [abs(motif.effect) for motif in found.motifs] == sorted((abs(m.effect) for m in found.motifs), reverse=True)


def test_effects_add_up_before_they_are_scaled(encodings: Encodings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The integral itself is complete: its error falls with the number of its points."""
    graphs = _graphs(CELLS, 40)
    predictor = Predictor(CELLS, "wl-gp", encodings=encodings).fit(graphs, [_convolutions(graph) for graph in graphs])
    line = module._line(encodings, predictor.output().model, graphs[3], "wl-gp")
    errors = []
    for steps in (4, 64):
        monkeypatch.setattr(module, "STEPS", steps)
        errors.append(abs(float(line.effects().sum() - line.ends().diff())))
    assert errors[1] < 1e-3
    assert errors[1] <= errors[0]


def test_a_layer_of_a_stage_is_named() -> None:
    space = get_space("ofa-mobilenetv3")
    graphs = _graphs(space, 40)
    wide = [float(sum(op.get("expand") == 6 for op in graph.ops)) for graph in graphs]
    found = explain(Predictor(space, "slot-gp").fit(graphs, wide), graphs[int(np.argmax(wide))])
    assert "expansion 6" in found.motifs[0].label
    assert found.motifs[0].label.startswith("stage ")


def test_networks_see_no_motifs(encodings: Encodings) -> None:
    graphs = _graphs(CELLS, 12)
    values = [_convolutions(graph) + at / 100 for at, graph in enumerate(graphs)]
    predictor = Predictor(CELLS, "path-ensemble", encodings=encodings).fit(graphs, values)
    with pytest.raises(InvalidOption, match="path-ensemble sees no motifs"):
        explain(predictor, graphs[0])
