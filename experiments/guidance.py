"""Is guidance right? Drawn laws against the exactly tilted law, on spaces that can be listed.

    python experiments/guidance.py --space nasbench201
    python experiments/guidance.py --space nas-bench-graph

The target is p(x) exp(beta f(x)), f the measured accuracy in percent. For six betas: the total variation of exact draws
(the floor of sampling) and of the learned tilt, their means and distinct graphs. Then bounds on the exactly known
number of parameters, at the 1st and 10th percentile of the space, by the learned source and by the exact one.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.listed_law import ListedLaw, all_rows, tilted
from archgen.diffusion.tilting import TiltConfig, TiltedGenerator, tilt_generator
from archgen.diffusion.training import train_generator, usual_config
from archgen.learned_source import learned_source
from archgen.listed_source import listed_source
from archgen.wishes import Wish, gather_properties
from graphs.condition import Condition
from graphs.layout import Layout, layout_of
from graphs.spaces.catalogue import get_space
from graphs.tables.catalogue import load_table

STRENGTHS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
TASKS = {"nasbench201": ("cifar10", "test_accuracy"), "nas-bench-graph": ("cora", "valid_accuracy")}


class Listing:
    """All rows of a space, by number."""

    def __init__(self, layout: Layout) -> None:
        self.rows = all_rows(layout)
        ahead = torch.tensor([*layout.sizes[1:], 1]).flip(0).cumprod(0).flip(0)
        self._radix = ahead
        self._number = torch.full((int(ahead[0]) * layout.sizes[0],), -1)
        self._number[self.rows @ ahead] = torch.arange(len(self.rows))

    def numbers(self, rows: Int[Tensor, "b s"]) -> Int[Tensor, " b"]:
        return self._number[rows @ self._radix]

    def variation(self, rows: Int[Tensor, "b s"], p: Float[Tensor, " m"]) -> float:
        """Total variation between the rows' shares and p."""
        found = self.numbers(rows).bincount(minlength=len(p)).double() / len(rows)
        return float((found - p).abs().sum() / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=list(TASKS), default="nasbench201")
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--steps", type=int, help="training steps of the generator")
    parser.add_argument(
        "--tilt-steps", type=int, default=TiltConfig.steps, help="training steps of a round of the tilt"
    )
    parser.add_argument("--part", choices=("tilts", "bounds", "all"), default="all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space = get_space(arguments.space)
    started = time.perf_counter()
    generator = train_generator(space, usual_config(layout_of(space), arguments.seed, arguments.steps))
    bound = generator.provenance["bound"]
    print(f"{space.name}: generator trained in {time.perf_counter() - started:.0f} s, {bound} nats")
    if arguments.part != "bounds":
        tilts(generator, arguments.draws, arguments.tilt_steps, arguments.seed)
    if arguments.part != "tilts":
        bounds(generator, arguments.draws, arguments.seed)


def tilts(generator: DiffusionGenerator, draws: int, tilt_steps: int, seed: int) -> None:
    """The table of laws tilted by measured accuracy."""
    layout, listing = generator.layout, Listing(generator.layout)
    task, metric = TASKS[generator.space.name]
    table = load_table(generator.space.name, task)
    f = torch.tensor([table(graph)[metric] for graph in layout.write(listing.rows)], dtype=torch.float64)
    law = ListedLaw(listing.rows, torch.zeros(len(f), dtype=torch.float64))
    started = time.perf_counter()
    learned = tilt_generator(
        generator, lambda rows: f[listing.numbers(rows)], STRENGTHS[-1], TiltConfig(steps=tilt_steps, seed=seed)
    )
    print(f"tilt by {task} {metric} learned in {time.perf_counter() - started:.0f} s")
    print("beta   floor  exact  learned  effective  mean     (exact)  distinct (exact)  graphs/s")
    for strength in (0.0, *STRENGTHS):
        if strength > learned.strength:
            print(f"{strength:<5}  beyond {learned.strength:.2f}, the most that this tilt could be trained for")
            continue
        exact = tilted(law, f, strength)
        first, second = (exact.draw(draws, torch.Generator().manual_seed(one)) for one in (seed + 1, seed + 2))
        rows, share, rate = timed(learned, draws, strength, seed)
        distinct = [len(torch.unique(one, dim=0)) / draws for one in (rows, first)]
        print(
            f"{strength:<5}  {listing.variation(first, exact.probability):.4f} "
            f"{listing.variation(second, exact.probability):.4f} {listing.variation(rows, exact.probability):.4f}   "
            f"{share:<9.2f}  {float(f[listing.numbers(rows)].mean()):.3f}  ({exact.mean(f):.3f}) "
            f"{distinct[0]:.3f}    ({distinct[1]:.3f})  {rate:,.0f}",
            flush=True,
        )


def timed(learned: TiltedGenerator, draws: int, strength: float, seed: int) -> tuple[Tensor, float, float]:
    """Rows, effective share and rows a second."""
    started = time.perf_counter()
    chunks = list(learned.stream(draws, seed, strength=strength))
    rate = draws / (time.perf_counter() - started)
    return torch.cat([rows for rows, _, _ in chunks]), float(np.mean([share for _, share, _ in chunks])), rate


def bounds(generator: DiffusionGenerator, draws: int, seed: int) -> None:
    """Bounds on params at low percentiles of the space."""
    properties = gather_properties(generator.layout, ["params"], task=TASKS[generator.space.name][0])
    params, _ = properties.evaluate("params", all_rows(generator.layout))
    print("bound              source          kept before check  kept  graphs/s")
    for percentile in (1, 10):
        limit = float(np.percentile(params, percentile))
        wish = Wish(given=(Condition("params", "<=", limit),))
        for source in (
            learned_source(generator, wish, properties, seed),
            listed_source(all_rows(generator.layout), wish, properties, seed),
        ):
            started = time.perf_counter()
            rows, share = source.draw(draws, torch.Generator().manual_seed(seed))
            rate = draws / (time.perf_counter() - started)
            kept = float(properties.kept(wish.given, rows).double().mean())
            print(f"{wish.given[0].text:<18} {source.how:<15} {share:<18.1%} {kept:.0%}  {rate:,.0f}")


if __name__ == "__main__":
    main()
