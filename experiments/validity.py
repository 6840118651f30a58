"""Is every returned graph valid, and how much of that has the network learned?

    python experiments/validity.py --space nasbench201 --draws 100000
    python experiments/validity.py --space synthetic-dag-16 --steps 6000 --raw 2000 --raw-steps 24 64 136

Trains a generator as `archgen train` does, draws, and asks `SearchSpace.check` of every graph; then draws without the
space's rules, which judges the network alone, in its usual number of denoising steps and in others.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from archgen.diffusion.checkpoint import load_generator, save_generator
from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.training import train_generator, usual_config
from graphs.errors import InvalidArchitecture
from graphs.layout import layout_of
from graphs.spaces.catalogue import SPACES, get_space


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", action="append", choices=list(SPACES), help="all unless given")
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--raw", type=int, default=10_000, help="draws without the space's rules")
    parser.add_argument("--raw-steps", type=int, nargs="*", default=[], help="numbers of denoising steps for those")
    parser.add_argument("--steps", type=int, help="training steps, the space's usual number unless given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the generators; one that is there is used again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("space              parameters  trained in  denoising steps  valid               raw validity  graphs/s")
    for name in arguments.space or SPACES:
        generator = trained(name, arguments.steps, arguments.seed, arguments.keep)
        started = time.perf_counter()
        valid = sum(count_valid(generator, rows) for rows in generator.stream(arguments.draws, arguments.seed + 1))
        rate = arguments.draws / (time.perf_counter() - started)
        raw = raw_validity(generator, arguments.raw, arguments.seed + 2, generator.usual_steps)
        size = sum(part.numel() for part in generator.denoiser.parameters())
        print(
            f"{name:<18} {size:>10,}  {generator.provenance['seconds']:>8.0f} s  {generator.usual_steps:>15}  "
            f"{valid:>8,} / {arguments.draws:<8,} {raw:>12.2%}  {rate:>8,.0f}",
            flush=True,
        )
        for steps in arguments.raw_steps:
            raw = raw_validity(generator, arguments.raw, arguments.seed + 2, steps)
            print(f"{name:<18} in {steps} steps without the rules: {raw:.2%} valid", flush=True)


def trained(name: str, steps: int | None, seed: int, keep: Path | None) -> DiffusionGenerator:
    """A generator of the space, kept in the folder if there is one."""
    space = get_space(name)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{name}.ckpt" if keep is not None else None
    if path is not None and path.exists():
        return load_generator(path)
    generator = train_generator(space, usual_config(layout_of(space), seed, steps))
    if path is not None:
        save_generator(generator, path)
    return generator


def raw_validity(generator: DiffusionGenerator, draws: int, seed: int, steps: int) -> float:
    """The share of valid rows among those that are drawn without the space's rules."""
    rows = torch.cat(list(generator.stream(draws, seed, steps=steps, constrained=False)))
    return float(generator.layout.valid(rows).double().mean())


def count_valid(generator: DiffusionGenerator, rows: torch.Tensor) -> int:
    """How many rows are graphs that the space accepts."""
    valid = 0
    for some in torch.split(rows, 1000):
        try:
            graphs = generator.layout.write(some)
        except InvalidArchitecture:
            continue
        for graph in graphs:
            generator.space.check(graph)
            valid += 1
    return valid


if __name__ == "__main__":
    main()
