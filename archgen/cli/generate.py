"""`archgen generate`: draw architectures from a trained generator into a file of JSON lines."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from archgen.diffusion.checkpoint import load_generator
from archgen.generation import Generation, generate
from archgen.wishes import By
from graphs.errors import InvalidOption


def run_generation(
    checkpoint: Path,
    count: int,
    seed: int,
    out: Path,
    maximize: str | None,
    given: list[str],
    labels: Path | None,
    task: str | None,
    strength: float | None,
    by: By,
    unique: bool,
    threads: int,
    as_json: bool,
) -> None:
    """`archgen generate`.

    Raises:
        InvalidOption, UnknownName: what cannot be wished for, before anything is written.
        CheckpointError: the generator cannot be used.
    """
    if threads < 1:
        raise InvalidOption(f"threads {threads}: expected at least 1")
    torch.set_num_threads(threads)
    generator = load_generator(checkpoint)
    wishes: dict[str, Any] = {"maximize": maximize, "given": given, "labels": labels, "task": task}
    generation = generate(generator, count, seed, **wishes, strength=strength, by=by, unique=unique)
    started = time.perf_counter()
    with _written(out) as file:
        totals = _write(generation, file)
    means = {name: total / count for name, total in totals.items()}
    found: dict[str, Any] = {
        "out": str(out),
        "space": generator.space.name,
        "count": count,
        "seed": seed,
        "how": generation.source.how,
        "kept_before_check": min(generation.shares),
        "graphs_per_second": count / (time.perf_counter() - started),
        "means": means,
    }
    if str(out) == "-":
        return
    if as_json:
        print(json.dumps(found))
        return
    print(f"{count:,} architectures of {generator.space.name} in {out}")
    print(f"  guidance {found['how']}, {found['graphs_per_second']:,.0f} a second")
    if given:
        print(f"  bounds   kept by all; {found['kept_before_check']:.1%} kept them before they were checked")
    for name, mean in means.items():
        print(f"  {name:<8} {mean:.4g} in the mean")


def _write(generation: Generation, file: TextIO) -> dict[str, float]:
    """One line an architecture; the sums of the properties' means."""
    totals = dict.fromkeys(generation.names, 0.0)
    space = generation.generator.space.name
    with Progress(
        TextColumn("drawing"),
        BarColumn(),
        TextColumn("{task.completed:,}/{task.total:,}"),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        bar = progress.add_task("drawing", total=generation.count)
        for number, one in enumerate(generation, start=1):
            file.write(json.dumps(one.as_dict(space), separators=(",", ":")) + "\n")
            for name, (mean, _) in one.properties.items():
                totals[name] += mean
            if number % 1000 == 0:
                progress.update(bar, completed=number)
    return totals


@contextmanager
def _written(out: Path) -> Iterator[TextIO]:
    """A file that is there whole or not at all; `-` is standard output."""
    if str(out) == "-":
        yield sys.stdout
        return
    if not out.parent.is_dir():
        raise InvalidOption(f"{out}: there is no folder {out.parent}; make it or choose another place")
    part = out.with_name(out.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        os.replace(part, out)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
