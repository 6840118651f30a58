"""Speed and size of the graph generator beside what is asked of it and beside DiffusionNAG's network, in one run.

    python benchmarks/generator.py --space nasbench201
    python benchmarks/generator.py --space ofa-mobilenetv3 --part speed --checkpoint ofa.ckpt
    python benchmarks/generator.py --part nodes

`speed` trains a generator unless a checkpoint is given and draws: learned, exact, guided both ways, as rows of tensors
unless they are called graphs. Cold means that no prediction is remembered from an earlier draw. `nodes` measures
untrained networks on DAGs with free edges. Times are the best of three. Quality against the number of steps:
`python experiments/fidelity.py --curve`.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from archgen.diffusion.additive_law import AdditiveLaw, Part
from archgen.diffusion.checkpoint import load_generator
from archgen.diffusion.generator import FEW_STEPS, DiffusionGenerator
from archgen.diffusion.listed_law import ListedLaw, all_rows, tilted
from archgen.diffusion.predictions import Predictions
from archgen.diffusion.tilting import TiltConfig, tilt_generator
from archgen.diffusion.training import DiffusionModule, TrainingConfig, train_generator, usual_config, usual_size
from archgen.properties import known_costs
from archgen.row_costs import AdditiveCost, row_cost
from graphs.condition import parse_condition
from graphs.layout import Layout, layout_of
from graphs.spaces.catalogue import CELL_OPERATIONS, get_space
from graphs.spaces.free_dag import FreeDag
from graphs.spaces.ofa_mobilenetv3 import STAGES
from graphs.spaces.ofa_mobilenetv3_costs import fixed_costs, stage_costs
from graphs.spaces.ofa_mobilenetv3_layout import ABSENT, layer_choice

CAP = parse_condition("macs<=300")
"""The limit of an exact draw, in millions."""
DEVIATIONS = 2.0
"""Strength of guidance, per deviation of the cost that is made large."""
ENOUGH = 10.0
"""Seconds after which nothing is measured again."""
PAIRS = 1 << 18
"""Pairs of nodes in a batch whose time and memory are measured."""
MEASURES = ("forward, ms", "training step, ms", "draw, 6 steps, ms", "draw, MB", "training step, MB")
RATE, LIST = "graphs/s", "ArchGraphs/s"


@dataclass(frozen=True)
class Asked:
    """What is asked of a space's generator: graphs a second, parameters, seconds of training."""

    cost: str
    parameters: float
    training: float
    learned: float
    exact: float
    guided: float | None
    peer: tuple[int, int]
    """Nodes and operations of DiffusionNAG's network for the space."""


ASKED = {
    "nasbench201": Asked("params", 150_000, 60, 20_000, 100_000, 1 / 3, (8, 7)),
    "ofa-mobilenetv3": Asked("macs", 400_000, 300, 2_000, 200_000, None, (20, 9)),
}


@dataclass(frozen=True)
class Line:
    """One number and what was asked: `at_least` or `at_most` that."""

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        asked = [f"{sign} {short(limit)}" for sign, limit in ((">=", self.at_least), ("<=", self.at_most)) if limit]
        kept = self.value >= (self.at_least or -math.inf) and self.value <= (self.at_most or math.inf)
        verdict = yes(kept) if asked else ""
        return f"{self.what:<46} {short(self.value):>12} {self.unit:<14} {''.join(asked):<12} {verdict}".rstrip()


def main() -> None:
    options = parsed()
    torch.set_num_threads(options.threads)
    where = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    print(f"torch {torch.__version__}, {where}, {options.threads} thread(s), python {sys.version.split()[0]}")
    if options.part in ("speed", "all"):
        print(f"\n{options.space:<46} {'reached':>12} {'':<14} asked")
        for line in speed(options):
            print(line, flush=True)
    if options.part in ("nodes", "all"):
        print("\nfree edges, a graph, by nodes")
        for row in nodes(options):
            print(row, flush=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=list(ASKED), default="nasbench201")
    parser.add_argument("--checkpoint", type=Path, help="a trained generator of the space; trained here unless given")
    parser.add_argument("--part", choices=["speed", "nodes", "all"], default="all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda", "auto"], default="auto")
    parser.add_argument("--nodes", type=int, nargs="+", default=[8, 16, 24, 32, 48, 64], help="sizes of the graphs")
    parser.add_argument("--quick", action="store_true", help="tiny numbers, to see that it runs")
    options = parser.parse_args()
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    return options


