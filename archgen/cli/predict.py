"""`archgen fit` and `archgen predict`: a predictor from a table of labels, and its predictions as a table."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from archgen.cli.out_file import STANDARD, require_place, written
from archgen.graph_file import read_graphs
from archgen.labels import Labels, read_labels
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.spaces.catalogue import get_space
from predictors.mixture import Mixture
from predictors.predictor import Predictor

CHUNK = 10_000
"""Graphs that are predicted at a time."""
SHARE = 0.8
"""What an interval is said to hold."""


def run_fit(
    space_name: str,
    labels: Path,
    targets: Sequence[str],
    out: Path,
    kind: str,
    seed: int,
    threads: int,
    as_json: bool,
) -> None:
    """`archgen fit`.

    Raises:
        InvalidOption, UnknownName: something in the arguments or the labels, before anything is written.
        CheckpointError: the file cannot be written.
    """
    space = get_space(space_name)
    _set_threads(threads)
    require_place(out, labels)
    if out == STANDARD or (out.exists() and not out.is_file()):
        raise InvalidOption(f"{out}: a predictor is a file; name one")
    predictor = Predictor(space, kind, seed=seed)
    known = read_labels(labels, space, targets or None)
    names = targets or _only_column(known, labels)
    started = time.perf_counter()
    predictor.fit(known.graphs, torch.stack([known.columns[name] for name in names], 1), names)
    seconds = time.perf_counter() - started
    predictor.save(out)
    found: dict[str, Any] = {
        "out": str(out),
        "space": space.name,
        "kind": kind,
        "labels": len(known.graphs),
        "seconds": round(seconds, 2),
        "properties": {name: _describe(predictor, name) for name in names},
    }
    if as_json:
        print(json.dumps(found))
        return
    print(f"{space.name}: {len(known.graphs):,} labels in {seconds:.1f} s")
    for name, told in found["properties"].items():
        made = ", ".join(f"{part} {weight:.0%}" for part, weight in told["parts"].items())
        print(f"  {name}: {made}; deviations times {told['widening']:.2f} after cross-validation")
    print(f"predictor: {out}")


def run_predict(model: Path, graphs: Path, out: Path, threads: int, as_json: bool) -> None:
    """`archgen predict`.

    Raises:
        CheckpointError: the predictor cannot be used.
        InvalidOption, InvalidArchitecture: the graphs cannot be read, or are of another space.
    """
    _set_threads(threads)
    require_place(out, model, graphs)
    predictor = Predictor.load(model)
    asked = read_graphs(graphs, predictor.space)
    started = time.perf_counter()
    with written(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *(column for name in predictor.names for column in _header(predictor, name))])
        for start in range(0, len(asked), CHUNK):
            writer.writerows(_lines(predictor, asked[start : start + CHUNK]))
    seconds = time.perf_counter() - started
    if out == STANDARD:
        return
    found = {"out": str(out), "count": len(asked), "properties": predictor.names, "seconds": round(seconds, 2)}
    print(json.dumps(found) if as_json else f"{len(asked):,} predictions in {seconds:.1f} s: {out}")


def _header(predictor: Predictor, name: str) -> list[str]:
    """Columns of one property, with its name where there are several."""
    columns = ["mean", "std", f"lower{SHARE:.0%}"[:-1], f"upper{SHARE:.0%}"[:-1]]
    return columns if len(predictor.names) == 1 else [f"{name}_{column}" for column in columns]


def _lines(predictor: Predictor, graphs: Sequence[ArchGraph]) -> Iterator[tuple[Any, ...]]:
    columns = []
    for name in predictor.names:
        found = predictor.predict(graphs, name)
        columns += [part.tolist() for part in (found.mean, found.std, *found.interval(SHARE))]
    return zip(map(predictor.space.canonical, graphs), *columns, strict=True)


def _only_column(labels: Labels, path: Path) -> list[str]:
    if len(labels.columns) > 1:
        raise InvalidOption(f"{path}: it has the columns {', '.join(labels.columns)}; choose with --target")
    return list(labels.columns)


def _describe(predictor: Predictor, name: str) -> dict[str, Any]:
    output = predictor.output(name)
    parts = output.model.weights if isinstance(output.model, Mixture) else {predictor.kind: 1.0}
    return {"parts": dict(parts), "widening": output.widening}


def _set_threads(threads: int) -> None:
    if threads < 1:
        raise InvalidOption(f"threads {threads}: expected at least 1")
    torch.set_num_threads(threads)
