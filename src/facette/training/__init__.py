"""From a recipe and a data set to a run: a folder that can be stopped, resumed, watched, and loaded as a model.

Each name is fetched when it is first used: who only reads a run's journal needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facette.training.run import sharpen, train
    from facette.training.watch import Finished

_HOME = {"sharpen": "run", "train": "run", "Finished": "watch"}

__all__ = ["Finished", "sharpen", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'facette.training' has no attribute {name!r}")
    value = getattr(import_module(f"facette.training.{_HOME[name]}"), name)
    globals()[name] = value
    return value
