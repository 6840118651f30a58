"""Features of operations with attributes worked out by hand; other spaces keep the groups that they had."""

import numpy as np
import pytest

from graphs.spaces.attributed_dag import AttributedDag
from graphs.spaces.catalogue import get_space
from predictors.attributed_features import attribute_groups, name_groups
from predictors.encodings import LOCAL, PATHWISE, Encodings, terms_of
from predictors.features import View, wl_labels

SPACE = AttributedDag(
    "toy",
    "two operations that share an attribute",
    {"wide": {"bits": (1, 2, 4), "kind": ("a", "b")}, "deep": {"bits": (2, 4, 8, 16)}, "plain": {"one": (1,)}},
    input={"rate": (0.1, 0.2, 0.4), "norm": ("none", "batch")},
    output={"fixed": (1,)},
    most=3,
)
GRAPH = SPACE.parse(
    "input(norm=batch,rate=0.2);wide(bits=4,kind=a);deep(bits=2);plain(one=1);output(fixed=1)|0>1,0>3,1>2,2>4,3>4,0>4"
)
VIEW = View(GRAPH, GRAPH)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("input rate", {"rate": 0.0}),
        ("input norm", {"batch": 1}),
        ("node bits", {"bits=4": 1, "wide.bits=4": 1, "bits=2": 1, "deep.bits=2": 1}),
        ("node kind", {"kind=a": 1, "wide.kind=a": 1}),
        ("mean bits", {"all": -0.25, "first": 0.0, "last": -0.5}),
    ],
)
def test_attributes(group: str, expected: dict[str, float]) -> None:
    assert attribute_groups(SPACE)[group].features(VIEW) == expected


def test_attributes_of_one_value_have_no_group() -> None:
    assert set(attribute_groups(SPACE)) == {"input rate", "input norm", "node bits", "node kind", "mean bits"}


def test_names_alone() -> None:
    groups = name_groups({"wl1": wl_labels(1)})
    assert groups["wl1"].features(VIEW) == {"wide(deep)": 1, "deep(output)": 1, "plain(output)": 1}
    assert groups["worded wl1"].features(VIEW) == {"wide(kind=a)(deep)": 1, "deep(output)": 1, "plain(output)": 1}


def test_a_layer_without_the_attribute_counts_as_the_middle() -> None:
    graph = SPACE.parse("input(norm=none,rate=0.1);plain(one=1);output(fixed=1)|0>1,1>2")
    groups = attribute_groups(SPACE)
    assert groups["mean bits"].features(View(graph, graph)) == {"all": 0.0, "first": 0.0, "last": 0.0}
    assert groups["node bits"].features(View(graph, graph)) == {}


@pytest.mark.parametrize("name", ["nas-bench-graph", "nasbench201", "ofa-mobilenetv3"])
def test_other_spaces_keep_their_groups(name: str) -> None:
    encodings = Encodings(get_space(name))
    assert dict(encodings.groups) == {**LOCAL, **PATHWISE}
    assert terms_of(tuple(encodings.groups)) == (("shape", "along", "mixing"), (*LOCAL, *PATHWISE))


def test_networks_that_differ_in_one_attribute_are_nearer_than_others() -> None:
    space, rng = get_space("gnn"), np.random.default_rng(0)
    table = Encodings(space).table
    for _ in range(5):
        graph = space.sample(rng)
        near = next(
            one
            for one in space.neighbours(graph)
            if [op.name for op in one.ops] == [op.name for op in space.network(graph).ops]
        )
        rows = table.rows([graph, near, space.sample(rng)])[:, 0].numpy().astype(int)
        apart = sum(table.distance(name, rows[:1], rows[1:]) for name in table.names)
        assert 0 < apart[0, 0] < apart[0, 1] / 3
