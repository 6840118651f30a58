"""Tensors with a JSON header in one safetensors file, written whole or not at all; reading one runs no code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from graphs.errors import CheckpointError


def write_tensor_file(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], what: str) -> None:
    """Write `path` in one move, so that a crash leaves the old file or the new one, never half of one.

    Args:
        path: the file; one that is there is replaced.
        tensors: contiguous and apart from each other in memory.
        header: what JSON can hold.
        what: is written, for messages.

    Raises:
        CheckpointError: the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        save_file(dict(tensors), part, metadata={"archgen": json.dumps(header)})
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            part.unlink()
        raise CheckpointError(
            f"{path}: cannot write the {what} ({error}); free disk space or choose another place"
        ) from error


def read_tensor_file(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors.

    Raises:
        OSError, SafetensorError, KeyError, ValueError, TypeError: it cannot be read, or is no such file.
    """
    with safe_open(path, framework="pt") as file:
        header = json.loads((file.metadata() or {})["archgen"])
        return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 safe_open is no mapping
