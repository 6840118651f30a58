"""`archgen generate`: draw architectures from a trained generator into a file of JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from archgen.cli.out_file import STANDARD, require_place, written
from archgen.diffusion.checkpoint import load_generator
from archgen.generation import Generation, generate
from archgen.wishes import By
from graphs.errors import InvalidOption


@dataclass(frozen=True)
class Order:
    """What `archgen generate` was asked for; see `archgen.generation.generate` for most of it."""

    checkpoint: Path
    out: Path
    count: int
    seed: int
    maximize: str | None
    given: tuple[str, ...]
    labels: Path | None
    task: str | None
    strength: float | None
    by: By
    unique: bool
    threads: int


def run_generation(order: Order, as_json: bool) -> None:
    """`archgen generate`.

    Raises:
        InvalidOption, UnknownName: what cannot be wished for, before anything is written.
        CheckpointError: the generator cannot be used.
    """
    if order.threads < 1:
        raise InvalidOption(f"threads {order.threads}: expected at least 1")
    require_place(order.out, order.checkpoint, order.labels)
    torch.set_num_threads(order.threads)
    with _progress() as progress:
        generation = _prepare(order, progress)
        started = time.perf_counter()
        with written(order.out) as file:
            totals = _write(generation, file.write, progress)
        seconds = time.perf_counter() - started
    if order.out == STANDARD:
        return
    found: dict[str, Any] = {
        "out": str(order.out),
        "space": generation.generator.space.name,
        "count": order.count,
        "seed": order.seed,
        "how": generation.source.how,
        "kept_before_check": min(generation.shares),
        "graphs_per_second": round(order.count / seconds, 1),
        "means": {name: total / order.count for name, total in totals.items()},
    }
    if as_json:
        print(json.dumps(found))
        return
    print(f"{order.count:,} architectures of {found['space']} in {order.out}")
    print(f"  guidance {found['how']}, {found['graphs_per_second']:,.0f} a second")
    if order.given:
        print(f"  bounds   kept by all; {found['kept_before_check']:.1%} kept them before they were checked")
    for name, mean in found["means"].items():
        print(f"  {name:<8} {mean:.4g} in the mean")


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}/{task.total:,}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def _prepare(order: Order, progress: Progress) -> Generation:
    """The wish made ready, which may take the training of a learned source."""
    generator = load_generator(order.checkpoint)
    bar = progress.add_task("learning the wish, percent", total=100, visible=False)

    def watch(_round: int, reached: float, _best: float) -> None:
        progress.update(bar, completed=round(100 * reached), visible=True)

    generation = generate(
        generator,
        order.count,
        order.seed,
        maximize=order.maximize,
        given=order.given,
        labels=order.labels,
        task=order.task,
        strength=order.strength,
        by=order.by,
        unique=order.unique,
        watch=watch,
    )
    progress.remove_task(bar)
    return generation


def _write(generation: Generation, write: Callable[[str], object], progress: Progress) -> dict[str, float]:
    """One line an architecture; the sums of the properties' means."""
    totals = dict.fromkeys(generation.names, 0.0)
    bar = progress.add_task("drawing", total=generation.count)
    for number, one in enumerate(generation, start=1):
        write(one.line)
        for name, (mean, _) in one.properties.items():
            totals[name] += mean
        if number % 1000 == 0:
            progress.update(bar, completed=number)
    return totals