def best_of(work: Callable[[], object], runs: int = 3) -> float:
    """The shortest wall time of a few calls, in seconds."""
    times: list[float] = []
    while len(times) < runs and sum(times) < ENOUGH:
        started = time.perf_counter()
        work()
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


def rate(what: str, count: int, work: Callable[[], object], unit: str = RATE, at_least: float | None = None) -> Line:
    return Line(what, count / best_of(work), unit, at_least)


def speed(options: argparse.Namespace) -> Iterable[Line]:
    """Lines on one space."""
    asked, quick = ASKED[options.space], options.quick
    generator = trained(options)
    layout, known = generator.layout, generator.provenance
    yield Line("parameters", size_of(generator.denoiser), at_most=asked.parameters)
    if "seconds" in known:
        yield Line(f"training, {known.get('steps')} steps", known["seconds"], "s", at_most=asked.training)
    if "bound" in known:
        yield Line("bound on -log p, above log N", known["bound"] - math.log(generator.space.size or 1), "nats")
    generator.denoiser.to(options.device)
    yield from learned(generator, asked, quick)
    yield from (exact_cell if generator.space.enumerable else exact_ofa)(layout, asked, 5_000 if quick else 1_000_000)
    yield from guided(generator, asked, options)
    yield from peer(asked, options.device, 4 if quick else 256)


def trained(options: argparse.Namespace) -> DiffusionGenerator:
    space = get_space(options.space)
    if options.checkpoint is not None:
        return load_generator(options.checkpoint, space)
    if not options.quick:
        return train_generator(space)
    rng = np.random.default_rng(0)
    return train_generator(space, TrainingConfig(steps=3), graphs=[space.sample(rng) for _ in range(256)])


