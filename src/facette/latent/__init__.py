"""Walking the latent space of a trained model: variations, edits, paths, blends, reconstructions, samples.

Each name is fetched when it is first used: variations and reconstructions need no torch where a light model draws them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facette.latent.attributes import fit_attributes
    from facette.latent.blend import Blend, blend
    from facette.latent.edit import Edit, Strip, edit, strip
    from facette.latent.interpolate import Field, Interpolation, field, interpolate
    from facette.latent.reconstruct import Reconstructions, Samples, reconstruct, sample
    from facette.latent.traverse import Traversal, traverse
    from facette.latent.vary import Sweep, Variations, sweep, vary

_HOME = {
    "attributes": ("fit_attributes",),
    "blend": ("Blend", "blend"),
    "edit": ("Edit", "Strip", "edit", "strip"),
    "interpolate": ("Field", "Interpolation", "field", "interpolate"),
    "reconstruct": ("Reconstructions", "Samples", "reconstruct", "sample"),
    "traverse": ("Traversal", "traverse"),
    "vary": ("Sweep", "Variations", "sweep", "vary"),
}

__all__ = [
    "Blend",
    "Edit",
    "Field",
    "Interpolation",
    "Reconstructions",
    "Samples",
    "Strip",
    "Sweep",
    "Traversal",
    "Variations",
    "blend",
    "edit",
    "field",
    "fit_attributes",
    "interpolate",
    "reconstruct",
    "sample",
    "strip",
    "sweep",
    "traverse",
    "vary",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            value = getattr(import_module(f"facette.latent.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'facette.latent' has no attribute {name!r}")


class _Room(ModuleType):
    """Where a file and its function share a name, as `vary` does, `facette.latent.vary` is the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in __all__):  # so the import system binds files
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room
