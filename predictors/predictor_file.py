"""A predictor in one safetensors file: labels and learned numbers as tensors, the rest JSON. Loading runs no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import ArchgenError, CheckpointError
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.tensor_file import read_tensor_file, write_tensor_file

FORMAT = 1
WHAT = "predictor"
BROKEN = (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ArchgenError)
"""What a file that is none, or not whole, raises on the way."""


@dataclass(frozen=True, eq=False)
class StoredPredictor:
    """What a file holds.

    Args:
        space, kind, seed: of the predictor.
        names: of its properties; o in all.
        graphs: the labelled architectures.
        labels: of each property.
        states: what restores each output, besides the labels.
    """

    space: SearchSpace
    kind: str
    seed: int
    names: Sequence[str]
    graphs: Sequence[ArchGraph]
    labels: Float[Tensor, "n o"]
    states: Sequence[Mapping[str, Tensor]]


def write_predictor(stored: StoredPredictor, path: Path) -> None:
    """Write `path`, whole or not at all; raises `CheckpointError` where it cannot be written."""
    space = stored.space
    header = {
        "what": WHAT,
        "format": FORMAT,
        "space": space.name,
        "fingerprint": space.fingerprint,
        "kind": stored.kind,
        "seed": stored.seed,
        "names": list(stored.names),
        "graphs": [space.format(graph) for graph in stored.graphs],
    }
    states = {
        f"{number}/{key}": tensor.contiguous().clone()
        for number, state in enumerate(stored.states)
        for key, tensor in state.items()
    }
    write_tensor_file(path, {"labels": stored.labels, **states}, header, WHAT)


def read_predictor(path: Path, space: SearchSpace | None) -> StoredPredictor:
    """The inverse.

    Args:
        path: the file.
        space: its space; the one of archgen that the file names unless given.

    Raises:
        CheckpointError: the file is missing, cut short, edited, of a newer format, or made for another space.
    """
    try:
        header, tensors = read_tensor_file(path)
        return _checked(path, header, tensors, space)
    except CheckpointError:
        raise
    except BROKEN as error:
        raise not_whole(path, error) from error


def not_whole(path: Path, error: Exception) -> CheckpointError:
    """What to say of a file whose content cannot be used."""
    return CheckpointError(f"{path}: not a whole predictor ({error}); delete it and fit it again")


def _checked(
    path: Path, header: Mapping[str, Any], tensors: dict[str, Tensor], space: SearchSpace | None
) -> StoredPredictor:
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
    return StoredPredictor(space, header["kind"], header["seed"], header["names"], graphs, labels, states)
