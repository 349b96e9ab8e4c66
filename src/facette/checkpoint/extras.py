"""Puts tensors and figures of another room into a model file that exists, and leaves the rest of it as it is.

Enters: a model file, named tensors, JSON-able figures. Leaves: the same file, or a copy of its folder, with them
inside. Weights keep their precision to the bit, which loading and saving a half-precision model would not do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.checkpoint.native import WEIGHTS, find_model
from facette.checkpoint.tensors import read_tensors, write_atomically, write_tensors
from facette.errors import UsageError
from facette.files import json_of

PREFIX = "extras."


def add_extras(
    source: str | Path,
    tensors: Mapping[str, Tensor | NDArray[np.generic]],
    metrics: Mapping[str, Any],
    out: str | Path | None = None,
    replace: tuple[str, ...] = (),
) -> Path:
    """Write `tensors` and `metrics` into the model file behind `source`, or into a copy in the folder `out`.

    Extras whose name begins with one of `replace` are taken out first. Returns the written file, whole at every
    moment. Raises UsageError where it cannot be written.
    """
    path = find_model(source)
    target = path if out is None else Path(out) / WEIGHTS
    kept, header = read_tensors(path)
    stale = tuple(PREFIX + name for name in replace)
    kept = {name: tensor for name, tensor in kept.items() if not (stale and name.startswith(stale))}
    kept |= {PREFIX + name: torch.as_tensor(tensor) for name, tensor in tensors.items()}
    header = {**header, "metrics": {**header.get("metrics", {}), **metrics}}
    try:
        _check_writable(target)
        if target != path:
            _copy_card(path.parent, target.parent)
        if (path.parent / "config.json").exists():
            write_atomically(target.parent / "config.json", json_of(header, indent=2) + "\n")
        write_tensors(target, kept, header)
    except OSError as error:
        raise UsageError(
            f"cannot write {target}: {error.strerror or error}; name a folder for a copy by `out`"
        ) from error
    return target


def _check_writable(target: Path) -> None:
    """Before anything beside it is written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(target.parent, os.W_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise PermissionError("it is read-only")


def _copy_card(folder: Path, target: Path) -> None:
    if (folder / "README.md").is_file():
        shutil.copyfile(folder / "README.md", target / "README.md")
