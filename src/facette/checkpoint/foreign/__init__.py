"""Other people's checkpoints: pickled modules, state dicts, Lightning files, safetensors; none of it is run.

source → archive → container      a file becomes an inert tree (machine, names, inert), within limits
weights → candidates → families   the tree becomes named tensors of a recognised network
importing, inspecting             which become a model of ours, or a description
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# fetched when first used: to inspect a file needs no torch
_PUBLIC = {
    "import_checkpoint": "facette.checkpoint.foreign.importing",
    "Inspection": "facette.checkpoint.foreign.inspecting",
    "inspect_checkpoint": "facette.checkpoint.foreign.inspecting",
}

__all__ = ["Inspection", "import_checkpoint", "inspect_checkpoint"]

if TYPE_CHECKING:
    from facette.checkpoint.foreign.importing import import_checkpoint
    from facette.checkpoint.foreign.inspecting import Inspection, inspect_checkpoint


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
