"""`archgen train`: train a generator on unlabelled graphs of a space and keep it in one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from archgen.cli.out_file import STANDARD, require_place
from archgen.diffusion.checkpoint import save_generator
from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.training import train_generator, usual_config
from archgen.graph_file import read_graphs
from archgen.session import MOST_SEED
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space

CHECKED = 2_000
"""Unconstrained draws that tell how much of validity the network has learned."""


def run_training(
    space_name: str,
    out: Path,
    seed: int,
    steps: int | None,
    source: Path | None,
    distinct: Literal["network", "description"],
    threads: int,
    as_json: bool,
) -> None:
    """`archgen train`.

    Raises:
        InvalidOption, InvalidArchitecture: something in the arguments, before anything is trained.
        CheckpointError: the file cannot be written.
    """
    space = get_space(space_name)
    if threads < 1:
        raise InvalidOption(f"threads {threads}: expected at least 1")
    if not 0 <= seed <= MOST_SEED:
        raise InvalidOption(f"seed {seed}: expected a number from 0 to {MOST_SEED}")
    if source is not None and distinct == "network":
        raise InvalidOption("distinct network is for a whole space; leave it out where the graphs are given")
    require_place(out, source)
    if out == STANDARD or (out.exists() and not out.is_file()):
        raise InvalidOption(f"{out}: a checkpoint is a file; name one")
    graphs: Sequence[ArchGraph] | None = None if source is None else read_graphs(source, space)
    config = usual_config(layout_of(space), seed, steps)
    torch.set_num_threads(threads)
    columns = (TextColumn("training"), BarColumn(), TextColumn("{task.completed}/{task.total} steps"))
    shown = (*columns, TimeRemainingColumn(), TextColumn("{task.fields[loss]}"))
    console = Console(stderr=True)
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("training", total=None, loss="")

        def watch(step: int, total: int, loss: float) -> None:
            progress.update(bar, completed=step, total=total, loss=f"{loss:.3f} nats a slot")

        generator = train_generator(space, config, graphs=graphs, distinct=distinct, watch=watch)
    save_generator(generator, out)
    found = summarise(generator, seed)
    if as_json:
        print(json.dumps({"out": str(out), "space": space.name, "seed": seed, **found}))
        return
    print(f"{space.name}: {found['graphs']:,} graphs, {found['steps']} steps in {found['seconds']:.0f} s")
    print(f"  parameters   {found['parameters']:,}")
    print(f"  bound        {found['bound']:.3f} nats a graph")
    print(f"  raw validity {found['raw_validity']:.2%} of {CHECKED:,} draws without the space's rules; 100 % with them")
    print(f"generator: {out}")


def summarise(generator: DiffusionGenerator, seed: int) -> dict[str, int | float]:
    """Size, time, bound and unconstrained validity."""
    rows = torch.cat(list(generator.stream(CHECKED, seed, constrained=False)))
    return {
        "graphs": generator.provenance["graphs"],
        "steps": generator.provenance["steps"],
        "seconds": generator.provenance["seconds"],
        "parameters": sum(part.numel() for part in generator.denoiser.parameters()),
        "bound": generator.provenance["bound"],
        "raw_validity": float(generator.layout.valid(rows).double().mean()),
    }
