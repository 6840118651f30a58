"""Is guidance useful where a space cannot be scored whole? Twenty subnets of Once-for-All MobileNetV3 under 300 M MACs.

    python experiments/usefulness.py --seeds 20

For each seed a predictor learns accuracy from 100 measured subnets, and every method returns 20 subnets under the cap:

- guided: draws of `archgen generate --maximize accuracy --given macs<=300`, the exact additive law of the mean;
- guided, thompson: the best of 20 laws' draws, each law of one function of the predictor's posterior;
- unguided: uniform draws under the cap;
- best of a pool: as many uniform draws under the cap as guidance's time allows, the 20 that the predictor ranks highest
  (DiffusionNAG's baseline);
- mutations: of the 20 best labelled subnets, one change each, repeated until it keeps the cap;
- evolution: regularised evolution on the predictor for the same time, its 20 best.

The judge is a Gaussian process fitted on all measured subnets. "top-1" is the best judged of the 20; "mean" their mean;
"predicted" what the method's own predictor says of the 20.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.additive_law import AdditiveLaw, Part, strength_for_kl
from archgen.labels import Labels, fit_predictor
from archgen.properties import Condition, known_costs
from archgen.row_costs import AdditiveCost, row_cost
from archgen.sources import SHARPNESS
from graphs.layout import Layout, layout_of
from graphs.spaces.catalogue import get_space
from graphs.tables.ofa_mobilenetv3 import Subnets, load_subnets
from predictors.additive import AdditivePredictor
from predictors.additive_function import AdditiveFunction
from predictors.slot_features import slot_features
from predictors.slot_gp import fit_slot_gp

CAP = Condition("macs", "<=", 300.0)
RETURNED = 20
POPULATION, TOURNAMENT = 100, 25
BATCH = 32
"""Children of evolution scored at once."""


@dataclass(frozen=True)
class World:
    """The space, its exact MACs and the measured subnets."""

    layout: Layout
    macs: AdditiveCost
    subnets: Subnets
    rows: Int[Tensor, "m s"]

    @staticmethod
    def load() -> World:
        layout, subnets = layout_of(get_space("ofa-mobilenetv3")), load_subnets()
        macs = row_cost(layout, known_costs(layout.space, None)["macs"])
        assert isinstance(macs, AdditiveCost)
        return World(layout, macs, subnets, layout.read(subnets.graphs))

    def law(self, function: AdditivePredictor | AdditiveFunction | None, strength: float = 0.0) -> AdditiveLaw:
        """Uniform under the cap, or tilted by what adds up over the stages."""
        parts = []
        for (slots, rows), macs in zip(self.macs.parts, self.macs.tables, strict=True):
            score = torch.zeros(len(rows)).double() if function is None else function.part_score(slots, rows)
            parts.append(Part(slots, rows, score, macs))
        return AdditiveLaw(tuple(parts), strength, cap=self.macs.bound(CAP), fixed_cost=self.macs.fixed)

    def kept(self, rows: Int[Tensor, "b s"]) -> Tensor:
        return self.macs(rows) <= CAP.value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--judged-by", type=int, default=0, help="measured subnets the judge is fitted on; 0 is all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    world = World.load()
    judge = fit_judge(world, arguments.judged_by or len(world.rows))
    found: dict[str, list[list[float]]] = {}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for name, (rows, predicted, looked_at) in one_seed(world, seed, arguments.labels).items():
            assert bool(world.kept(rows).all())
            judged = judge(rows)
            figures = [float(judged.max()), float(judged.mean()), float(predicted.mean()), looked_at]
            found.setdefault(name, []).append(figures)
    table: dict[str, np.ndarray] = {name: np.array(rows) for name, rows in found.items()}
    print(f"{'method':<18} top-1            mean     predicted  looked at   guided less this, top-1")
    for name, numbers in table.items():
        mean, error = numbers.mean(0), numbers.std(0, ddof=1) / len(numbers) ** 0.5
        gap = table["guided"][:, 0] - numbers[:, 0]
        print(
            f"{name:<18} {mean[0]:.3f} +- {error[0]:.3f}  {mean[1]:.3f}   {mean[2]:.3f}    {mean[3]:>10,.0f}  "
            f"{gap.mean():+.3f} +- {gap.std(ddof=1) / len(gap) ** 0.5:.3f}"
        )


def one_seed(world: World, seed: int, count: int) -> dict[str, tuple[Tensor, Tensor, float]]:
    """For each method its 20 rows, what the predictor says of them, and how many rows it looked at."""
    chosen = np.random.default_rng(seed).choice(len(world.rows), count, replace=False)
    top1 = torch.from_numpy(world.subnets.top1[chosen])
    labels = Labels(tuple(world.subnets.graphs[place] for place in chosen), {"accuracy": top1})
    predictor = fit_predictor(world.layout, labels, "accuracy")
    assert isinstance(predictor, AdditivePredictor)
    rng = torch.Generator().manual_seed(seed)

    started = time.perf_counter()
    law = world.law(predictor)
    law = replace(law, strength=strength_for_kl(law, SHARPNESS * law.log_count))
    guided = law.draw(RETURNED, rng)
    budget = time.perf_counter() - started

    functions = [predictor.draw_effects(seed * RETURNED + one) for one in range(RETURNED)]
    thompson = torch.cat([world.law(one, law.strength).draw(1, rng) for one in functions])
    uniform = world.law(None)
    labelled = world.rows[chosen]
    start = torch.cat([labelled[world.kept(labelled)], uniform.draw(POPULATION, rng)])[:POPULATION]
    pool, seen = best_of_pool(uniform, predictor.mean, budget, rng)
    evolved, scored = evolve(world, predictor.mean, start, budget, rng)
    leaders = labelled[top1.argsort(descending=True)[:RETURNED]]
    returned: dict[str, tuple[Tensor, float]] = {
        "guided": (guided, RETURNED),
        "guided, thompson": (thompson, RETURNED),
        "unguided": (uniform.draw(RETURNED, rng), RETURNED),
        "best of a pool": (pool, seen),
        "mutations": (mutated(world, leaders, rng), RETURNED),
        "evolution": (evolved, scored),
    }
    return {name: (rows, predictor.predict(rows)[0], seen) for name, (rows, seen) in returned.items()}


def best_of_pool(
    law: AdditiveLaw, score: Callable[[Tensor], Tensor], budget: float, rng: torch.Generator
) -> tuple[Int[Tensor, "20 s"], float]:
    """The best of as many draws as the time allows, and how many those were."""
    started, seen = time.perf_counter(), 0
    best = law.draw(RETURNED, rng)
    while time.perf_counter() - started < budget:
        rows = torch.unique(torch.cat([best, law.draw(4096, rng)]), dim=0)
        best, seen = rows[score(rows).topk(RETURNED).indices], seen + 4096
    return best, float(seen)


def evolve(
    world: World, score: Callable[[Tensor], Tensor], start: Tensor, budget: float, rng: torch.Generator
) -> tuple[Int[Tensor, "20 s"], float]:
    """Regularised evolution (Real et al. 2019) with children in batches: the oldest leave."""
    started, seen = time.perf_counter(), 0
    population, values = start, score(start)
    best, best_values = population, values
    while time.perf_counter() - started < budget:
        rivals = torch.randint(len(population), (BATCH, TOURNAMENT), generator=rng)
        parents = population[rivals.gather(1, values[rivals].argmax(1, keepdim=True))[:, 0]]
        children = mutated(world, parents, rng)
        scores, seen = score(children), seen + BATCH
        population, values = torch.cat([population, children])[BATCH:], torch.cat([values, scores])[BATCH:]
        best = torch.unique(torch.cat([best, children]), dim=0)
        best_values = score(best)
        order = best_values.argsort(descending=True)[:RETURNED]
        best = best[order]
    return best[:RETURNED], float(seen)


def mutated(world: World, rows: Int[Tensor, "b s"], rng: torch.Generator) -> Int[Tensor, "b s"]:
    """One slot of each row changed, such that the row is valid and keeps the cap."""
    found, left = rows.clone(), torch.arange(len(rows))
    sizes = torch.tensor(world.layout.sizes)
    while len(left):
        slot = torch.randint(len(sizes), (len(left),), generator=rng)
        value = (torch.rand(len(left), generator=rng) * sizes[slot]).long()
        child = rows[left].clone()
        child[torch.arange(len(left)), slot] = value
        good = world.layout.valid(child) & (child != rows[left]).any(1)
        good[good.clone()] &= world.kept(child[good])
        found[left[good]] = child[good]
        left = left[~good]
    return found


def fit_judge(world: World, count: int) -> Callable[[Int[Tensor, "b s"]], Float[Tensor, " b"]]:
    """A Gaussian process on `count` of the measured subnets."""
    layout = world.layout
    features = slot_features(layout.sizes, groups=layout.parts, shared=layout.alike, attributes=layout.attributes)
    judge = fit_slot_gp(features, world.rows[:count], torch.from_numpy(world.subnets.top1[:count]))
    return lambda rows: judge.predict(rows)[0]


if __name__ == "__main__":
    main()
