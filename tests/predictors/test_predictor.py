"""Predictor: learns, is calibrated, comes back from a file, and says what it cannot learn from."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from botorch.posteriors.posterior import Posterior
from botorch.posteriors.posterior_list import PosteriorList
from safetensors import safe_open
from safetensors.torch import save_file

from archgen.testing.objective import made_up_value
from graphs.errors import (
    ArchgenError,
    CheckpointError,
    EvaluationError,
    InvalidArchitecture,
    InvalidOption,
    UnknownName,
)
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from predictors.encodings import Encodings
from predictors.kinds import DEFAULT_KINDS, KINDS
from predictors.mixture import Mixture
from predictors.predictor import Predictor
from predictors.scores import score

NOISE = 0.4
"""Deviation of made-up measurements."""
CELLS, OTHER = get_space("nasbench201"), get_space("nas-bench-graph")

ENCODINGS = Encodings(CELLS)


def _new(kind: str = "auto") -> Predictor:
    return Predictor(CELLS, kind, encodings=ENCODINGS)


def _data(space: SearchSpace, count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    graphs = [space.sample(rng) for _ in range(count)]
    return graphs, np.array([made_up_value(space, graph) for graph in graphs]) + rng.normal(0, NOISE, count)


@pytest.fixture(scope="module", params=["auto", "wl-gp", "slot-gp"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def fitted(kind: str) -> Predictor:
    graphs, values = _data(CELLS, 60)
    return _new(kind).fit(graphs, values)


def test_it_ranks_what_it_has_not_seen(fitted: Predictor) -> None:
    graphs, values = _data(CELLS, 300, seed=1)
    found = score(fitted.predict(graphs), torch.from_numpy(values))
    assert found.kendall > 0.5
    assert 0.6 < found.inside80 < 0.97


def test_the_posterior_is_botorchs_and_in_the_labels_unit(fitted: Predictor) -> None:
    graphs, _ = _data(CELLS, 5, seed=2)
    posterior, prediction = fitted.posterior(graphs), fitted.predict(graphs)
    assert isinstance(posterior, Posterior)
    torch.manual_seed(0)
    draws = posterior.rsample(torch.Size([4000]))
    assert draws.shape == (4000, 5, 1)
    torch.testing.assert_close(posterior.mean[:, 0], draws.mean((0, 2)), rtol=0.05, atol=0.05)
    assert bool((posterior.variance[:, 0].sqrt() < prediction.std).all()), "noise makes measurements less sure"


def test_a_file_brings_back_the_same_predictor(fitted: Predictor, tmp_path: Path) -> None:
    graphs, _ = _data(CELLS, 20, seed=3)
    fitted.save(tmp_path / "model")
    again = Predictor.load(tmp_path / "model")
    assert (again.kind, again.names, again.graphs) == (fitted.kind, fitted.names, fitted.graphs)
    for name in ("mean", "std"):
        torch.testing.assert_close(getattr(again.predict(graphs), name), getattr(fitted.predict(graphs), name))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_several_properties_each_have_their_model(kind: str, tmp_path: Path) -> None:
    graphs, values = _data(CELLS, 30)
    both = np.stack([values, -3 * values + 7], 1)
    predictor = _new(kind).fit(graphs, both, ["up", "down"])
    predictor.save(tmp_path / "model")
    for one in (predictor, Predictor.load(tmp_path / "model")):
        up, down = one.predict(graphs, "up").mean, one.predict(graphs, "down").mean
        assert np.corrcoef(up, down)[0, 1] < -0.9
        posterior = one.posterior(graphs[:3])
        assert isinstance(posterior, PosteriorList)
        assert posterior.mean.shape == (3, 2)
        with pytest.raises(UnknownName, match="Did you mean 'down'"):
            one.predict(graphs, "dwon")


def test_same_labels_same_predictor_whatever_happened_before(kind: str) -> None:
    graphs, values = _data(CELLS, 20)
    asked, _ = _data(CELLS, 10, seed=4)
    found = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        predictor = _new(kind).fit(*_data(CELLS, 12, seed=noise))
        found.append(predictor.fit(graphs, values).predict(asked).mean)
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-9)


def test_descriptions_of_one_network_are_one(fitted: Predictor) -> None:
    by_network: dict[object, object] = {}
    pairs = [(by_network.setdefault(CELLS.network(g), g), g) for g in _data(CELLS, 300, seed=5)[0]]
    left, right = map(list, zip(*[pair for pair in pairs if pair[0] != pair[1]], strict=True))
    torch.testing.assert_close(fitted.predict(left).mean, fitted.predict(right).mean)


@pytest.mark.parametrize("value", [0.0, 93.47, -1e6])
def test_labels_may_all_be_equal(kind: str, value: float) -> None:
    graphs, _ = _data(CELLS, 12)
    found = _new(kind).fit(graphs, np.full(12, value)).predict(graphs)
    assert bool(((found.mean - value).abs() <= 1).all())
    assert bool(found.std.isfinite().all())


def test_a_graph_may_have_several_labels(kind: str) -> None:
    """Noise, not a crash: the mean lies among them, and the deviation knows of it."""
    graphs, values = _data(CELLS, 15)
    twice = np.concatenate([values - 1, values + 1])
    found = _new(kind).fit([*graphs, *graphs], twice).predict(graphs)
    assert bool((found.std > 0.5).all())
    assert float((found.mean - torch.from_numpy(values)).abs().mean()) < 1


@pytest.mark.parametrize("count", [2, 3, 5, 9, 11])
def test_a_handful_of_labels_is_enough(kind: str, count: int) -> None:
    graphs, values = _data(CELLS, count)
    assert bool(_new(kind).fit(graphs, values).predict(graphs).std.isfinite().all())


@pytest.mark.parametrize(
    ("count", "change", "told"),
    [
        (1, lambda v: v, "cannot fit 1 labels; expected at least 2"),
        (4, lambda v: v[1:], r"shape \(3, 1\) for 4 graphs"),
        (4, lambda v: np.where(np.arange(4) == 2, math.nan, v), "label 2 is"),
        (4, lambda v: np.where(np.arange(4) == 1, math.inf, v), "label 1 is"),
    ],
)
def test_labels_that_say_nothing_are_refused(count: int, change, told: str) -> None:
    graphs, values = _data(CELLS, count)
    with pytest.raises(InvalidOption, match=told):
        _new().fit(graphs, change(values))


def test_graphs_of_another_space_and_unknown_kinds_are_refused() -> None:
    foreign, values = _data(OTHER, 4)
    with pytest.raises(InvalidArchitecture):
        _new().fit(foreign, values)
    graphs, values = _data(CELLS, 4)
    predictor = _new()
    with pytest.raises(EvaluationError, match="seen no labels"):
        predictor.predict(graphs)
    with pytest.raises(InvalidArchitecture):
        predictor.fit(graphs, values).predict(foreign)
    with pytest.raises(UnknownName, match="wl-gp"):
        Predictor(CELLS, "wlgp")
    with pytest.raises(InvalidOption, match="no slot-gp for space"):
        Predictor(get_space("free-dag"), "slot-gp")


def test_the_default_mixes_what_fits_the_space() -> None:
    graphs, values = _data(CELLS, 30)
    model = _new().fit(graphs, values).output().model
    assert isinstance(model, Mixture)
    assert set(model.weights) <= set(DEFAULT_KINDS) <= set(KINDS)
    assert sum(model.weights.values()) == pytest.approx(1)
    space = get_space("synthetic-dag-32")
    graphs, values = _data(space, 12)
    assert set(Predictor(space).fit(graphs, values).output().model.weights) == {"wl-gp"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    _new("wl-gp").fit(*_data(CELLS, 8)).save(path)
    return path


@pytest.mark.parametrize("keep", [0, 7, 200, 0.5, -1])
def test_a_file_cut_short_is_refused(file: Path, keep: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match="not a whole predictor"):
        Predictor.load(file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 99}, "format 99, expected 1"),
        ({"what": "generator"}, "holds no predictor"),
        ({"fingerprint": "0"}, "made for space 'nasbench201'"),
        ({"space": "nas-bench-graph"}, "made for space 'nas-bench-graph'"),
        ({"graphs": []}, "not a whole predictor"),
        ({"kind": "slot-gp"}, "not a whole predictor"),
        ({"kind": "magic"}, "not a whole predictor"),
        ({"names": ["a", "b"]}, "not a whole predictor"),
    ],
)
def test_an_edited_header_is_refused(file: Path, change: dict[str, object], told: str) -> None:
    with safe_open(file, framework="pt") as opened:
        header = json.loads(opened.metadata()["archgen"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    save_file(tensors, file, metadata={"archgen": json.dumps({**header, **change})})
    with pytest.raises(CheckpointError, match=told):
        Predictor.load(file)


@pytest.mark.parametrize("value", [math.nan, -1.0])
def test_edited_numbers_are_refused(file: Path, value: float) -> None:
    with safe_open(file, framework="pt") as opened:
        header = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    tensors["0/numbers"][5] = value
    save_file(tensors, file, metadata=header)
    with pytest.raises(CheckpointError, match="not a whole predictor"):
        Predictor.load(file)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    predictor = _new("wl-gp").fit(*_data(CELLS, 8))
    with pytest.raises(ArchgenError, match="cannot write the predictor"):
        predictor.save(tmp_path / "missing" / "model")


def test_networks_beside_processes_have_half_the_weight(tmp_path: Path) -> None:
    graphs, values = _data(CELLS, 30)
    predictor = _new("gp-gnn").fit(graphs, values)
    model = predictor.output().model
    assert isinstance(model, Mixture)
    assert model.weights["gnn-ensemble"] == 0.5
    assert sum(model.weights.values()) == pytest.approx(1)
    predictor.save(tmp_path / "model")
    asked, _ = _data(CELLS, 9, seed=6)
    torch.testing.assert_close(Predictor.load(tmp_path / "model").predict(asked).mean, predictor.predict(asked).mean)
