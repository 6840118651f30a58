"""export: a GNN of a campaign, trained and written as plain PyTorch Geometric, and as ONNX, for others to use."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from archgen.retraining import FIRST_SEED
from gnn_search.data_sets import require_memory
from gnn_search.evaluator import DataSource, GnnEvaluator, prepared_task
from gnn_search.export import About, source_of, state_of
from gnn_search.export_check import check_module, read_module, require_room
from gnn_search.export_layers import layer_code
from gnn_search.export_network import weighs
from gnn_search.export_onnx import require_onnx, write_onnx
from gnn_search.gnn import GnnModel
from gnn_search.layers import width_of
from gnn_search.training import PreparedTask, Protocol, Trained
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.spaces.attributed_dag_text import format_graph

UNTIMED = Protocol()
"""A limit of seconds would make the weights depend on how busy the machine is."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        arch: the architecture's string.
        data: the name of the data.
        metrics: validation and test metric of exactly the weights that were written, in percent.
        seed, epoch: of these weights.
        difference: the largest between outputs of the network and of what was written.
        files: that were written.
    """

    arch: str
    data: str
    metrics: Mapping[str, float]
    seed: int
    epoch: int
    difference: float
    files: tuple[Path, ...]


def export(
    graph: ArchGraph,
    source: DataSource,
    module: Path | None,
    onnx: Path | None = None,
    seeds: int = 1,
    protocol: Protocol = UNTIMED,
) -> Exported:
    """Train the architecture and write it; the same arguments write the same numbers on the same machine.

    Of `seeds` trainings the best by validation is written, after it was compared with the network on the data and on
    random graphs. Files that are there already are replaced when all new ones are whole.

    Args:
        graph: of the space `gnn` or `auto-gnn`.
        source: the data.
        module: the file of Python, beside which the weights lie; none unless given.
        onnx: the ONNX file; none unless given.
        seeds: how many trainings.
        protocol: how long.

    Raises:
        InvalidOption: no file or no seeds, or ONNX is not installed.
        ExportError: what would be written does not compute the same, or cannot be written as ONNX.
        EvaluationError: a training diverged. TooLarge: there is too little memory.
        OSError: a file cannot be written.
    """
    if seeds < 1 or (module is None and onnx is None):
        raise InvalidOption(f"{seeds} seeds, module {module}, onnx {onnx}: expected at least 1 seed and a file")
    if onnx is not None:
        require_onnx()
    torch.set_num_threads(1)
    prepared = prepared_task(source)
    task = prepared.task
    require_memory(task, max(width_of(op) for op in graph.ops[1:-1]))
    require_room(graph, task)
    seed, trained = _trained(graph, source, seeds, protocol, prepared)
    assert isinstance(trained.model, GnnModel)
    metrics = {f"valid_{task.metric}": trained.valid, f"test_{task.metric}": trained.test}
    about = About(task.name, task.kind, metrics, {"seed": seed, "epoch": trained.epoch})
    difference, files = _write(trained.model, about, prepared, module, onnx)
    return Exported(format_graph(graph), task.name, metrics, seed, trained.epoch, difference, files)


def _trained(
    graph: ArchGraph, source: DataSource, seeds: int, protocol: Protocol, prepared: PreparedTask
) -> tuple[int, Trained]:
    """The seed that validates best, of equals the one with the least loss, and its network."""
    evaluator = GnnEvaluator(source, protocol)
    found = [(seed, evaluator.train(graph, seed, prepared)) for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
    return max(found, key=lambda one: (one[1].valid, -one[1].loss))


def _write(
    model: GnnModel, about: About, prepared: PreparedTask, module: Path | None, onnx: Path | None
) -> tuple[float, tuple[Path, ...]]:
    """Write all files beside their places, check them, and move them there."""
    target = module or onnx
    assert target is not None, "checked"
    with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
        code = Path(folder) / target.with_suffix(".py").name
        weights, graph_file = code.with_suffix(".safetensors"), code.with_suffix(".onnx")
        content = save(state_of(model))
        weights.write_bytes(content)
        code.write_text(source_of(model, about, hashlib.sha256(content).hexdigest()), encoding="utf-8")
        difference = check_module(model, code, prepared.task)
        moves = [] if module is None else [(weights, module.with_suffix(".safetensors")), (code, module)]
        if onnx is not None:
            weighted = prepared.task.train.graph.edge_weight is not None and _weighs(model)
            notes = {"architecture": format_graph(model.graph), "data": about.data, **_texts(about.metrics)}
            apart = write_onnx(model, read_module(code).load(), graph_file, weighted, notes)
            difference = max(difference, apart)
            moves.append((graph_file, onnx))
        for made, place in moves:
            _move(made, place)
    return difference, tuple(place for _, place in moves)


def _move(made: Path, place: Path) -> None:
    """Also from one disk to another, whole or not at all."""
    part = place.with_name(place.name + ".part")
    part.write_bytes(made.read_bytes())
    os.replace(part, place)


def _weighs(model: GnnModel) -> bool:
    return weighs([layer_code(op, 0.0) for op in model.graph.ops[1:-1]], model.steps)


def _texts(metrics: Mapping[str, float]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in metrics.items()}
