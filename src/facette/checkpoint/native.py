"""Facette's model file: the one place that knows its format.

A model is a folder with `model.safetensors`, and beside it `config.json` and `README.md` for people and for hubs.
The safetensors file is complete in itself: weights, and in its header the recipe, fitted prior, measures and
provenance as JSON, so that a model can never be read with somebody else's description. Never pickle.

    vae.*            state of the VAE           fitted_prior.*   state of the mixture fitted to its latents
    sharpener.*      state of the second stage
    extras.*         tensors of other rooms     header           format, version, recipe, metrics, provenance
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from facette.checkpoint.card import write_card
from facette.checkpoint.locate import FORMAT, WEIGHTS, bundled_models, describe_model, find_model
from facette.checkpoint.tensors import read_tensors, to_half, under, write_atomically, write_tensors
from facette.errors import CheckpointError, FacetteError
from facette.model.kernels.fold import folded
from facette.model.prior import GaussianMixturePrior
from facette.model.sharpener import Sharpener
from facette.model.trained import TrainedModel
from facette.model.vae import build_sharpener, build_vae
from facette.recipe import Recipe, parse_recipe
from facette.runtime import choose_device
from facette.version import VERSION

__all__ = ["WEIGHTS", "bundled_models", "describe_model", "find_model", "load_model", "save_model"]


def save_model(model: TrainedModel, path: str | Path, half: bool = False) -> Path:
    """Write the model folder; returns its path. `half` stores float16, for models that travel in a package."""
    folder = Path(path)
    parts = {"vae": model.vae, "fitted_prior": model.fitted_prior, "sharpener": model.sharpener}
    tensors = {
        f"{name}.{n}": t
        for name, part in parts.items()
        if part is not None
        for n, t in part.state_dict().items()
    }
    if half:
        tensors = to_half(tensors)
    tensors |= {f"extras.{n}": torch.as_tensor(t) for n, t in model.extras.items()}
    header = _header(model)
    write_atomically(folder / "config.json", json.dumps(header, indent=2, ensure_ascii=False) + "\n")
    write_atomically(folder / "README.md", write_card(model))
    write_tensors(folder / WEIGHTS, tensors, header)
    return folder


def load_model(source: str | Path, device: str = "cpu") -> TrainedModel:
    """Read a bundled model by name, a model folder, a run's folder, or a single .safetensors file.

    Raises CheckpointError when there is no such model, it is damaged, or it was written by a newer format.
    """
    path = find_model(source)
    header = describe_model(path)
    tensors, _ = read_tensors(path)
    try:
        recipe = parse_recipe(header["recipe"], str(source))
        with torch.random.fork_rng(devices=[]):
            vae = build_vae(recipe)
        vae.load_state_dict(under(tensors, "vae."))  # copies half precision into float32
        prior_state = {n: t.float() for n, t in under(tensors, "fitted_prior.").items()}
        prior = GaussianMixturePrior.from_state(prior_state) if prior_state else None
        sharpener = _sharpener(recipe, under(tensors, "sharpener."))
    except (KeyError, RuntimeError, ValueError, FacetteError) as error:
        raise CheckpointError(f"{path} does not hold the model its recipe describes: {error}") from None
    model = TrainedModel(
        vae=vae,
        recipe=recipe,
        fitted_prior=prior,
        sharpener=sharpener,
        metrics=header.get("metrics", {}),
        provenance=header.get("provenance", {}),
        extras=under(tensors, "extras."),
        folded=folded(vae),
    )
    return model.to(choose_device(device))


def _sharpener(recipe: Recipe, state: dict[str, torch.Tensor]) -> Sharpener | None:
    if not state:
        return None
    network = build_sharpener(recipe)
    network.load_state_dict(state)
    return network


def _header(model: TrainedModel) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "facette": VERSION,
        "recipe": model.recipe.model_dump(mode="json", exclude_none=True),
        "metrics": model.metrics,
        "provenance": model.provenance,
    }
