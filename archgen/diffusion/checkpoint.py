"""A generator in one safetensors file: weights as tensors, the rest as JSON in its header. Loading runs no code."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import DiffusionGenerator, new_denoiser
from graphs.errors import ArchgenError, CheckpointError
from graphs.layout import Layout, layout_of
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space
from graphs.tensor_file import read_tensor_file, write_tensor_file

FORMAT = 2


def save_generator(generator: DiffusionGenerator, path: Path | str) -> None:
    """Write `path` in one move, so that a crash leaves the old file or the new one, never half of one.

    Raises:
        CheckpointError: the file cannot be written.
    """
    path = Path(path)
    header = {
        "format": FORMAT,
        "space": generator.space.name,
        "fingerprint": generator.space.fingerprint,
        "config": asdict(generator.config),
        "provenance": generator.provenance,
    }
    starts = {"starts.rows": generator.starts, "starts.weights": generator.weights}
    write_tensor_file(path, {**generator.denoiser.state_dict(), **starts}, header, "generator")


def load_generator(path: Path | str, space: SearchSpace | None = None) -> DiffusionGenerator:
    """The generator kept in `path`.

    Args:
        path: the file.
        space: its space; the one of archgen that the file names unless given.

    Raises:
        CheckpointError: the file is missing, cut short, edited, of a newer format, or made for another space.
    """
    path = Path(path)
    try:
        header, tensors = read_tensor_file(path)
        if header["format"] != FORMAT:
            raise CheckpointError(
                f"{path}: format {header['format']!r}, expected {FORMAT}; upgrade archgen if newer, else train again"
            )
        space = get_space(header["space"]) if space is None else space
        if header["fingerprint"] != space.fingerprint:
            raise CheckpointError(
                f"{path}: made for space {header['space']!r} ({header['fingerprint']}), expected {space.name!r} "
                f"({space.fingerprint}); train a generator for this space"
            )
        layout = layout_of(space)
        starts, weights = tensors.pop("starts.rows"), tensors.pop("starts.weights")
        _require_starts(starts, weights, layout)
        config = DenoiserConfig(**header["config"])
        _require_sound(tensors, config)
        denoiser = new_denoiser(layout, config, seed=0)
        denoiser.load_state_dict(tensors)
        return DiffusionGenerator(space, config, denoiser, starts, weights, dict(header["provenance"]))
    except CheckpointError:
        raise
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ArchgenError) as error:
        raise CheckpointError(
            f"{path}: not a whole generator checkpoint ({error}); delete it and train it again"
        ) from error


def _require_starts(starts: Tensor, weights: Tensor, layout: Layout) -> None:
    """Raise `ValueError` where the rows are not of the layout or the weights no probabilities."""
    if starts.dtype != torch.int64 or starts.shape != (len(weights), len(layout)) or not len(weights):
        raise ValueError(
            f"the starts are {starts.dtype} and have shape {tuple(starts.shape)}; expected {len(weights)} rows of "
            f"{len(layout)} whole numbers, one a weight"
        )
    if weights.ndim != 1 or not weights.is_floating_point():
        raise ValueError(f"the weights of the starts are {weights.dtype} of shape {tuple(weights.shape)}")
    if bool(((starts < 0) | (starts > layout.hidden)).any()):
        raise ValueError("the starts hold values that their slots do not have")
    if not torch.equal(layout.start(starts), starts):
        raise ValueError("the starts give other slots than the layout does")
    if not all(bool(layout.allowed(starts, slot).any(1).all()) for slot in layout.restricted):
        raise ValueError("no architecture agrees with one of the starts")
    if not bool((weights > 0).all()) or not math.isclose(float(weights.sum()), 1, abs_tol=1e-3):
        raise ValueError("the weights of the starts are no probabilities")


def _require_sound(tensors: dict[str, Tensor], config: DenoiserConfig) -> None:
    """Raise `ValueError` where the size is not that of the tensors, before memory is taken for it, or one is NaN."""
    layers = sum(name.endswith(".qkv.weight") for name in tensors)
    width, heads = tensors["position.weight"].shape[-1], tensors["blocks.0.bias.weight"].shape[-1]
    found = DenoiserConfig(width, layers, heads, levels="level.net.0.weight" in tensors)
    if found != config:
        raise ValueError(f"the header states {config}, the tensors have {found}")
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} holds a value that is not finite")
