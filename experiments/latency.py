"""Latency predictors on NAS-Bench-201's hardware tables and on networks measured on this machine.

    python experiments/latency.py tables
    python experiments/latency.py devices
    python experiments/latency.py transfer
    python experiments/latency.py measured measured.csv

`tables` says how noisy each column is, `devices` predicts each from 100 cells, `transfer` a new device from 10,
`measured` predicts what `experiments/latency_measurements.py` wrote.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from latency_runtimes import measured
from latency_scores import REFERENCES, Score, judged, print_scores
from torch import Tensor

from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.hardware import FILES, load_hardware, whole_milliseconds
from predictors.latency.features import LatencyFeatures
from predictors.latency.predictor import LatencyPredictor, fit_latency
from predictors.latency.transfer import choose_references, device_rows

KNOWN = (
    *("1080ti_1", "1080ti_32", "1080ti_256", "silver_4114", "silver_4210r", "samsung_a50", "pixel3"),
    *("essential_ph_1", "samsung_s7"),
)
"""HELP's devices for training; four more served its choices."""
UNSEEN = {"titan_rtx_256": 0.987, "gold_6226": 0.989, "pixel2": 0.802, "raspi4": 0.890, "eyeriss": 0.940, "fpga": 0.985}
"""HELP's devices for testing, with the Spearman correlations of its table 3."""
CHOICES = (*KNOWN, "titanx_1", "titanx_32", "titanx_256", "gold_6240")
"""Devices on which choices may be made: all of HELP's but those for testing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("tables", "devices", "transfer", "measured"))
    parser.add_argument("file", nargs="?", type=Path, help="what latency_measurements.py wrote")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0, help="choices are made on seeds from 1000 on")
    parser.add_argument("--labels", type=int, help="cells measured on a device: 100, of known devices 300, or 200")
    parser.add_argument("--only", nargs="+", help="columns, in place of all")
    parser.add_argument("--choose", action="store_true", help="transfer: settings, on devices that are not for testing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    started = time.process_time()
    if arguments.what == "measured":
        if arguments.file is None:
            parser.error("measured needs the file that latency_measurements.py wrote")
        measured(pd.read_csv(arguments.file), seeds, arguments.labels or 200)
    elif arguments.what == "tables":
        tables(arguments.only)
    elif arguments.what == "devices":
        devices(World.load(), arguments.only, seeds, arguments.labels or 100)
    else:
        transfer(World.load(), arguments.only, seeds, arguments.labels or 300, arguments.choose)
    print(f"\n{time.process_time() - started:.0f} s of one core")


@dataclass(frozen=True, eq=False)
class World:
    """The features of all cells, and what was measured of them."""

    sizes: tuple[int, ...]
    rows: Float[Tensor, "b d"]
    weighed: Sequence[Float[Tensor, "b _"]]
    columns: Mapping[str, Float[Tensor, " b"]]

    @staticmethod
    def load() -> World:
        table, features = load_hardware(), LatencyFeatures(NasBench201())
        columns = {name: torch.from_numpy(column) for name, column in all_columns().items()}
        rows = features(table.graphs)
        return World(features.sizes, rows, features.weighed(rows), columns)

    def fit(self, name: str, chosen: np.ndarray) -> LatencyPredictor:
        return fit_latency(self.sizes, self.rows[chosen], self.columns[name][chosen])

    def drawn(self, name: str, seed: int) -> np.ndarray:
        """The cells that a device has, in random order."""
        return np.random.default_rng(seed).permutation(np.flatnonzero(self.columns[name].isfinite().numpy()))


def all_columns() -> dict[str, Float[np.ndarray, " b"]]:
    """Latencies and energies; HW-NAS-Bench's columns that the other file has too are left out."""
    devices, bench = (load_hardware(file).columns for file in FILES)
    wanted = {name: column for name, column in bench.items() if "_latency_" in name or "_energy_" in name}
    again = {name for name in wanted if name.split("_")[0] in devices and name.endswith("latency_c10")}
    return dict(devices) | {name: column for name, column in wanted.items() if name not in again}


