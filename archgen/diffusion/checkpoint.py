"""A generator in one safetensors file: weights as tensors, the rest as JSON in its header. Loading runs no code."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import DiffusionGenerator, new_denoiser
from archgen.diffusion.process import Slots
from graphs.errors import ArchgenError, CheckpointError
from graphs.graph_json import graph_from_json, graph_to_json
from graphs.space import SearchSpace

FORMAT = 1


def save_generator(generator: DiffusionGenerator, path: Path) -> None:
    """Write `path` in one move, so that a crash leaves the old file or the new one, never half of one.

    Raises:
        CheckpointError: the file cannot be written.
    """
    header = {
        "format": FORMAT,
        "space": generator.space.name,
        "fingerprint": generator.space.fingerprint,
        "config": asdict(generator.config),
        "template": graph_to_json(generator.template, generator.space.name),
        "provenance": generator.provenance,
    }
    slots = {"slots.nodes": generator.slots.nodes, "slots.edges": generator.slots.edges}
    part = path.with_name(path.name + ".part")
    try:
        save_file({**generator.denoiser.state_dict(), **slots}, part, metadata={"archgen": json.dumps(header)})
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            part.unlink()
        raise CheckpointError(
            f"{path}: cannot write the generator ({error}); free disk space or choose another place"
        ) from error


def load_generator(path: Path, space: SearchSpace) -> DiffusionGenerator:
    """The generator kept in `path`.

    Raises:
        CheckpointError: the file is missing, cut short, edited, of a newer format, or made for another space.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["archgen"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 safe_open is no mapping
        if header["format"] != FORMAT:
            raise CheckpointError(
                f"{path}: format {header['format']!r}, expected {FORMAT}; upgrade archgen if newer, else train again"
            )
        if header["fingerprint"] != space.fingerprint:
            raise CheckpointError(
                f"{path}: made for space {header['space']!r} ({header['fingerprint']}), expected {space.name!r} "
                f"({space.fingerprint}); train a generator for this space"
            )
        slots = _slots(tensors.pop("slots.nodes"), tensors.pop("slots.edges"), space)
        config = DenoiserConfig(**header["config"])
        _require_sound(tensors, config)
        denoiser = new_denoiser(space, config, seed=0)
        denoiser.load_state_dict(tensors)
        template, _ = graph_from_json(header["template"])
        space.check(template)
        return DiffusionGenerator(space, config, denoiser, slots, template, dict(header["provenance"]))
    except CheckpointError:
        raise
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ArchgenError) as error:
        raise CheckpointError(
            f"{path}: not a whole generator checkpoint ({error}); delete it and train it again"
        ) from error


def _slots(nodes: Tensor, edges: Tensor, space: SearchSpace) -> Slots:
    n, f = space.max_nodes, len(space.fields)
    if (nodes.shape, edges.shape) != ((n, f), (n, n)) or {nodes.dtype, edges.dtype} != {torch.bool}:
        raise ValueError(f"the slots have shapes {tuple(nodes.shape)} and {tuple(edges.shape)} or are not booleans")
    return Slots(nodes, edges)


def _require_sound(tensors: dict[str, Tensor], config: DenoiserConfig) -> None:
    """Raise `ValueError` where the size is not that of the tensors, before memory is taken for it, or one is NaN."""
    layers = sum(name.endswith(".qkv.weight") for name in tensors)
    found = DenoiserConfig(tensors["position.weight"].shape[-1], layers, tensors["blocks.0.bias.weight"].shape[-1])
    if found != config:
        raise ValueError(f"the header states {config}, the tensors have {found}")
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} holds a value that is not finite")
