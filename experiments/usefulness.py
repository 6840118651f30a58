"""Is guidance useful? Twenty guided draws against twenty from other methods with the same labels and the same time.

    python experiments/usefulness.py --space ofa-mobilenetv3     # the tables of usefulness.md
    python experiments/usefulness.py --space ofa-mobilenetv3 --variants --first-seed 1000 --seeds 8    # what was chosen

For each seed a predictor learns accuracy from 100 measured architectures, and each method returns 20 new ones,
different networks that keep the bound (300 M MACs on ofa-mobilenetv3, none elsewhere):

- guided: draws of `archgen generate --maximize accuracy`, at the strength in `FIXED` and at the library's own;
- unguided: draws of the uniform law under the bound, and of a trained generator;
- best of unguided: as many uniform draws as guidance's time allows, the 20 that the predictor ranks highest, which is
  DiffusionNAG's baseline;
- mutations: one change to one of the 10 best measured architectures, at random, or the 20 that the predictor ranks
  highest of all such changes;
- evolution: regularised evolution on the predictor from measured and uniform architectures, on tensors, for guidance's
  time and for five times as long: the 20 that the predictor ranks highest of all that it saw;
- arg-max: what the predictor ranks highest of all, and what the judge does.

Time is CPU time of one thread; fitting the predictor and the tables of costs is in nobody's. The judge is the table
where there is one. On ofa-mobilenetv3 it is a Gaussian process of all measured subnets, which predicts held-out ones
better than the additive model; the second judge is Once-for-All's own accuracy predictor, which was trained on other
subnets, its mean on the measured ones made equal to theirs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archgen.additive_source import ExactAdditive
from archgen.diffusion.generator import CHUNK, DiffusionGenerator
from archgen.diffusion.listed_law import ListedLaw, all_rows
from archgen.diffusion.training import train_generator, usual_config
from archgen.guided import source_for
from archgen.labels import Labels, fit_predictor
from archgen.properties import known_costs
from archgen.row_costs import RowCost, row_cost
from archgen.wishes import By, Properties, Wish
from graphs.condition import Condition
from graphs.layout import Layout, layout_of
from graphs.spaces.catalogue import get_space
from graphs.spaces.ofa_mobilenetv3 import EXPANSIONS, KERNELS, LAYERS
from graphs.tables.catalogue import load_table
from graphs.tables.ofa_mobilenetv3 import load_subnets
from predictors.additive import AdditivePredictor
from predictors.encodings import Encodings
from predictors.slot_features import slot_features
from predictors.slot_gp import fit_slot_gp

RETURNED, LABELS, LEADERS = 20, 100, 10
POPULATION, CHILDREN, TOURNAMENT = 256, 64, 10
"""Of evolution; the best of six settings on seeds from 1000 on."""
KEPT = 200
"""Rows that a search by the predictor remembers, from which `RETURNED` new networks are taken."""
TASKS = {"nasbench201": ("cifar10", "test_accuracy"), "nas-bench-graph": ("cora", "valid_accuracy")}
SPACES = ("ofa-mobilenetv3", *TASKS)

Rows = Int[Tensor, "b s"]
Score = Callable[[Rows], Float[Tensor, " b"]]
Returned = tuple[Rows, int]
"""What a method returns, and how many rows were scored for it."""


@dataclass(frozen=True)
class Guidance:
    """Strength in nats per percent, the library's own unless given; `each`: every draw from a law of its own."""

    strength: float | None = None
    by: By = "mean"
    each: bool = False

    def __str__(self) -> str:
        laws = "a posterior draw each" if self.each else "one posterior draw" if self.by == "thompson" else self.by
        return f"{laws}, {'default strength' if self.strength is None else f'strength {self.strength:g}'}"


FIXED = {"ofa-mobilenetv3": Guidance(150.0), "nasbench201": Guidance(), "nas-bench-graph": Guidance()}
"""Chosen by `--variants` before seeds 0 to 19 were looked at."""
STRENGTHS = {
    "ofa-mobilenetv3": (60.0, 100.0, 150.0, 250.0, 500.0),
    "nasbench201": (2.0, 5.0, 10.0, 20.0, 50.0),
    "nas-bench-graph": (1.0, 2.0, 5.0),
}