def size_of(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def learned(generator: DiffusionGenerator, asked: Asked, quick: bool) -> Iterable[Line]:
    """Draws of the generator, in the usual steps and in others."""
    remembers = generator.space.enumerable
    usual = generator.usual_steps
    for count in (64,) if quick else (16_384, 100_000) if remembers else (8_192,):
        name = f"learned, {usual} steps, {count:,} rows"
        fresh = partial(drawn, generator, count, usual, fresh=True)
        yield rate(name + ", cold" * remembers, count, fresh, at_least=asked.learned)
        if remembers:
            drawn(generator, count, usual)
            yield rate(name + ", warm", count, partial(drawn, generator, count, usual), at_least=asked.learned)
    count = 64 if quick else 16_384 if remembers else 2_048
    for steps in () if remembers else (4, 8, 12):
        yield rate(f"learned, {steps} steps, {count:,} rows", count, partial(drawn, generator, count, steps))
    yield rate(f"learned, {usual} steps, {count:,} graphs", count, lambda: generator.sample(count, 0), LIST)


def drawn(generator: DiffusionGenerator, count: int, steps: int, fresh: bool = False) -> Tensor:
    predict = Predictions(generator.denoiser.eval()) if fresh else None
    return torch.cat(list(generator.stream(count, 0, steps=steps, predict=predict)))


def exact_cell(layout: Layout, asked: Asked, count: int) -> Iterable[Line]:
    """Draws of the uniform law on all rows and of one that is tilted."""
    rows, rng = all_rows(layout), torch.Generator().manual_seed(0)
    law = ListedLaw(rows, torch.zeros(len(rows), dtype=torch.float64))
    score = cost_of(layout, asked.cost)(rows)
    aim = tilted(law, score, DEVIATIONS / float(score.std()))
    yield rate(f"exact, {count:,} rows", count, lambda: law.draw(count, rng), at_least=asked.exact)
    least = None if asked.guided is None else asked.exact * asked.guided
    yield rate(f"exact, guided by {asked.cost}, {count:,} rows", count, lambda: aim.draw(count, rng), at_least=least)


def exact_ofa(layout: Layout, asked: Asked, count: int) -> Iterable[Line]:
    """Draws of the uniform law on all rows, and on those under a cap, each of which is looked at again."""
    cost, rng = cost_of(layout, CAP.name), torch.Generator().manual_seed(0)
    assert isinstance(cost, AdditiveCost)
    parts = tuple(
        Part(slots, rows, torch.zeros(len(rows)), table)
        for (slots, rows), table in zip(cost.parts, cost.tables, strict=True)
    )
    law = AdditiveLaw(parts, strength=0.0)
    capped = replace(law, cap=cost.bound(CAP), fixed_cost=cost.fixed)
    law.draw(1, rng)
    yield rate(f"exact, {count:,} rows", count, lambda: law.draw(count, rng), at_least=asked.exact)
    yield Line(f"exact, {CAP.text}, tables", best_of(lambda: replace(capped).draw(1, rng)), "s")
    capped.draw(1, rng)
    yield rate(f"exact, {CAP.text}, {count:,} rows", count, lambda: capped.draw(count, rng), at_least=asked.exact)
    macs = whole_macs(layout, capped.draw(count, rng))
    within = float((macs <= CAP.value * 1e6).double().mean())
    yield Line(f"exact, {CAP.text}, share within, to one MAC", within, at_least=1.0)


def whole_macs(layout: Layout, rows: Tensor) -> Tensor:
    """MACs of OFA rows in whole numbers, apart from the law's own tables."""
    total = torch.full((len(rows),), fixed_costs().macs)
    for stage, slots in zip(STAGES, layout.parts, strict=True):
        kinds, which = torch.unique(rows[:, list(slots)] @ 10 ** torch.arange(len(slots)), return_inverse=True)
        places = (kinds[:, None] // 10 ** torch.arange(len(slots)) % 10).tolist()
        layers = [[layer_choice(value) for value in values if value != ABSENT] for values in places]
        total += torch.tensor([stage_costs(stage, some).macs for some in layers])[which]
    return total


def cost_of(layout: Layout, name: str) -> Callable[[Tensor], Tensor]:
    return row_cost(layout, known_costs(layout.space, None)[name])


def guided(generator: DiffusionGenerator, asked: Asked, options: argparse.Namespace) -> Iterable[Line]:
    """Draws of a denoiser that is fine-tuned to make a cost large, weighted and resampled."""
    cell, count = generator.space.enumerable, 64 if options.quick else 16_384
    count = count if cell or options.quick else 2_048
    config = TiltConfig(steps=2, pool=256, rounds=1) if options.quick else TiltConfig()
    score = cost_of(generator.layout, asked.cost)
    strength = DEVIATIONS / float(score(drawn(generator, 512 if options.quick else 4_096, 6)).std())
    started = time.perf_counter()
    found = tilt_generator(generator, score, strength, config)
    yield Line(f"fine-tuning to more {asked.cost}", time.perf_counter() - started, "s")
    found.denoiser.to(options.device)
    least = None if asked.guided is None else asked.learned * asked.guided
    name = f"learned, guided by {asked.cost}, {count:,} rows"

    def cold() -> object:
        return list(replace(found, base=replace(generator), _known={}).stream(count, 0))

    yield rate(name + ", cold" * cell, count, cold, at_least=least)
    if cell:
        list(found.stream(count, 0))
        yield rate(name + ", warm", count, lambda: list(found.stream(count, 0)), at_least=least)
    yield Line("effective share of the draws", float(np.mean([share for _, share, _ in found.stream(count, 0)])))


class Peer(nn.Module):
    """DiffusionNAG's score network (arXiv 2305.16943), written anew for its time alone: 3.99 M untrained parameters.

    Args:
        nodes: of a graph, in a line.
        operations: of a node.
    """

    def __init__(self, nodes: int, operations: int, width: int = 64, layers: int = 12) -> None:
        super().__init__()
        self.read = nn.Linear(operations, width)
        self.time = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 8, 2 * width, dropout=0.0, batch_first=True) for _ in range(layers)
        )
        wide = layers * width
        self.head = nn.Sequential(
            nn.Linear(wide, 2 * wide),
            nn.ELU(),
            nn.Linear(2 * wide, 2 * wide),
            nn.ELU(),
            nn.Linear(2 * wide, operations),
        )
        self.register_buffer("place", waves(torch.arange(nodes), width), persistent=False)
        self.register_buffer("barred", torch.ones(nodes, nodes).triu(1).bool(), persistent=False)

    place: Tensor
    barred: Tensor

    def forward(self, graphs: Tensor, times: Tensor) -> Tensor:
        h = self.read(graphs) + self.place + self.time(waves(times, self.place.shape[-1]))[:, None]
        outputs = []
        for block in self.blocks:
            h = block(h, src_mask=self.barred)
            outputs.append(h)
        scores: Tensor = self.head(torch.cat(outputs, -1))
        return scores


