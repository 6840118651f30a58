"""Known facts about published data sets; what tasks of any graph obey; options that do not go together."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from gnn_search.data_sets import load_task, task_from_data
from gnn_search.task import GnnTask, Split
from graphs.errors import DataError, InvalidOption, UnknownName

pytestmark = pytest.mark.usefixtures("offline")
Ring = Callable[..., Data]

FACTS = [
    # Name, nodes, edges, features, classes, sizes of the parts: as PyG's documentation lists them.
    ("cora", 2708, 10556, 1433, 7, (140, 500, 1000)),
    ("CiteSeer", 3327, 9104, 3703, 6, (120, 500, 1000)),
    ("photo", 7650, 238162, 745, 8, (160, 240, 7250)),
    ("Cora_ML", 2995, 16316, 2879, 7, (140, 210, 2645)),
    ("minesweeper", 10000, 78804, 7, 2, (5000, 2500, 2500)),
]
LARGE_FACTS = [
    ("CS", 18333, 163788, 6805, 15, (300, 450, 17583)),
    ("physics", 34493, 495924, 8415, 5, (100, 150, 34243)),
    ("computers", 13752, 491722, 767, 10, (200, 300, 13252)),
    ("tolokers", 11758, 1038000, 10, 2, (5879, 2939, 2940)),
]


@pytest.fixture
def reference(offline: pytest.MonkeyPatch, data_dir: Path) -> None:
    """The raw files are known after all."""
    offline.setenv("ARCHGEN_DATA", str(data_dir))


def parts(task: GnnTask) -> tuple[Split, Split, Split]:
    return task.train, task.valid, task.test


def dense(x: Tensor) -> Tensor:
    return x if x.layout == torch.strided else x.to_dense()


def edge_set(edge_index: Tensor) -> set[tuple[int, ...]]:
    return set(map(tuple, edge_index.T.tolist()))


def same(one: GnnTask, other: GnnTask) -> bool:
    return all(
        torch.equal(a.items, b.items)
        and torch.equal(a.labels, b.labels)
        and torch.equal(a.graph.edge_index, b.graph.edge_index)
        and torch.equal(dense(a.graph.x), dense(b.graph.x))
        for a, b in zip(parts(one), parts(other), strict=True)
    )


def check_facts(fact: tuple[Any, ...]) -> None:
    name, nodes, edges, features, classes, sizes = fact
    task = load_task(name)
    graph = task.train.graph
    assert (graph.nodes, graph.edge_index.shape[1], graph.features, task.classes) == (nodes, edges, features, classes)
    assert tuple(len(part.items) for part in parts(task)) == sizes
    assert task.valid.graph is graph
    assert task.test.graph is graph
    assert len(torch.cat([part.items for part in parts(task)]).unique()) == sum(sizes)
    assert graph.x.dtype == torch.float32


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact[0])
def test_published_sizes_without_network(fact: tuple[Any, ...]) -> None:
    check_facts(fact)


@pytest.mark.slow
@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("fact", LARGE_FACTS, ids=lambda fact: fact[0])
def test_published_sizes_of_large_sets(fact: tuple[Any, ...]) -> None:
    check_facts(fact)


@pytest.mark.usefixtures("reference")
def test_enzymes_has_whole_graphs() -> None:
    task = load_task("ENZYMES")
    assert (task.kind, task.classes, task.train.graph.features) == ("graph", 6, 3)
    for part, per_class in zip(parts(task), (80, 10, 10), strict=True):
        assert part.graph.graph_of is not None
        assert torch.bincount(part.labels).tolist() == [per_class] * 6
        assert part.graph.graph_of.unique().tolist() == list(range(6 * per_class)) == part.items.tolist()
        assert bool((part.graph.graph_of.diff() >= 0).all())
        source, target = part.graph.edge_index
        assert torch.equal(part.graph.graph_of[source], part.graph.graph_of[target])
    assert sum(part.graph.nodes for part in parts(task)) == 19580


@pytest.mark.usefixtures("reference")
def test_words_are_sparse_and_sum_to_one() -> None:
    x = load_task("cora").train.graph.x
    assert x.layout == torch.sparse_csr
    torch.testing.assert_close(x.to_dense().sum(1), torch.ones(2708))
    assert set(load_task("cora", normalize=False).train.graph.x.values().tolist()) == {1.0}


@pytest.mark.usefixtures("reference")
def test_inductive_training_sees_nothing_unseen() -> None:
    whole, seen = load_task("cora"), load_task("cora", inductive=True)
    assert seen.train.graph.nodes == 2708 - 1500
    assert seen.valid.graph is seen.test.graph
    held_out = torch.cat([whole.valid.items, whole.test.items])
    kept = torch.ones(2708, dtype=torch.bool)
    kept[held_out] = False
    numbers = kept.nonzero().flatten()
    expected = {edge for edge in edge_set(whole.train.graph.edge_index) if kept[list(edge)].all()}
    assert edge_set(numbers[seen.train.graph.edge_index]) == expected
    assert torch.equal(dense(seen.train.graph.x), dense(whole.train.graph.x)[numbers])
    assert torch.equal(numbers[seen.train.items], whole.train.items)
    assert torch.equal(seen.train.labels, whole.train.labels)


@pytest.mark.usefixtures("reference")
def test_raw_files_are_read_in_place_of_the_named_folder(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ARCHGEN_DATA")
    monkeypatch.setenv("ARCHGEN_CACHE", str(tmp_path))
    assert load_task("cora", root=data_dir).train.graph.nodes == 2708
    made = [path.name for path in (tmp_path / "datasets" / "Planetoid").iterdir()]
    assert len(made) == 1
    assert made[0].startswith("Cora-copied-")
    with pytest.raises(DataError, match="PyG's raw files"):
        load_task("pubmed", root=data_dir)


def test_a_download_that_fails_says_where_files_may_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHGEN_DATA", str(tmp_path))
    monkeypatch.setenv("ARCHGEN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match=r"Planetoid:PubMed could not be downloaded.*Planetoid/PubMed/raw under"):
        load_task("pubmed")
    assert not list((tmp_path / "cache" / "datasets" / "Planetoid").iterdir())


def test_raw_files_that_are_cut_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    raw = tmp_path / "graphs" / "minesweeper" / "raw"
    raw.mkdir(parents=True)
    (raw / "minesweeper.npz").write_bytes(b"PK not an archive")
    os.chmod(raw / "minesweeper.npz", 0o444)
    monkeypatch.setenv("ARCHGEN_DATA", str(tmp_path))
    with pytest.raises(DataError, match="put the original raw files there"):
        load_task("minesweeper")


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("name", ["cora", "synthetic-sbm", "KarateClub"])
def test_pairs(name: str) -> None:
    nodes_task, task = load_task(name), load_task(name, kind="link")
    all_edges = edge_set(nodes_task.train.graph.edge_index)
    assert (task.classes, task.outputs, task.metric) == (2, 32, "auc")
    passing = edge_set(task.train.graph.edge_index)
    seen: set[tuple[int, ...]] = set()
    for part, share in zip(parts(task), (0.85, 0.05, 0.1), strict=True):
        ones, zeros = (edge_set(part.items[part.labels == label].T) for label in (1, 0))
        assert part.graph is task.train.graph
        assert len(ones) == len(zeros) == int(part.labels.sum()) == len(part.labels) // 2
        assert abs(len(ones) - share * len(all_edges) / 2) <= 1
        assert ones <= all_edges
        assert not zeros & all_edges
        assert not (ones | zeros) & seen
        seen |= ones | zeros
        assert (ones <= passing) if part is task.train else not ones & passing
    assert passing == {
        pair for one in edge_set(task.train.items[task.train.labels == 1].T) for pair in (one, one[::-1])
    }


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize(("name", "kind"), [("synthetic-sbm", "node"), ("synthetic-sbm", "link"), ("enzymes", "graph")])
def test_the_seed_decides(name: str, kind: Any) -> None:
    assert same(load_task(name, kind=kind, seed=3), load_task(name, kind=kind, seed=3))
    assert not same(load_task(name, kind=kind, seed=3), load_task(name, kind=kind, seed=4))


def test_masks_decide_for_every_seed(ring: Ring) -> None:
    one, other = (task_from_data("ring", ring(), seed=seed) for seed in (0, 1))
    assert same(one, other)
    assert one.train.items.tolist() == list(range(6))
    assert one.test.items.tolist() == [9, 10, 11]
    assert one.train.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_of_several_splits_the_first_is_taken(ring: Ring) -> None:
    masks = {
        name: torch.stack([ring()[name], ~ring()[name]], dim=1) for name in ("train_mask", "val_mask", "test_mask")
    }
    assert same(task_from_data("ring", ring(**masks)), task_from_data("ring", ring()))


def test_directed_edges_are_kept_on_request(ring: Ring) -> None:
    assert task_from_data("ring", ring()).train.graph.edge_index.shape[1] == 24
    assert task_from_data("ring", ring(), directed=True).train.graph.edge_index.shape[1] == 12


def test_a_node_without_edges_and_a_graph_without_edges(ring: Ring) -> None:
    edge_index = torch.tensor([[0], [1]])
    assert task_from_data("ring", ring(edge_index=edge_index)).train.graph.edge_index.tolist() == [[0, 1], [1, 0]]
    edge_index = torch.empty((2, 0), dtype=torch.long)
    assert task_from_data("ring", ring(edge_index=edge_index), inductive=True).train.graph.edge_index.shape == (2, 0)


def test_degrees_of_the_edges_that_a_part_may_see(ring: Ring) -> None:
    task = task_from_data("ring", ring(x=None), inductive=True)
    assert task.train.graph.x.to_dense().argmax(1).tolist() == [1, 2, 2, 2, 2, 1]
    assert task.test.graph.x.to_dense().argmax(1).tolist() == [2] * 12
    pairs = task_from_data("ring", ring(x=None, num_nodes=12), kind="link")
    degrees = torch.bincount(pairs.test.graph.edge_index[0], minlength=12)
    assert torch.equal(pairs.test.graph.x.to_dense().argmax(1), degrees)


def test_several_graphs_with_weights(ring: Ring) -> None:
    graphs = [ring(y=torch.tensor([i % 2]), edge_weight=torch.full((12,), 1.0 + i)) for i in range(8)]
    task = task_from_data("rings", graphs)
    assert task.kind == "graph"
    assert [len(part.items) for part in parts(task)] == [4, 2, 2]
    for part in parts(task):
        assert part.graph.graph_of is not None
        assert part.graph.edge_weight is not None
        means = [part.graph.edge_weight[part.graph.graph_of[part.graph.edge_index[0]] == i] for i in part.items]
        assert all(float(weights.std()) == 0 for weights in means)
        assert [int(weights[0] - 1) % 2 for weights in means] == part.labels.tolist()


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("coraa", "Did you mean 'cora'.*citeseer.*torch_geometric"),
        ("KarateClubb", "Did you mean 'KarateClub'"),
        ("TUDataset", "name one: 'TUDataset:NAME'"),
        ("KarateClub:x", "leave out ':x'"),
        ("TUDataset:../../etc", "letters, digits"),
        ("Planetoid/../x", "unknown data set"),
        ("arxiv", "ogb"),
        ("synthetic-sbm-many", "synthetic-sbm-20000"),
        ("Coauthor:biology", "Coauthor has no data set 'biology'"),
        ("SNAPDataset", "name one"),
        ("SuiteSparseMatrixCollection:x", "needs more than a name: group"),
    ],
)
def test_names_that_mean_nothing(name: str, match: str) -> None:
    with pytest.raises(UnknownName, match=match):
        load_task(name)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kind": "graph"}, "is one graph"),
        ({"kind": "link", "directed": True}, "leave directed out"),
        ({"kind": "link", "inductive": True}, "leave inductive out"),
        ({"seed": -1}, "at least 0"),
    ],
)
def test_options_that_do_not_go_together(ring: Ring, options: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidOption, match=match):
        task_from_data("ring", ring(), **options)


def test_more_options_that_cannot_be(ring: Ring) -> None:
    with pytest.raises(InvalidOption, match=r"3 graphs.*Batch\.from_data_list"):
        task_from_data("rings", [ring()] * 3, kind="node")
    with pytest.raises(DataError, match="no graph"):
        task_from_data("rings", [])