@dataclass(frozen=True, eq=False)
class Problem:
    """A space, what was measured in it, and who judges; the first judge counts."""

    layout: Layout
    given: tuple[Condition, ...]
    costs: Mapping[str, RowCost]
    rows: Int[Tensor, "m s"]
    accuracy: Float[Tensor, " m"]
    judges: tuple[Score, ...]

    @cached_property
    def encodings(self) -> Encodings:
        """Shared between seeds, which spares looking at the same graphs again."""
        return Encodings(self.layout.space)

    @property
    def listed(self) -> bool:
        return self.layout.space.enumerable

    def allowed(self, rows: Rows) -> Bool[Tensor, " b"]:
        """Which rows are architectures that keep the bound."""
        good = self.layout.valid(rows)
        good[good.clone()] &= Properties(self.layout, self.costs, {}).kept(self.given, rows[good])
        return good

    def neighbours(self, rows: Rows) -> Rows:
        """All that is allowed and differs from one of the rows in at most one slot, each once."""
        found = []
        for slot, size in enumerate(self.layout.sizes):
            changed = rows.repeat_interleave(size, 0)
            changed[:, slot] = torch.arange(size).repeat(len(rows))
            found.append(changed)
        every = torch.unique(torch.cat(found), dim=0)
        return every[self.allowed(every)]


