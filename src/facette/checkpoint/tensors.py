"""Tensors and one JSON value in a single safetensors file, written so that a reader never sees half of it.

Enters and leaves: named tensors and a JSON-able dictionary. Knows nothing of models. Never pickle.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from facette.checkpoint.locate import HEADER, read_header
from facette.errors import CheckpointError

__all__ = ["read_header", "read_tensors", "to_half", "under", "write_atomically", "write_tensors"]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: dict[str, Any]) -> None:
    """Write atomically: a crash leaves the old file or the new one, never a part."""
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    write_atomically(
        path, serialise(plain, {HEADER: json.dumps(header, ensure_ascii=False, allow_nan=False)})
    )


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read everything back. Raises CheckpointError for a file that is not ours or is damaged."""
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file under a temporary name beside it, flush it to disk, and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)}


def to_half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """float32 tensors as float16, others untouched: half the bytes for a bundled model."""
    return {n: t.half() if t.dtype == torch.float32 else t for n, t in tensors.items()}