def waves(numbers: Tensor, width: int) -> Tensor:
    """Sines and cosines of numbers at many frequencies."""
    angles = numbers[:, None] * torch.logspace(0, -4, width // 2, device=numbers.device)
    return torch.cat([angles.sin(), angles.cos()], -1)


def peer(asked: Asked, device: str, graphs: int, evaluations: int = 2_000) -> Iterable[Line]:
    """Its predictor-corrector sampler asks the network twice at each of 1,000 steps; no other work is counted."""
    network = Peer(*asked.peer).to(device).eval()
    states = torch.randn(graphs, *asked.peer, device=device)
    times = torch.rand(graphs, device=device)
    yield Line("DiffusionNAG's network, parameters", size_of(network))
    with torch.no_grad():
        network(states, times)
        seconds = best_of(lambda: network(states, times))
    yield Line(f"DiffusionNAG's network, {graphs} graphs, once", 1000 * seconds, "ms")
    yield Line(f"DiffusionNAG's network, {evaluations:,} times", graphs / seconds / evaluations, RATE)


def nodes(options: argparse.Namespace) -> Iterable[str]:
    """Time and memory a graph against its nodes, each size in a process of its own, and how steeply they grow."""
    pairs = 1 << 9 if options.quick else PAIRS
    measure = partial(measured, pairs=pairs, threads=options.threads, device=options.device)
    yield " " * 24 + "".join(f"{name:>18}" for name in MEASURES)
    found: list[tuple[float, ...]] = []
    for size in options.nodes:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found.append(pool.submit(measure, size).result())
        yield f"{size:<24}" + "".join(f"{short(value):>18}" for value in found[-1])
    if len(found) > 1:
        slopes = exponents(options.nodes, found)
        yield f"{'exponent, asked <= 2':<24}" + "".join(f"{f'{s:.2f}, ' + yes(s <= 2):>18}" for s in slopes)
        slopes = exponents(options.nodes[-2:], found[-2:])
        yield f"{f'from {options.nodes[-2]} to {options.nodes[-1]}':<24}" + "".join(f"{s:>18.2f}" for s in slopes)


def exponents(sizes: Sequence[int], found: Sequence[Sequence[float]]) -> list[float]:
    """The exponent of each measure as a power of the size, by least squares on the logarithms."""
    return [float(one) for one in np.polyfit(np.log(sizes), np.log(found), 1)[0]]


def measured(size: int, pairs: int, threads: int, device: str) -> tuple[float, ...]:
    """`MEASURES` at one size, in batches of so many pairs of nodes: a small graph alone would be all overhead."""
    torch.set_num_threads(threads)
    layout, batch = layout_of(FreeDag("nodes", size, None, CELL_OPERATIONS)), max(2, pairs // size**2)
    module = DiffusionModule(layout, usual_size(layout), usual_config(layout)).to(device)
    optimiser = torch.optim.AdamW(module.denoiser.parameters())
    hidden = layout.hidden[None]
    generator = DiffusionGenerator(layout.space, usual_size(layout), module.denoiser, hidden, torch.ones(1))

    def step(rows: Tensor) -> None:
        optimiser.zero_grad()
        module.bound(rows, torch.Generator().manual_seed(0)).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    step(drawn(generator, 2, 2).to(device))  # loads what is loaded once
    base = reset_memory(device)
    draw = best_of(lambda: drawn(generator, batch, FEW_STEPS))
    light = peak_memory(device) - base
    rows = drawn(generator, batch, FEW_STEPS).to(device)
    with torch.no_grad():
        forward = best_of(lambda: module.denoiser.eval()(rows))
    base = reset_memory(device)
    train = best_of(lambda: step(rows))
    heavy = peak_memory(device) - base
    return (
        *(1000 * one / batch for one in (forward, train, draw)),
        *(max(one, 1) / 1e6 / batch for one in (light, heavy)),
    )


def reset_memory(device: str) -> int:
    """Forget the peak; bytes in use now."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        with suppress(OSError, AttributeError):  # on Linux: give back what is free, then start the peak anew
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
    return peak_memory(device)


def peak_memory(device: str) -> int:
    """The most bytes in use since the last reset, or ever where the system cannot reset that."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def yes(kept: bool) -> str:
    return "yes" if kept else "NO"


def short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 or number == int(number) else f"{number:.3g}"


if __name__ == "__main__":
    main()