@dataclass(frozen=True, eq=False)
class Search:
    """One seed: what was measured, the predictor of it, and how to draw."""

    problem: Problem
    generator: DiffusionGenerator
    seed: int
    known: Int[Tensor, "m s"]
    accuracy: Float[Tensor, " m"]
    properties: Properties

    @staticmethod
    def start(problem: Problem, generator: DiffusionGenerator, seed: int) -> Search:
        chosen = np.random.default_rng(seed).choice(len(problem.rows), LABELS, replace=False)
        known, accuracy = problem.rows[chosen], problem.accuracy[chosen]
        labels = Labels(tuple(problem.layout.write(known)), {"accuracy": accuracy})
        predictor = fit_predictor(problem.layout, labels, "accuracy", problem.encodings)
        properties = Properties(problem.layout, problem.costs, {"accuracy": predictor})
        return Search(problem, generator, seed, known, accuracy, properties)

    def rng(self, salt: int) -> torch.Generator:
        return torch.Generator().manual_seed(1000 * self.seed + salt)

    def score(self, rows: Rows) -> Float[Tensor, " b"]:
        """What the predictor ranks by."""
        predictor = self.properties.predictors["accuracy"]
        return predictor.mean(rows) if isinstance(predictor, AdditivePredictor) else predictor.predict(rows)[0]

    @cached_property
    def leaders(self) -> Rows:
        """The best measured rows that keep the bound, best first."""
        order = self.accuracy.argsort(descending=True)
        return self.known[order][self.problem.allowed(self.known[order])][:LEADERS]

    @cached_property
    def measured(self) -> frozenset[str]:
        """The measured networks."""
        return frozenset(map(self.problem.layout.space.canonical, self.problem.layout.write(self.known)))

    def new(self, rows: Rows) -> Rows:
        """The first `RETURNED` of the rows that are different networks and were not measured."""
        found: dict[str, int] = {}
        for place, graph in enumerate(self.problem.layout.write(rows)):
            identity = self.problem.layout.space.canonical(graph)
            if identity not in self.measured:
                found.setdefault(identity, place)
            if len(found) == RETURNED:
                break
        return rows[list(found.values())]

    def until_new(self, batches: Iterator[Rows]) -> Rows:
        """`RETURNED` new rows, or what comes of some hundred batches."""
        found = next(batches)
        for _, more in zip(range(200), batches, strict=False):
            if len(found) >= RETURNED and len(self.new(found)) == RETURNED:
                break
            found = torch.cat([found, more])
        return self.new(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=SPACES, default=SPACES[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--variants", action="store_true", help="compare kinds of guidance with each other alone")
    parser.add_argument("--steps", type=int, default=300, help="training steps of the generator")
    parser.add_argument("--judged-by", type=int, help="measured subnets that the judge is fitted on, all unless given")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started, seconds = time.process_time(), list[float]()
    problem = load_listed(arguments.space) if arguments.space in TASKS else load_ofa(arguments.judged_by)
    generator = train_generator(problem.layout.space, usual_config(problem.layout, 0, arguments.steps))
    figures: dict[str, list[list[float]]] = {}
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    for seed in seeds:
        search = Search.start(problem, generator, seed)
        if arguments.variants:
            returned = {str(how): guided(search, how)[0] for how in variants(arguments.space)}
        else:
            returned, spent = one_seed(search, FIXED[arguments.space])
            seconds.append(spent)
        for method, (rows, scored) in returned.items():
            figures.setdefault(method, []).append([*judged(search, rows), scored])
    print(f"{arguments.space}, seeds {seeds[0]} to {seeds[-1]}:\n")
    print_table({method: np.array(rows) for method, rows in figures.items()}, len(problem.judges))
    if seconds:
        print(f"\nGuidance took {np.mean(seconds):.2f} s of CPU time a seed. {rates(search)}")
    print(f"\nAll took {time.process_time() - started:.0f} s of CPU time.")


def one_seed(search: Search, fixed: Guidance) -> tuple[dict[str, Returned], float]:
    """What each method returns, and the time that guidance took."""
    ours, spent = guided(search, fixed)
    draw = uniform(search)
    around = search.problem.neighbours(search.leaders)
    shuffled = around[torch.randperm(len(around), generator=search.rng(1))]
    returned = {
        f"guided: {fixed}": ours,
        f"guided: {Guidance()}": guided(search, Guidance())[0],
        "unguided, uniform law": (search.until_new(iter(lambda: draw(RETURNED), None)), 0),
        "unguided, generator": (search.until_new(learned(search)), 0),
        "best of unguided": best_of_unguided(search, draw, spent),
        "mutations, random": (search.new(shuffled), 0),
        "mutations, ranked": (search.new(around[search.score(around).argsort(descending=True)]), len(around)),
        "evolution": evolution(search, draw, spent),
        "evolution, 5 times as long": evolution(search, draw, 5 * spent),
        "arg-max of the predictor": argmax(search),
        "best measured": (search.leaders[:1], 0),
    }
    every = torch.cat([rows for rows, _ in returned.values()])
    return returned | {"arg-max of the judge": (climb(search.problem, every), 0)}, spent


def guided(search: Search, how: Guidance) -> tuple[Returned, float]:
    """Guided rows, and the time they took."""
    started = time.process_time()
    wish = Wish("accuracy", search.problem.given, how.strength, how.by)

    def batches() -> Iterator[Rows]:
        rng = search.rng(0)
        for law in count():
            source = source_for(search.generator, wish, search.properties, 1000 * search.seed + law)
            yield source.draw(1 if how.each else RETURNED, rng)[0]
            while not how.each:
                yield source.draw(RETURNED, rng)[0]

    rows = search.until_new(batches())
    return (rows, 0), time.process_time() - started


def variants(space: str) -> list[Guidance]:
    """Kinds of guidance to choose from; `lower` only where it is exact."""
    strengths = STRENGTHS[space]
    by: list[tuple[By, bool]] = [("thompson", False), ("thompson", True)]
    if space in TASKS:
        by.append(("lower", False))
    others = [Guidance(one, how, each) for how, each in by for one in ((None,) if space in TASKS else strengths[1::2])]
    return [Guidance(), *map(Guidance, strengths), *others]


def uniform(search: Search) -> Callable[[int], Rows]:
    """Draws from the uniform law under the bound."""
    problem, rng = search.problem, search.rng(2)
    if problem.listed:
        law = ListedLaw(problem.rows, torch.zeros(len(problem.rows), dtype=torch.float64))
        return lambda many: law.draw(many, rng)
    source = source_for(search.generator, Wish(given=problem.given), search.properties, search.seed)
    return lambda many: source.draw(many, rng)[0]


def learned(search: Search) -> Iterator[Rows]:
    """Draws of the generator that keep the bound."""
    for number in count():
        rows = torch.cat(list(search.generator.stream(CHUNK // 8, 1000 * search.seed + number)))
        yield rows[search.problem.allowed(rows)]


def best_of_unguided(search: Search, draw: Callable[[int], Rows], seconds: float) -> Returned:
    """The best of as many draws as the time allows."""
    draw(1)  # builds the law's tables, in nobody's time
    started, scored, best = time.process_time(), 0, Best(search)
    while time.process_time() - started < seconds:
        rows = draw(CHUNK)
        best.see(rows, search.score(rows))
        scored += len(rows)
    return search.new(best.rows), scored


def evolution(search: Search, draw: Callable[[int], Rows], seconds: float) -> Returned:
    """Regularised evolution (Real et al., AAAI 2019): the best of some have children, the oldest die."""
    started, rng, best = time.process_time(), search.rng(3), Best(search)
    sizes, every = torch.tensor(search.problem.layout.sizes), torch.arange(CHILDREN)
    alive = torch.cat([search.leaders, draw(POPULATION - len(search.leaders))])
    values, scored = search.score(alive), POPULATION
    best.see(alive, values)
    while time.process_time() - started < seconds:
        rivals = torch.randint(len(alive), (CHILDREN, TOURNAMENT), generator=rng)
        rows = alive[rivals.gather(1, values[rivals].argmax(1, keepdim=True))[:, 0]]
        slot = torch.randint(len(sizes), (CHILDREN,), generator=rng)
        step = 1 + (torch.rand(CHILDREN, generator=rng) * (sizes[slot] - 1)).long()
        rows[every, slot] = (rows[every, slot] + step) % sizes[slot]
        rows = rows[search.problem.allowed(rows)]
        scores, scored = search.score(rows), scored + len(rows)
        best.see(rows, scores)
        alive, values = torch.cat([alive, rows])[len(rows) :], torch.cat([values, scores])[len(rows) :]
    return search.new(best.rows), scored


class Best:
    """The `KEPT` best different rows of all that were seen, best first."""

    def __init__(self, search: Search) -> None:
        self.rows, self.scores = search.known[:0], search.accuracy[:0]

    def see(self, rows: Rows, scores: Float[Tensor, " b"]) -> None:
        good = scores > (self.scores[-1] if len(self.scores) == KEPT else -torch.inf)
        if bool(good.any()):
            every, values = torch.cat([self.rows, rows[good]]), torch.cat([self.scores, scores[good]])
            different, group = torch.unique(every, dim=0, return_inverse=True)
            value = values.new_empty(len(different)).scatter_(0, group, values)
            order = value.argsort(descending=True)[:KEPT]
            self.rows, self.scores = different[order], value[order]


def argmax(search: Search) -> Returned:
    """The rows that the predictor ranks highest in the whole space; one where that cannot be listed."""
    rows = search.problem.rows
    if search.problem.listed:
        return search.new(rows[search.score(rows).topk(KEPT).indices]), len(rows)
    source = source_for(search.generator, Wish("accuracy", search.problem.given, 1.0), search.properties, search.seed)
    assert isinstance(source, ExactAdditive)
    return source.law.argmax()[None], 0


def climb(problem: Problem, rows: Rows) -> Rows:
    """The best for the judge: in the whole space, or what one change after another reaches from the best of `rows`."""
    judge = problem.judges[0]
    if problem.listed:
        return problem.rows[judge(problem.rows).argmax()][None]
    best = rows[judge(rows).argmax()][None]
    while True:
        around = problem.neighbours(best)
        better = around[judge(around).argmax()][None]
        if not bool(judge(better) > judge(best)):
            return best
        best = better


def judged(search: Search, rows: Rows) -> list[float]:
    """For each judge the best of the rows, their mean, and the one that the predictor ranks first."""
    assert bool(search.problem.allowed(rows).all())
    first = search.score(rows).argmax()
    every = [judge(rows) for judge in search.problem.judges]
    return [float(one) for values in every for one in (values.max(), values.mean(), values[first])]


def print_table(table: Mapping[str, np.ndarray], judges: int) -> None:
    """Means and standard errors over the seeds; differences are to the first method with the same seed."""
    ours = next(iter(table.values()))
    second = ["second judge: best of 20", "guided less this"] if judges > 1 else []
    head = ["method", "best of 20", "guided less this", "mean of 20", "predictor's first", *second, "scored"]
    for cells in (head, ["---"] * len(head)):
        print("|", " | ".join(cells), "|")
    for method, numbers in table.items():
        cells = [method]
        for best in range(0, 3 * judges, 3):
            cells += [spread(numbers[:, best]), spread(ours[:, best] - numbers[:, best], "+")]
            cells += [f"{numbers[:, place].mean():.3f}" for place in (1, 2)] if best == 0 else []
        print("|", " | ".join([*cells, f"{numbers[:, -1].mean():,.0f}"]), "|")


def spread(values: np.ndarray, sign: str = "") -> str:
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{values.mean():{sign}.3f} ± {error:.3f}"


def rates(search: Search) -> str:
    """How quickly rows that keep the bound are drawn without guidance."""
    draw, drawn = uniform(search), learned(search)
    found = []
    for batch in (lambda: draw(CHUNK), lambda: next(drawn)):
        batch()
        started = time.process_time()
        found.append(len(batch()) / (time.process_time() - started))
    return (
        f"Unguided rows under the bound: {found[0]:,.0f}/s from the uniform law, {found[1]:,.0f}/s from the generator."
    )


def load_ofa(judged_by: int | None) -> Problem:
    """Once-for-All under 300 M MACs."""
    layout, subnets = layout_of(get_space("ofa-mobilenetv3")), load_subnets()
    rows, accuracy = layout.read(subnets.graphs), torch.from_numpy(subnets.top1)
    features = slot_features(layout.sizes, groups=layout.parts, shared=layout.alike, attributes=layout.attributes)
    judge = fit_slot_gp(features, rows[:judged_by], accuracy[:judged_by])
    other = once_for_all_predictor()
    shift = float((accuracy - other(rows)).mean())
    costs = {"macs": row_cost(layout, known_costs(layout.space, None)["macs"])}
    judges: tuple[Score, Score] = (lambda some: judge.predict(some)[0], lambda some: other(some) + shift)
    return Problem(layout, (Condition("macs", "<=", 300.0),), costs, rows, accuracy, judges)


def once_for_all_predictor() -> Callable[[Tensor], Tensor]:
    """The network that Once-for-All published: kernels, expansions and resolution to accuracy in percent."""
    path = Path(os.environ["ARCHGEN_DATA"]) / "ofa_hardware" / "ofa_mbv3_acc_predictor.pth"
    weights = list(torch.load(path, weights_only=True, map_location="cpu").values())
    marks = [[kernel == one for one in KERNELS] + [expand == one for one in EXPANSIONS] for kernel, expand in LAYERS]
    places = torch.tensor([*marks, [False] * len(marks[0])]).float()
    resolution = torch.eye(8)[(224 - 112) // 16]

    def predict(rows: Rows) -> Float[Tensor, " b"]:
        marked = places[rows]
        kernels, expansions = marked[..., : len(KERNELS)].flatten(1), marked[..., len(KERNELS) :].flatten(1)
        hidden = torch.cat([kernels, expansions, resolution.expand(len(rows), -1)], 1)
        for weight, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            hidden = torch.relu(hidden @ weight.T + bias)
        return 100 * (hidden @ weights[-2].T + weights[-1])[:, 0].double()

    return predict


def load_listed(name: str) -> Problem:
    """A benchmark whose table answers for every architecture."""
    layout, (task, metric) = layout_of(get_space(name)), TASKS[name]
    rows, table = all_rows(layout), load_table(name, task)
    accuracy = torch.tensor([table(graph)[metric] for graph in layout.write(rows)], dtype=torch.float64)
    radix = torch.tensor([*layout.sizes[1:], 1]).flip(0).cumprod(0).flip(0)
    known = accuracy.new_full((int(radix[0]) * layout.sizes[0],), torch.nan)
    known[rows @ radix] = accuracy
    return Problem(layout, (), {}, rows, accuracy, (lambda some: known[some @ radix],))


if __name__ == "__main__":
    main()
