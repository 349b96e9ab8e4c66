"""Facette: variational autoencoders for pictures, faces first.

    import facette

    model = facette.load("faces128")
    facette.vary(model, "photo.jpg", count=10).save("variations.png")

Importing this package imports nothing heavy: each name below is fetched when it is first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from facette.version import VERSION

__version__ = VERSION

# Libraries that report on their users unless they are told not to; each reads its switch when it is imported.
for _switch, _off in (
    ("ORT_DISABLE_TELEMETRY", "1"),
    ("HF_HUB_DISABLE_TELEMETRY", "1"),
    ("GRADIO_ANALYTICS_ENABLED", "False"),
    ("RAY_USAGE_STATS_ENABLED", "0"),
    ("WANDB_ERROR_REPORTING", "false"),
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("DO_NOT_TRACK", "1"),
):
    os.environ.setdefault(_switch, _off)

_PUBLIC = {
    "load": ("facette.checkpoint.drawing", "load"),
    "save": ("facette.checkpoint.native", "save_model"),
    "import_checkpoint": ("facette.checkpoint.foreign", "import_checkpoint"),
    "open_image": ("facette.images.open", "open_image"),
    "load_recipe": ("facette.recipe", "load_recipe"),
    "open_dataset": ("facette.data", "open_dataset"),
    "train": ("facette.training", "train"),
    "build": ("facette.model.own", "build"),
    "reconstruct": ("facette.latent", "reconstruct"),
    "sample": ("facette.latent", "sample"),
    "vary": ("facette.latent", "vary"),
    "sweep": ("facette.latent", "sweep"),
    "edit": ("facette.latent", "edit"),
    "blend": ("facette.latent", "blend"),
    "interpolate": ("facette.latent", "interpolate"),
    "evaluate": ("facette.evaluation", "evaluate"),
    "calibrate": ("facette.dial.calibrate", "calibrate"),
    "map": ("facette.mapping", "map_latents"),
    "map_latents": ("facette.mapping", "map_latents"),  # what `map` was called before
    "FacetteError": ("facette.errors", "FacetteError"),
}

__all__ = [
    "FacetteError",
    "__version__",
    "blend",
    "build",
    "calibrate",
    "edit",
    "evaluate",
    "import_checkpoint",
    "interpolate",
    "load",
    "load_recipe",
    "map",
    "open_dataset",
    "open_image",
    "reconstruct",
    "sample",
    "save",
    "sweep",
    "train",
    "vary",
]

if TYPE_CHECKING:
    from facette.checkpoint.drawing import load
    from facette.checkpoint.foreign import import_checkpoint
    from facette.checkpoint.native import save_model as save
    from facette.data import open_dataset
    from facette.dial.calibrate import calibrate
    from facette.errors import FacetteError
    from facette.evaluation import evaluate
    from facette.images.open import open_image
    from facette.latent import blend, edit, interpolate, reconstruct, sample, sweep, vary
    from facette.mapping import map_latents as map
    from facette.model.own import build
    from facette.recipe import load_recipe
    from facette.training import train


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'facette' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
