"""The kinds of predictors that are networks: repeatable, restored from their state, honest about left-out labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from archgen.testing.objective import made_up_value
from graphs.archgraph import ArchGraph
from graphs.spaces.catalogue import get_space
from predictors import neural, pretraining
from predictors.encodings import Encodings
from predictors.kinds import DEFAULT_KINDS, KINDS
from predictors.latent_model import LatentModel
from predictors.member_training import Schedule
from predictors.predictor import Predictor
from predictors.scale import Scale
from predictors.slot_predictor import Warp

NAMES = ("path-ensemble", "gnn-ensemble", "pretrained-gnn", "deep-kernel")
CELLS = get_space("nasbench201")
SHORT = Schedule(steps=12, batch=32)
SCHEDULES = ("PATH_SCHEDULE", "GNN_SCHEDULE", "KERNEL_SCHEDULE")


def data(count: int, seed: int) -> tuple[list[ArchGraph], torch.Tensor]:
    rng = np.random.default_rng(seed)
    graphs = [CELLS.sample(rng) for _ in range(count)]
    return graphs, torch.tensor([made_up_value(CELLS, graph) for graph in graphs], dtype=torch.float64)


GRAPHS, LABELS = data(30, 0)
OTHERS, TRUTH = data(300, 1)
SCALE = Scale(1, Warp.fit(LABELS))


def hasten(patch: pytest.MonkeyPatch) -> None:
    """Train for a few steps only."""
    for schedule in SCHEDULES:
        patch.setattr(neural, schedule, SHORT)
    patch.setattr(pretraining, "GRAPHS", 60)
    patch.setattr("predictors.encodings.pretrain", lambda *args: pretraining.pretrain(*args, schedule=SHORT))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


@pytest.fixture(scope="module")
def encodings() -> Encodings:
    return Encodings(CELLS)


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def fitted(name: str, encodings: Encodings) -> LatentModel:
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        return KINDS[name].fit(encodings, (GRAPHS, LABELS), SCALE, 3)


def test_they_are_kinds_but_not_of_the_default_mixture(fitted: LatentModel, name: str) -> None:
    assert isinstance(fitted, LatentModel)
    assert name not in DEFAULT_KINDS
    assert fitted.scale is SCALE
    torch.testing.assert_close(fitted.targets, SCALE(LABELS))


@pytest.mark.usefixtures("quick")
def test_same_labels_and_seed_same_model(fitted: LatentModel, name: str, encodings: Encodings) -> None:
    before = torch.random.get_rng_state()
    again = KINDS[name].fit(encodings, (GRAPHS, LABELS), SCALE, 3)
    assert torch.equal(torch.random.get_rng_state(), before), "torch's own chance is left as it was"
    for one, other in zip(again.moments(OTHERS), fitted.moments(OTHERS), strict=True):
        assert torch.equal(one, other)
    different = KINDS[name].fit(encodings, (GRAPHS, LABELS), SCALE, 4)
    assert not torch.equal(different.moments(OTHERS)[0], fitted.moments(OTHERS)[0])


def test_it_comes_back_from_its_state_in_other_encodings(fitted: LatentModel, name: str) -> None:
    """Whose columns are numbered otherwise, as they have met other graphs."""
    state = fitted.state()
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    elsewhere = Encodings(CELLS)
    elsewhere.numbers(OTHERS[::-1])
    restored = KINDS[name].restore(elsewhere, (GRAPHS, LABELS), state)
    for ask in (lambda model: model.moments(OTHERS), lambda model: model.joint(OTHERS), lambda model: model.left_out()):
        for one, other in zip(ask(restored), ask(fitted), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
    assert restored.noise == fitted.noise


def test_a_state_of_something_else_is_refused(fitted: LatentModel, name: str, encodings: Encodings) -> None:
    state = dict(fitted.state())
    with pytest.raises(ValueError, match="left-out beliefs of 30 labels, expected 29"):
        KINDS[name].restore(encodings, (GRAPHS[1:], LABELS[1:]), state)
    weight = next(key for key in state if key.startswith("members."))
    with pytest.raises(ValueError, match="weights of another network"):
        KINDS[name].restore(encodings, (GRAPHS, LABELS), {**state, weight: state[weight][..., :-1]})


def test_moments_are_the_diagonal_of_joint_and_positive(fitted: LatentModel) -> None:
    mean, variance = fitted.moments(OTHERS[:50])
    joint_mean, covariance = fitted.joint(OTHERS[:50])
    torch.testing.assert_close(mean, joint_mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(variance, covariance.diagonal(), rtol=1e-4, atol=1e-6)
    assert (torch.linalg.eigvalsh(covariance) > 0).all()
    assert variance.dtype == torch.float64
    assert fitted.noise > 0
    assert all(len(part) == 0 for part in fitted.moments([]))


def test_descriptions_of_one_network_are_predicted_alike(fitted: LatentModel) -> None:
    networks: dict[ArchGraph, list[ArchGraph]] = {}
    for graph in OTHERS:
        networks.setdefault(CELLS.network(graph), []).append(graph)
    pairs = [alike[:2] for alike in networks.values() if len(alike) > 1]
    assert len(pairs) > 5
    first, second = (fitted.moments(list(side))[0] for side in zip(*pairs, strict=True))
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("quick")
def test_a_left_out_prediction_has_not_seen_its_label(fitted: LatentModel, name: str, encodings: Encodings) -> None:
    labels = LABELS.clone()
    labels[4] += 2 * LABELS.std()
    other = KINDS[name].fit(encodings, (GRAPHS, labels), SCALE, 3)
    before, after = fitted.left_out()[0], other.left_out()[0]
    assert torch.equal(before[4], after[4])
    assert (before != after).sum() > 10, "others have seen it"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("graphs", "labels"),
    [
        (GRAPHS[:2], [1.0, 2.0]),
        (GRAPHS[:3], [5.0, 5.0, 5.0]),
        (GRAPHS[:1] * 2, [1.0, 1.5]),
        (GRAPHS[:4], [0.0, 0.0, 0.0, 1e-9]),
    ],
    ids=["two", "equal", "one network", "all but equal"],
)
def test_few_or_equal_labels(name: str, encodings: Encodings, graphs: list[ArchGraph], labels: list[float]) -> None:
    model = KINDS[name].fit(encodings, (graphs, torch.tensor(labels, dtype=torch.float64)), None, 0)
    for part in (*model.moments(OTHERS[:20]), *model.left_out()):
        assert part.isfinite().all()
    assert (model.moments(OTHERS[:20])[1] > 0).all()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("space", ["ofa-mobilenetv3", "nas-bench-graph", "free-dag"])
def test_other_spaces(space: str) -> None:
    own, rng = Encodings(get_space(space)), np.random.default_rng(0)
    graphs = [own.space.sample(rng) for _ in range(6)]
    labels = torch.arange(6).double()
    for kind in NAMES:
        model = KINDS[kind].fit(own, (graphs, labels), Scale(1, Warp.fit(labels)), 0)
        assert model.moments(graphs)[0].isfinite().all()


@pytest.mark.usefixtures("quick")
def test_a_predictor_is_made_of_one_and_kept_in_a_file(encodings: Encodings, tmp_path: Path) -> None:
    predictor = Predictor(CELLS, "gnn-ensemble", encodings=encodings).fit(GRAPHS[:9], LABELS[:9])
    predictor.save(tmp_path / "p.safetensors")
    found = Predictor.load(tmp_path / "p.safetensors")
    torch.testing.assert_close(found.predict(OTHERS).mean, predictor.predict(OTHERS).mean, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["path-ensemble", "gnn-ensemble", "deep-kernel"])
def test_it_ranks_what_it_has_not_seen(name: str, encodings: Encodings, monkeypatch: pytest.MonkeyPatch) -> None:
    for schedule in SCHEDULES:
        monkeypatch.setattr(neural, schedule, replace(getattr(neural, schedule), steps=60))
    graphs, labels = data(60, 2)
    model = KINDS[name].fit(encodings, (graphs, labels), Scale(1, Warp.fit(labels)), 0)
    assert kendalltau(model.moments(OTHERS)[0].numpy(), TRUTH.numpy()).statistic > 0.6
    mean, variance = model.left_out()
    errors = (model.targets - mean) / variance.sqrt()
    assert 0.5 < errors.square().mean() < 2
