"""`archgen export`: a campaign's best GNN as a file of PyTorch Geometric, and as ONNX."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from archgen.campaign_folder import read_campaign
from archgen.cli.out_file import STANDARD, require_place
from archgen.export_choice import chosen_graph, chosen_source
from archgen.exporting import Exported, export
from gnn_search.data_sets import Kind
from graphs.errors import InvalidOption, unknown_name

PYTHON, ONNX = ".py", ".onnx"


@dataclass(frozen=True)
class Order:
    """What is exported, and where to, as the command line says it."""

    folder: Path
    out: Path
    onnx: Path | None
    best: bool
    query: int | None
    arch: str | None
    data: str | None
    kind: str | None
    inductive: bool
    seeds: int


def run_export(order: Order, as_json: bool) -> None:
    """`archgen export`: train an architecture of a campaign and write it.

    Raises:
        InvalidOption: options that do not go together, or a place that cannot be written to; nothing is trained then.
    """
    module, onnx = _places(order)
    if order.best and (order.query is not None or order.arch is not None):
        raise InvalidOption("--best, --query and --arch all say what to export; give one of them")
    if order.kind is not None and order.kind not in get_args(Kind):
        raise unknown_name("kind", order.kind, get_args(Kind))
    campaign = read_campaign(order.folder)
    graph = chosen_graph(campaign, order.folder, order.query, order.arch)
    source = chosen_source(campaign, order.folder, order.data, order.kind, order.inductive)
    found = export(graph, source, module, onnx, order.seeds)
    print(json.dumps(_as_dict(found)) if as_json else "\n".join(_lines(found)))


def _places(order: Order) -> tuple[Path | None, Path | None]:
    """The file of Python and the ONNX file, either of which may be missing."""
    if order.out == STANDARD or order.out.suffix not in (PYTHON, ONNX):
        raise InvalidOption(f"--out {order.out}: expected a file whose name ends in {PYTHON} or {ONNX}")
    if order.onnx is not None and order.onnx.suffix != ONNX:
        raise InvalidOption(f"--onnx {order.onnx}: expected a file whose name ends in {ONNX}")
    if order.out.suffix == ONNX and order.onnx is not None:
        raise InvalidOption("--out and --onnx both name an ONNX file; leave one out")
    if order.seeds < 1:
        raise InvalidOption(f"--seeds {order.seeds}: expected at least 1")
    module, onnx = (order.out, order.onnx) if order.out.suffix == PYTHON else (None, order.out)
    for place in (module, None if module is None else module.with_suffix(".safetensors"), onnx):
        if place is not None:
            require_place(place)
    return module, onnx


def _as_dict(found: Exported) -> dict[str, object]:
    names = ("arch", "data", "metrics", "seed", "epoch", "difference")
    return {**{name: getattr(found, name) for name in names}, "files": [str(file) for file in found.files]}


def _lines(found: Exported) -> list[str]:
    lines = [f"{found.arch}", f"  trained on {found.data}, seed {found.seed}, epoch {found.epoch}"]
    lines += [f"  {name:<16} {value:.2f} %" for name, value in found.metrics.items()]
    lines.append(f"  outputs differ from the network's by {found.difference:.1g} at most")
    return [*lines, *(f"written: {file}" for file in found.files)]
