"""generate: what is told of each architecture is true, the same arguments tell the same, and nothing comes twice."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import archgen
from archgen import generated, generation
from archgen.diffusion.checkpoint import save_generator
from archgen.diffusion.generator import CHUNK, DiffusionGenerator
from archgen.generated import Generated
from archgen.generation import generate
from archgen.labels import read_labels
from archgen.properties import known_costs
from archgen.session import MOST_SEED
from graphs.condition import parse_condition
from graphs.errors import InvalidArchitecture, InvalidOption, UnknownName
from graphs.graph_json import graph_from_dict
from graphs.spaces.catalogue import get_space

Untrained = Callable[..., DiffusionGenerator]
NAMES = ("nasbench201", "nas-bench-graph", "ofa-mobilenetv3", "free-dag")
LOW = "params<=0.09"
"""Few cells have so few parameters."""


def lines(found: Iterable[Generated]) -> list[str]:
    return [one.line for one in found]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """An accuracy of a few cells."""
    space = get_space("nasbench201")
    path, cells = tmp_path / "table.csv", list(space.enumerate())[::700]
    rows = [f"{space.format(cell)},{90 + space.costs(cell)['params']}" for cell in cells]
    path.write_text("\n".join(["arch,accuracy", *rows]))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_is_true(untrained: Untrained, name: str) -> None:
    generator, space = untrained(name), get_space(name)
    costs = known_costs(space, None)
    bounds = ("params<=6", "macs<=400") if name in ("nasbench201", "ofa-mobilenetv3") else ()
    asked = {parse_condition(bound).name for bound in bounds}
    found = list(generate(generator, 60, 3, given=bounds))
    assert len(found) == 60
    for one in found:
        space.check(one.graph)
        assert (one.space, one.arch, one.identity) == (name, space.format(one.graph), space.canonical(one.graph))
        assert dict(one.properties) == {cost: (costs[cost](one.graph), 0.0) for cost in asked}
        data = json.loads(one.line)
        assert data == one.as_dict()
        assert graph_from_dict(data.pop("graph")) == (one.graph, name)
        assert data == {
            "arch": one.arch,
            "id": one.identity,
            **{cost: {"mean": costs[cost](one.graph), "deviation": 0.0} for cost in asked},
        }


def test_an_unknown_task_is_refused(untrained: Untrained) -> None:
    with pytest.raises(UnknownName, match=r"'coar'\. Did you mean 'cora'"):
        generate(untrained("nas-bench-graph"), 20, 1, given="params<=0.6", task="coar")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_arguments_tell_the_same(untrained: Untrained, name: str) -> None:
    first = generate(untrained(name), 50, 7)
    told = lines(first)
    assert lines(first) == told == lines(generate(untrained(name), 50, 7))
    assert len(first.shares) == 1
    assert told != lines(generate(untrained(name), 50, 8))


def test_more_than_a_chunk(untrained: Untrained) -> None:
    found = generate(untrained("nasbench201"), CHUNK + 5, 1, given=LOW)
    told = lines(found)
    assert len(told) == CHUNK + 5
    assert len(found.shares) == 2
    assert told[:CHUNK] == lines(generate(untrained("nasbench201"), CHUNK, 1, given=LOW))


@pytest.mark.parametrize(("constant", "value"), [("MOST", 7), ("SMALL", -1.0)])
def test_memory_changes_nothing(
    untrained: Untrained, monkeypatch: pytest.MonkeyPatch, table: Path, constant: str, value: float
) -> None:
    """But for the last bits of predictions, which are made of other rows at once."""
    wishes: dict[str, Any] = {"given": (LOW, "macs>=5"), "labels": table, "maximize": "accuracy"}
    known = list(generate(untrained("nasbench201"), 300, 2, **wishes))
    assert len({one.arch for one in known}) < 300
    monkeypatch.setattr(generated, constant, value)
    for one, other in zip(known, generate(untrained("nasbench201"), 300, 2, **wishes), strict=True):
        assert (one.arch, one.identity, one.graph) == (other.arch, other.identity, other.graph)
        for name, told in one.properties.items():
            assert told == pytest.approx(other.properties[name], rel=1e-9)


def test_properties_of_labels_are_told_unasked(untrained: Untrained, table: Path) -> None:
    generator, space = untrained("nasbench201"), get_space("nasbench201")
    for labels in (table, str(table), read_labels(table, space)):
        found = list(generate(generator, 30, 1, labels=labels))
        assert all(set(one.properties) == {"accuracy"} for one in found)
        assert all(one.properties["accuracy"][1] > 0 for one in found)
    with pytest.raises(InvalidOption, match=r"row 1.*of space 'nasbench201', expected 'nas-bench-graph'"):
        generate(untrained("nas-bench-graph"), 30, 1, labels=table)


def test_a_property_may_be_maximised_within_a_bound_on_it(untrained: Untrained, table: Path) -> None:
    generator = untrained("nasbench201")
    wishes: dict[str, Any] = {"labels": table, "given": ["accuracy>=90.3", parse_condition("accuracy<=90.42")]}
    plain, pulled = (list(generate(generator, 400, 1, maximize=name, **wishes)) for name in (None, "accuracy"))
    means = [[one.properties["accuracy"][0] for one in found] for found in (plain, pulled)]
    assert all(90.3 <= mean <= 90.42 for found in means for mean in found)
    assert sum(means[1]) > sum(means[0])


def networks_below(bound: float) -> set[str]:
    space = get_space("nasbench201")
    return {space.canonical(graph) for graph in space.enumerate() if space.costs(graph)["params"] <= bound}


def test_all_networks_within_a_bound_come_once_and_no_more(untrained: Untrained) -> None:
    every = networks_below(0.09)
    assert 20 < len(every) < 1_000
    found = list(generate(untrained("nasbench201"), len(every), 4, given=LOW, unique=True))
    assert sorted(one.identity for one in found) == sorted(every)
    one_more = generate(untrained("nasbench201"), len(every) + 1, 4, given=LOW, unique=True)
    with pytest.raises(InvalidOption, match=f"only {len(every)} different networks came"):
        lines(one_more)


def test_a_strong_pull_to_few_networks_ends(untrained: Untrained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "BARREN", 2)
    strong = generate(untrained("nasbench201"), 2_000, 4, maximize="params", strength=1e4, unique=True)
    with pytest.raises(InvalidOption, match="weaken the strength"):
        lines(strong)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"count": 0}, "cannot draw 0 architectures"),
        ({"count": -4}, "cannot draw -4 architectures"),
        ({"seed": -1}, "seed -1"),
        ({"seed": MOST_SEED + 1}, "expected a number from 0"),
        ({"count": 4_931, "unique": True}, "only 4,930 different networks"),
        ({"given": "params<1"}, "use <="),
        ({"given": ["params<=1", "params>=2"]}, "params<=1 and params>=2"),
        ({"given": "params<=0.01"}, "the nearest that can be reached is params 0.073306"),
        ({"given": "params>=0.1", "labels": "nowhere.csv"}, "nowhere.csv: cannot read labels"),
        ({"maximize": "params", "strength": -1.0}, "positive"),
    ],
)
def test_what_cannot_be_generated_is_refused_before_anything_is_drawn(
    untrained: Untrained, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidOption, match=told):
        generate(untrained("nasbench201"), **{"count": 3, **options})


@pytest.mark.parametrize("wishes", [{"given": "parms<=1"}, {"maximize": "accuracy"}, {"maximize": ""}])
def test_an_unknown_property_is_refused(untrained: Untrained, wishes: dict[str, str]) -> None:
    with pytest.raises(UnknownName, match="unknown property"):
        generate(untrained("nasbench201"), 3, **wishes)


def test_a_row_that_breaks_the_space_never_gets_out(untrained: Untrained) -> None:
    """The layout refuses what is no architecture, whoever drew it."""

    class Broken:
        how = "broken"

        def draw(self, count: int, _rng: object) -> tuple[Any, float]:
            import torch

            return torch.full((count, 5), 8), 1.0  # all layers skip

    found = generate(untrained("nas-bench-graph"), 2)
    with pytest.raises((InvalidArchitecture, IndexError)):
        lines(replace(found, source=Broken()))


def test_three_lines_of_python(untrained: Untrained, table: Path, tmp_path: Path) -> None:
    save_generator(untrained("nasbench201"), tmp_path / "gen.ckpt")
    generator = archgen.load_generator(tmp_path / "gen.ckpt")
    labels = archgen.read_labels(table, generator.space)
    graphs = list(archgen.generate(generator, 3, seed=1, maximize="accuracy", given="params<=1.0", labels=labels))
    assert all(isinstance(one, archgen.Generated) and one.properties["params"][0] <= 1 for one in graphs)
    assert lines(graphs) == lines(
        generate(untrained("nasbench201"), 3, 1, maximize="accuracy", given=["params<=1"], labels=table)
    )
