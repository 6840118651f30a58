"""Labels: what a file holds is what is learned from, to the last bit, or the row that is wrong is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from archgen import labels as module
from archgen.campaign_folder import STORE
from archgen.labels import Labels, fit_predictor, read_labels
from archgen.session import open_campaign
from graphs.errors import InvalidOption, StoreError
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space
from graphs.spaces.nasbench201 import OPERATIONS, NasBench201
from predictors.additive import AdditivePredictor
from predictors.row_predictor import RowPredictor

SPACE = NasBench201()
CELLS = [SPACE.build((one, two) * 3) for one in OPERATIONS for two in OPERATIONS]
ARCHS = [SPACE.format(graph) for graph in CELLS]


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """`table(header, row, ...)` writes a file."""

    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


def test_numbers_keep_all_their_digits(table) -> None:
    values = np.random.default_rng(0).normal(90, 3, len(ARCHS)).tolist()
    path = table("arch,accuracy", *(f"{arch},{value!r}" for arch, value in zip(ARCHS, values, strict=True)))
    for found in (read_labels(path, SPACE), read_labels(str(path), SPACE)):
        assert found.graphs == tuple(CELLS)
        assert found.columns["accuracy"].tolist() == values


def test_only_columns_of_numbers_are_properties(table) -> None:
    """A spreadsheet's mark, a data frame's index, ids, notes and a number among notes."""
    path = table(
        ",arch, accuracy ,id,note,graph,latency",
        f"0,{ARCHS[0]},90.5,17,x,3, 1e1",
        f"1,{ARCHS[1]},91,18,5,4,2",
        f"2,{ARCHS[2]},92,19,,5,3",
        encoding="utf-8-sig",
    )
    found = read_labels(path, SPACE).columns
    assert {name: column.tolist() for name, column in found.items()} == {
        "accuracy": [90.5, 91, 92],
        "latency": [10, 2, 3],
    }


def test_an_architecture_may_be_measured_twice(table) -> None:
    path = table("arch,accuracy", *(f"{arch},{number % 7}" for number, arch in enumerate(ARCHS * 2)))
    found = read_labels(path, SPACE)
    assert found.graphs == tuple(CELLS * 2)
    mean, deviation = fit_predictor(layout_of(SPACE), found, "accuracy").predict(layout_of(SPACE).read(CELLS))
    assert bool(mean.isfinite().all())
    assert bool((deviation > 0).all())


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["arch,accuracy", f"{ARCHS[0]},1", f"{ARCHS[1]},nan"], "row 2: accuracy is 'nan', expected a finite number"),
        (["arch,accuracy", f"{ARCHS[0]},nan", f"{ARCHS[1]},nan"], "row 1: accuracy is 'nan'"),
        (["arch,accuracy", f"{ARCHS[0]},-inf", f"{ARCHS[1]},2"], "row 1: accuracy is '-inf'"),
        (["arch,accuracy", f"{ARCHS[0]},", f"{ARCHS[1]},2"], "row 1: accuracy is ''"),
        (["arch,a,accuracy", f"{ARCHS[0]},1,2", f"{ARCHS[1]},2"], "row 2: accuracy is missing"),
        (["arch,accuracy", f"{ARCHS[0]},1", f"{ARCHS[1]},2,3"], "row 2: more cells than the header's 2 columns"),
        (["arch,accuracy", f"{ARCHS[0]},1", "0012|gat|gcn|skip|fc,2"], "row 2: '0012|gat|gcn|skip|fc' is of space"),
        (["arch,accuracy", f"{ARCHS[0]},1", "none,2"], "row 2: nasbench201: cannot read 'none'"),
        (["arch,accuracy", f"{ARCHS[0]},1", ",2"], "row 2: nasbench201: cannot read ''"),
        (["arch,accuracy,accuracy", f"{ARCHS[0]},1,2"], "two columns are called 'accuracy'"),
        (["cell,accuracy", f"{ARCHS[0]},1"], "a column 'arch'"),
        (["arch,accuracy"], "at least one row"),
        ([""], "a column 'arch'"),
        (["arch,note", f"{ARCHS[0]},x"], "no column but 'arch' holds numbers"),
        (["arch,accuracy", f"{ARCHS[0]},1"], "1 labelled architectures; expected at least 2"),
    ],
)
def test_what_cannot_be_learned_from_is_named(table, lines: list[str], told: str) -> None:
    path = table(*lines)
    with pytest.raises(InvalidOption) as caught:
        read_labels(path, SPACE)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00arch")
    for name in ("missing.csv", "binary"):
        with pytest.raises(InvalidOption, match=f"{name}: cannot read labels"):
            read_labels(tmp_path / name, SPACE)
    with pytest.raises(StoreError, match="no campaign here"):
        read_labels(tmp_path, SPACE)


def test_a_campaign_gives_all_that_it_measured(tmp_path: Path) -> None:
    space = get_space("nas-bench-graph")
    with open_campaign(tmp_path, space=space.name, task="cora", strategy="random") as campaign:
        with pytest.raises(InvalidOption, match="0 labelled architectures"):
            read_labels(tmp_path, space)
        campaign.run(lambda graph: {"depth": len(graph.edges) / 3, "valid_accuracy": 0.1}, 5)
        done = campaign.history.done
    for path in (tmp_path, tmp_path / STORE):
        found = read_labels(path, space)
        assert found.graphs == tuple(trial.graph for trial in done)
        assert found.columns["depth"].tolist() == [len(graph.edges) / 3 for graph in found.graphs]
        assert found.columns["valid_accuracy"].tolist() == [0.1] * 5
    with pytest.raises(InvalidOption, match="a campaign on 'nas-bench-graph', expected labels of 'nasbench201'"):
        read_labels(tmp_path, SPACE)


def labelled(name: str, count: int, seed: int = 0) -> Labels:
    """Labels that add up over the nodes that are built."""
    space, rng = get_space(name), np.random.default_rng(seed)
    graphs = [space.sample(rng) for _ in range(count)]
    built = [space.network(graph).ops for graph in graphs]
    value = [sum(len(str(op)) % 7 + place * (len(str(op)) % 3) for place, op in enumerate(ops)) for ops in built]
    return Labels(tuple(graphs), {"value": torch.tensor(value, dtype=torch.float64)})


@pytest.mark.parametrize(("name", "kind"), [("nasbench201", RowPredictor), ("ofa-mobilenetv3", AdditivePredictor)])
def test_a_predictor_suits_the_space_and_learns_what_adds_up(name: str, kind: type) -> None:
    layout, seen, other = layout_of(get_space(name)), labelled(name, 200), labelled(name, 100, seed=1)
    found = fit_predictor(layout, seen, "value")
    assert isinstance(found, kind)
    rows, value = layout.read(other.graphs), other.columns["value"]
    mean, _ = found.predict(rows)
    assert float((mean - value).square().mean()) < 0.2 * float(value.var())
    assert torch.equal(mean, fit_predictor(layout, seen, "value").predict(rows)[0])


def test_many_labels_take_an_additive_predictor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FOR_GP", 30)
    for count, kind in ((30, RowPredictor), (31, AdditivePredictor)):
        assert isinstance(fit_predictor(layout_of(SPACE), labelled("nasbench201", count), "value"), kind)


def test_a_space_of_hundreds_of_slots_has_no_effects_of_pairs() -> None:
    found = fit_predictor(layout_of(get_space("synthetic-dag-32")), labelled("synthetic-dag-32", 4), "value")
    assert isinstance(found, AdditivePredictor)
    assert len(found.mean.weights) == sum(layout_of(get_space("synthetic-dag-32")).sizes)
