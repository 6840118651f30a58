"""Measure small NAS-Bench-201 networks on this machine, on two devices: eager PyTorch and ONNX Runtime.

    python experiments/latency_measurements.py --out measured.csv
    python experiments/latency_measurements.py --out measured.csv --runtimes eager --threads 1 2

Every network is measured in several passes over all networks, so that a slow spell of the machine hits few passes of
each. A row is one pass of one network on one runtime: the median of its runs. `latency.py measured` reads the file.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from graphs.archgraph import ArchGraph
from graphs.networks.nasbench201 import CellNetwork, ResidualBlock
from graphs.spaces.nasbench201 import NasBench201
from predictors.latency.lookup import BlockTable
from predictors.latency.measure import RUNTIMES, Measurement, measure, prepare, this_device, timed

CHANNELS, CELLS = 16, 1
"""Of the first stage, and of each stage."""
IMAGE = (1, 3, 32, 32)
WARMUP, REPEATS = 3, 15
"""Runs of a network in one pass."""
BLOCK_WARMUP, BLOCK_REPEATS = 20, 200
LOOKUP = "lookup"
"""In place of a pass's number: the sum over the blocks, each measured alone."""
COLUMNS = ("runtime", "arch", "pass", "milliseconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--graphs", type=int, default=400, help="networks, drawn by chance, each cell once")
    parser.add_argument("--passes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runtimes", nargs="+", default=list(RUNTIMES), choices=RUNTIMES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1], help="each number is a device of its own")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    graphs, images = draw(arguments.graphs, arguments.seed), torch.randn(IMAGE)
    networks = [CellNetwork(graph, channels=CHANNELS, cells=CELLS) for graph in graphs]
    names, started = [NasBench201().format(graph) for graph in graphs], time.perf_counter()
    with arguments.out.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for runtime, threads in itertools.product(arguments.runtimes, arguments.threads):
            print(this_device(runtime, threads), flush=True)
            device = runtime if threads == 1 else f"{runtime}, {threads} threads"
            columns = dict(enumerate(passes(networks, images, runtime, threads, arguments.passes)))
            for kind, milliseconds in [*columns.items(), (LOOKUP, look_up(networks, images, runtime, threads))]:
                pairs = zip(names, milliseconds, strict=True)
                rows.writerows([device, name, kind, f"{value:.6f}"] for name, value in pairs)
            print(f"{device}: done after {time.perf_counter() - started:.0f} s", flush=True)


def draw(count: int, seed: int) -> list[ArchGraph]:
    """Different cells, uniformly."""
    space, rng, found = NasBench201(), np.random.default_rng(seed), dict[ArchGraph, None]()
    while len(found) < count:
        found[space.sample(rng)] = None
    return list(found)


def passes(networks: Sequence[nn.Module], images: Tensor, runtime: str, threads: int, count: int) -> list[list[float]]:
    """A list a pass of one number a network, in milliseconds."""
    runs = [prepare(network, [images], runtime, threads) for network in networks]
    return [[1000 * float(np.median(timed(run, threads, WARMUP, REPEATS))) for run in runs] for _ in range(count)]


def look_up(networks: Sequence[nn.Module], images: Tensor, runtime: str, threads: int) -> list[float]:
    """Each network's latency as a sum over its blocks, in milliseconds."""

    def alone(module: nn.Module, inputs: Sequence[Tensor]) -> Measurement:
        return measure(module, inputs, runtime=runtime, threads=threads, warmup=BLOCK_WARMUP, repeats=BLOCK_REPEATS)

    table = BlockTable(is_block, alone)
    found = [1000 * table(network, [images]) for network in networks]
    print(f"{runtime}: {len(table.blocks)} blocks")
    return found


def is_block(name: str, module: nn.Module) -> bool:
    """Operations of cells, and what stands outside the cells."""
    inside = name.split(".")[-2:-1] == ["operations"]
    return inside or name in ("stem", "last", "head") or isinstance(module, ResidualBlock)


if __name__ == "__main__":
    main()
