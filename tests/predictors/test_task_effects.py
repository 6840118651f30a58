"""Effects of classes, tasks and networks: against the same model written out over all labels, and on known effects."""

from collections.abc import Sequence
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.task_labels import TaskLabels
from predictors import task_effects
from predictors.feature_table import FeatureTable
from predictors.features import PATHS, wl_labels
from predictors.task_effects import LEVEL, NetworkScore, TaskEffects, TaskHyper, fit_task_effects

SPACE = NasBench201()
GROUPS = ["wl0", "paths"]
CLASS_NUMBERS = 25
HYPER = TaskHyper(classes=9.0, tasks=1.2, noise=0.7, networks=2.5, own=0.6, length=0.8)


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return FeatureTable(SPACE, {"wl0": wl_labels(0), "paths": PATHS})


def draw_labels(count: int, tasks: int, seed: int, classes: int = 4) -> TaskLabels:
    """Cells from a pool, so that some come again, on tasks of one label or more; accuracies are noise."""
    rng = np.random.default_rng(seed)
    pool = [SPACE.sample(rng) for _ in range(count // 2)]
    of_task = np.stack([1 + rng.permutation(CLASS_NUMBERS)[:classes] for _ in range(tasks)])
    task = rng.integers(tasks, size=count)
    graphs = tuple(pool[i] for i in rng.integers(len(pool), size=count))
    accuracy = 70 + 5 * rng.standard_normal(count)
    return TaskLabels(3 * task, graphs, accuracy, of_task[task], np.ones(count, dtype=bool))


def network_covariance(table: FeatureTable, left: list[ArchGraph], right: list[ArchGraph], hyper: TaskHyper) -> Tensor:
    rows = [table.rows(graphs)[:, 0].long().numpy() for graphs in (left, right)]
    apart = torch.from_numpy((table.distance("wl0", *rows) + table.distance("paths", *rows)) / 2)
    same = torch.tensor([[float(SPACE.canonical(a) == SPACE.canonical(b)) for b in right] for a in left]).double()
    return LEVEL**2 + hyper.networks**2 * (-apart / hyper.length).exp() + hyper.own**2 * same


def share(labels: TaskLabels) -> Tensor:
    """For each label the weight of each class number in its task's mean."""
    weights = torch.zeros(len(labels), CLASS_NUMBERS + 1, dtype=torch.float64)
    return weights.scatter_(1, torch.from_numpy(labels.classes), 1 / labels.classes.shape[1])


def label_covariance(table: FeatureTable, labels: TaskLabels, hyper: TaskHyper) -> Tensor:
    graphs, weights = list(labels.graphs), share(labels)
    together = torch.from_numpy(labels.task[:, None] == labels.task[None]).double()
    return (
        network_covariance(table, graphs, graphs, hyper)
        + hyper.classes**2 * weights @ weights.T
        + hyper.tasks**2 * together
        + hyper.noise**2 * torch.eye(len(labels), dtype=torch.float64)
    )


def score_of(graphs: Sequence[ArchGraph]) -> Tensor:
    """A number of each network."""
    return torch.tensor([float(sum(SPACE.canonical(graph).encode())) for graph in graphs])


@pytest.mark.parametrize("score", [None, score_of])
@pytest.mark.parametrize(("count", "tasks"), [(50, 20), (30, 60), (40, 1), (2, 2)])
def test_predictions_are_those_of_the_gaussian_of_all_labels(
    table: FeatureTable, count: int, tasks: int, score: NetworkScore | None
) -> None:
    labels, rng = draw_labels(count, tasks, seed=count), np.random.default_rng(1)
    model = fit_task_effects(table, GROUPS, labels, HYPER, score)
    asked, known = [*(SPACE.sample(rng) for _ in range(20)), *labels.graphs], list(labels.graphs)
    mean, deviation = model.predict(asked)

    along = torch.zeros(len(asked), dtype=torch.float64)
    if score is not None:
        labelled = score(list({SPACE.canonical(graph): graph for graph in known}.values())).double()
        along = HYPER.score * (score(asked).double() - labelled.mean()) / (float(labelled.std(correction=0)) or 1.0)
    of_labels = along[20:]
    precision = (label_covariance(table, labels, HYPER) + torch.outer(of_labels, of_labels)).inverse()
    cross = network_covariance(table, asked, known, HYPER) + torch.outer(along, of_labels)
    centre = float(labels.accuracy.mean())
    weighed = precision @ torch.from_numpy(labels.accuracy - centre)
    prior = network_covariance(table, asked, asked, HYPER).diagonal() + along.square()
    variance = prior - (cross @ precision * cross).sum(1)
    torch.testing.assert_close(mean, centre + cross @ weighed, rtol=0, atol=1e-4)
    torch.testing.assert_close(deviation, variance.sqrt(), rtol=0, atol=1e-3)

    classes = HYPER.classes**2 * share(labels).T @ weighed
    torch.testing.assert_close(model.difficulty(labels.classes), share(labels) @ classes, rtol=0, atol=1e-4)


def test_learned_deviations_maximise_the_density_of_the_labels(
    table: FeatureTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wide prior of the deviations; the density is that of the Gaussian of all labels, written out."""
    monkeypatch.setattr(task_effects, "DEVIATION", 100.0)
    labels = simulate(draw_labels(150, 60, seed=3), table, HYPER)
    found = fit_task_effects(table, GROUPS, labels).hyper

    def density(hyper: TaskHyper) -> float:
        of_labels = torch.distributions.MultivariateNormal(
            torch.zeros(len(labels)).double(), label_covariance(table, labels, hyper)
        )
        return float(of_labels.log_prob(torch.from_numpy(labels.accuracy - labels.accuracy.mean())))

    best = density(found)
    assert best >= density(HYPER)
    for name, value in zip(TaskHyper.__dataclass_fields__, astuple(found), strict=True):
        for factor in (0.8, 1.25):
            assert best > density(replace(found, **{name: value * factor})) - 1e-3, name


def test_known_effects_are_found(table: FeatureTable) -> None:
    labels = simulate(draw_labels(600, 300, seed=4), table, HYPER)
    found = fit_task_effects(table, GROUPS, labels).hyper
    assert found.noise == pytest.approx(HYPER.noise, rel=0.25)
    assert found.tasks == pytest.approx(HYPER.tasks, rel=0.25)
    assert found.classes == pytest.approx(HYPER.classes, rel=0.4)


def simulate(labels: TaskLabels, table: FeatureTable, hyper: TaskHyper) -> TaskLabels:
    """Accuracies drawn from the model."""
    root = torch.linalg.cholesky(label_covariance(table, labels, hyper) - LEVEL**2)
    noise = torch.randn(len(labels), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return replace(labels, accuracy=(70 + root @ noise).numpy())


def test_descriptions_of_one_network_share_their_value(table: FeatureTable) -> None:
    """The third edge leaves a node that nothing enters, so what stands there does not matter."""
    same = [
        SPACE.build(("none", "nor_conv_3x3", dead, "skip_connect", "none", "none")) for dead in ("none", "avg_pool_3x3")
    ]
    assert same[0] != same[1]
    labels = draw_labels(30, 10, seed=6)
    labels = replace(labels, graphs=(same[0], *labels.graphs[1:]))
    mean, deviation = fit_task_effects(table, GROUPS, labels, HYPER).predict(same)
    assert mean[0] == mean[1]
    assert deviation[0] == deviation[1]


def test_a_task_that_comes_twice_counts_twice(table: FeatureTable) -> None:
    """Under new numbers; under its old one it would say less, since its own effect would be shared."""
    labels = draw_labels(20, 5, seed=7)
    every = list(range(20))
    model, twice, joined = (
        fit_task_effects(table, GROUPS, some, HYPER)
        for some in (
            labels,
            labels.take(every + every, np.concatenate([labels.task, 1000 + labels.task])),
            labels.take(every + every),
        )
    )
    deviation = [one.predict(labels.graphs)[1].mean() for one in (twice, joined, model)]
    assert deviation[0] < deviation[1] < deviation[2]


def test_the_same_labels_in_any_order_give_the_same_model(table: FeatureTable) -> None:
    labels = draw_labels(40, 15, seed=8)
    models: list[TaskEffects] = [
        fit_task_effects(table, GROUPS, labels.take(order), HYPER)
        for order in (range(40), np.random.default_rng(0).permutation(40))
    ]
    torch.testing.assert_close(models[0].predict(labels.graphs), models[1].predict(labels.graphs))


def test_unknown_classes_are_of_mean_difficulty(table: FeatureTable) -> None:
    labels = draw_labels(30, 10, seed=9)
    model = fit_task_effects(table, GROUPS, labels, HYPER)
    assert model.difficulty(np.full((1, 4), CLASS_NUMBERS + 7)).tolist() == [0.0]
    assert float(model.difficulty(labels.classes).abs().max()) > 0


def test_too_few_labels_are_told(table: FeatureTable) -> None:
    with pytest.raises(InvalidOption, match="expected at least 2"):
        fit_task_effects(table, GROUPS, draw_labels(2, 2, seed=0).take([0]))
