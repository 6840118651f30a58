"""A predictor in one safetensors file: labels and what was learned as tensors, the rest JSON. Loading runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from graphs.errors import ArchgenError, CheckpointError
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.tensor_file import read_tensor_file, write_tensor_file
from predictors.predictor import Predictor

FORMAT = 1
WHAT = "predictor"


def save_predictor(predictor: Predictor, path: Path | str) -> None:
    """Write `path` in one move, so that a crash leaves the old file or the new one, never half of one.

    Raises:
        EvaluationError: nothing has been fitted.
        CheckpointError: the file cannot be written.
    """
    path = Path(path)
    predictor.require_fitted()
    space = predictor.space
    header = {
        "what": WHAT,
        "format": FORMAT,
        "space": space.name,
        "fingerprint": space.fingerprint,
        "kind": predictor.kind,
        "seed": predictor.seed,
        "names": predictor.names,
        "graphs": [space.format(graph) for graph in predictor.graphs],
    }
    tensors = {
        f"{number}/{key}": tensor for number, state in enumerate(predictor.states()) for key, tensor in state.items()
    }
    found = {"labels": predictor.labels, **{key: one.contiguous().clone() for key, one in tensors.items()}}
    write_tensor_file(path, found, header, WHAT)


def load_predictor(path: Path | str, space: SearchSpace | None = None) -> Predictor:
    """The predictor kept in `path`.

    Args:
        path: the file.
        space: its space; the one of archgen that the file names unless given.

    Raises:
        CheckpointError: the file is missing, cut short, edited, of a newer format, or made for another space.
    """
    path = Path(path)
    try:
        header, tensors = read_tensor_file(path)
        return _restored(path, header, tensors, space)
    except CheckpointError:
        raise
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ArchgenError) as error:
        raise CheckpointError(f"{path}: not a whole predictor ({error}); delete it and fit it again") from error


def _restored(
    path: Path, header: Mapping[str, Any], tensors: dict[str, Tensor], space: SearchSpace | None
) -> Predictor:
    if header.get("what") != WHAT:
        raise CheckpointError(f"{path}: this file holds no predictor; make one with archgen fit")
    if header["format"] != FORMAT:
        raise CheckpointError(
            f"{path}: format {header['format']!r}, expected {FORMAT}; upgrade archgen if newer, else fit again"
        )
    space = get_space(header["space"]) if space is None else space
    if header["fingerprint"] != space.fingerprint:
        raise CheckpointError(
            f"{path}: made for space {header['space']!r} ({header['fingerprint']}), expected {space.name!r} "
            f"({space.fingerprint}); fit a predictor for this space"
        )
    labels, graphs = tensors.pop("labels"), [space.parse(text) for text in header["graphs"]]
    if labels.dtype != torch.float64 or labels.shape != (len(graphs), len(header["names"])):
        raise ValueError(f"labels of shape {tuple(labels.shape)} for {len(graphs)} graphs")
    for name, tensor in {"labels": labels, **tensors}.items():
        if tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise ValueError(f"{name} holds a value that is no number")
    states: list[dict[str, Tensor]] = [{} for _ in header["names"]]
    for name, tensor in tensors.items():
        number, key = name.split("/", 1)
        states[int(number)][key] = tensor
    predictor = Predictor(space, header["kind"], seed=header["seed"])
    return predictor.restore(graphs, labels, header["names"], states)