def tables(only: Sequence[str] | None) -> None:
    """How well a cell's twin, the same network with nodes 1 and 2 exchanged, tells its measurement."""
    left, right = twins()
    print("| column | cells | mean | whole ms | twins: Spearman | its root | twins within 10 % |\n" + "|---" * 7 + "|")
    for name, column in all_columns().items():
        if only is None or name in only:
            both = np.isfinite(column[left] * column[right])
            one, other = (torch.from_numpy(column[side][both]) for side in (left, right))
            score, whole = Score.of(one, other), "yes" if whole_milliseconds(column) else ""
            root = score.spearman**0.5
            cells = f"{name} | {np.isfinite(column).sum()} | {np.nanmean(column):.2f} | {whole}"
            print(f"| {cells} | {score.spearman:.3f} | {root:.3f} | {100 * score.close:.1f} % |")


def twins() -> tuple[np.ndarray, np.ndarray]:
    """Rows of cells without an operation from node 1 to node 2, and of what they are once the two are exchanged."""
    cells = [tuple(op.name for op in graph.ops[1:-1]) for graph in load_hardware().graphs]
    place = {cell: row for row, cell in enumerate(cells)}
    pairs = [(row, place[b, a, c, d, f, e]) for row, (a, b, c, d, e, f) in enumerate(cells) if c == "none"]
    left, right = np.array([pair for pair in pairs if pair[0] < pair[1]]).T
    return left, right


def devices(world: World, only: Sequence[str] | None, seeds: Sequence[int], labels: int) -> None:
    """Each column alone."""
    print(
        f"{labels} labels\n\n| column | Spearman | worst seed | within 10 % | inside 80 % intervals |\n"
        + "|---" * 5
        + "|"
    )
    for name in only or world.columns:
        found = [alone(world, name, seed, labels) for seed in seeds]
        print_scores(name, found)


def alone(world: World, name: str, seed: int, labels: int) -> Score:
    """Learned from some cells, judged on all others."""
    cells = world.drawn(name, seed)
    predictor = world.fit(name, cells[:labels])
    mean, deviation = predictor.predict(world.rows[cells[labels:]])
    noisy = (deviation.square() + predictor.noise**2).sqrt()
    return Score.of(mean, world.columns[name][cells[labels:]], noisy)


def transfer(world: World, only: Sequence[str] | None, seeds: Sequence[int], labels: int, choose: bool) -> None:
    """HELP's setting; and each device of its file from all devices of other families."""
    names = list(CHOICES) if choose else [*load_hardware().columns]
    known = {(name, seed): knowledge(world, name, seed, labels) for name in names for seed in seeds}
    head = "| device | Spearman | worst seed | within 10 % | inside 80 % intervals |"
    groups = {"HELP's known devices": (list(UNSEEN), list(KNOWN)), "devices of other families": (names, names)}
    if choose:
        groups = {"devices for choices, of other families": (names, names)}
    for title, (asked, others) in groups.items():
        beside = " HELP |" if asked == list(UNSEEN) else ""
        print(f"\n{title}, {labels} cells each\n\n{head}{beside}\n" + "|---" * (5 + bool(beside)) + "|")
        everything = []
        for name in asked if only is None else [name for name in asked if name in only]:
            base = [other for other in others if family(other) != family(name)]
            found = [new_device(world, [known[one, seed] for one in base], name, seed) for seed in seeds]
            everything += found
            print_scores(name, found, f" {UNSEEN[name]:.3f} |" if asked == list(UNSEEN) else "")
        print_scores("mean", everything, f" {np.mean(list(UNSEEN.values())):.3f} |" if asked == list(UNSEEN) else "")


def knowledge(world: World, name: str, seed: int, labels: int) -> Float[Tensor, " b"]:
    """The latencies of all cells on a device on which some were measured."""
    return world.fit(name, world.drawn(name, seed)[:labels]).predict(world.rows)[0]


def family(device: str) -> str:
    """Devices that differ in the batch, or are of one series, share the first part of their names."""
    return device.split("_")[0]


def new_device(world: World, known: Sequence[Tensor], name: str, seed: int) -> Score:
    """Ten cells of a new device, those that known devices say most about; judged on all others."""
    seen = device_rows(torch.stack(list(known), 1), world.weighed)
    cells = world.drawn(name, seed)
    references = cells[choose_references(seen.rows[cells], REFERENCES).numpy()]
    return judged(seen.sizes, seen.rows, world.columns[name], references, np.setdiff1d(cells, references))


if __name__ == "__main__":
    main()
