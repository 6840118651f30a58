"""write_onnx: an exported network as an ONNX file for graphs of any size, checked by ONNX Runtime."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from gnn_search.export_check import dense, difference, random_graph
from gnn_search.gnn import GnnModel
from gnn_search.task import GraphInput
from graphs.errors import ExportError, InvalidOption

NEEDED = ("onnx", "onnxscript", "onnxruntime")
OPSET = 18


def require_onnx() -> None:
    """Raise `InvalidOption` where ONNX is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InvalidOption(f"ONNX needs {', '.join(missing)}; install it: pip install 'archgen[onnx]'")


def write_onnx(model: GnnModel, exported: nn.Module, file: Path, weighted: bool, notes: Mapping[str, str]) -> float:
    """Write the ONNX file and compare it with the network on graphs of other sizes.

    Inputs are `x`, `edge_index`, where `weighted` `edge_weight`, and for whole graphs `batch`, of any number of nodes,
    edges and graphs; the output is `out`.

    Args:
        model: the trained network.
        exported: the same as a plain module.
        file: where to.
        weighted: whether edges have weights, which matter.
        notes: kept in the file as metadata.

    Returns:
        the largest difference.

    Raises:
        InvalidOption: ONNX is not installed.
        ExportError: the network cannot be written as ONNX, or gives something else there.
    """
    require_onnx()
    features = len(model.state_dict()["maps.0.weights.0"])
    graph = random_graph(features, 23, model.pooled, weighted)
    inputs = arguments(graph)
    any_size = {"x": {0: "nodes"}, "edge_index": {1: "edges"}, "edge_weight": {0: "edges"}, "batch": {0: "nodes"}}
    sizes = {name: dict.fromkeys(any_size[name], torch.export.Dim.DYNAMIC) for name in inputs}
    try:
        with _silent():
            program = torch.onnx.export(
                exported.eval(), kwargs=inputs, dynamo=True, opset_version=OPSET, dynamic_shapes=sizes,
                input_names=list(inputs), output_names=["out"], verbose=False,
            )  # fmt: skip
            assert program is not None, "dynamo=True returns the program"
            program.model.metadata_props.update(notes)
            program.save(file, external_data=False)
    except (torch.onnx.OnnxExporterError, RuntimeError, ValueError) as error:
        raise ExportError(f"this network cannot be written as ONNX: {_reason(error)}") from error
    return max(check_onnx(model, file, random_graph(features, n, model.pooled, weighted, n)) for n in (57, 7))


def check_onnx(model: GnnModel, file: Path, graph: GraphInput) -> float:
    """The difference of the ONNX file's outputs for a graph from the network's.

    Raises:
        ExportError: they differ, or the file cannot be run.
    """
    import onnxruntime

    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common type
        raise ExportError(f"{file}: ONNX Runtime cannot read it: {str(error).splitlines()[0]}") from error
    known = {one.name for one in session.get_inputs()}

    def outputs(graph: GraphInput) -> Tensor:
        given = {name: value.numpy() for name, value in arguments(graph).items() if name in known}
        return torch.from_numpy(session.run(["out"], given)[0])

    return difference(model, outputs, graph, str(file))


def arguments(graph: GraphInput) -> dict[str, Tensor]:
    """What the exported module is called with."""
    found = {"x": dense(graph), "edge_index": graph.edge_index}
    if graph.edge_weight is not None:
        found["edge_weight"] = graph.edge_weight
    return found if graph.graph_of is None else {**found, "batch": graph.graph_of}


def _reason(error: BaseException) -> str:
    """The first line of what the exporter stumbled over."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without the exporter's progress and its advice to those who write exporters."""
    before = logging.root.manager.disable
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
