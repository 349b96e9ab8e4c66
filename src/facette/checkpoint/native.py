"""Facette's model file: the one place that knows its format.

A model is a folder with `model.safetensors`, and beside it `config.json` and `README.md` for people and for hubs.
The safetensors file is complete in itself: weights, and in its header the recipe, fitted prior, measures and
provenance as JSON, so that a model can never be read with somebody else's description. Never pickle.

    vae.*            state of the VAE           fitted_prior.*   state of the mixture fitted to its latents
    sharpener.*      state of the second stage
    extras.*         tensors of other rooms     header           format, version, recipe, metrics, provenance
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from facette.checkpoint.card import write_card
from facette.checkpoint.check import check_extras
from facette.checkpoint.locate import FORMAT, WEIGHTS, bundled_models, describe_model, find_model
from facette.checkpoint.tensors import read_tensors, to_half, under, write_atomically, write_tensors
from facette.code import modules_of
from facette.errors import CheckpointError, FacetteError, UsageError
from facette.files import json_of
from facette.model.kernels.fold import folded
from facette.model.prior import fitted_prior_of
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
    write_atomically(folder / "config.json", json_of(header, indent=2) + "\n")
    write_atomically(folder / "README.md", write_card(model))
    write_tensors(folder / WEIGHTS, tensors, header)
    return folder


def load_model(
    source: str | Path, device: str = "cpu", code: ModuleType | Iterable[ModuleType] | None = None
) -> TrainedModel:
    """Read a bundled model by name, a model folder, a run's folder, or a single .safetensors file.

    `code` holds the classes of a model with networks of its own; the file brings none and runs none. Raises UsageError
    where such a model comes without, and CheckpointError when there is no such model, it is damaged, or it was written
    by a newer format.
    """
    path = find_model(source)
    header = describe_model(path)
    tensors, _ = read_tensors(path)
    try:
        recipe = parse_recipe(header["recipe"], str(source)).with_code(modules_of(code))
        _check_tensors(recipe, tensors)
        with torch.random.fork_rng(devices=[]):
            vae = build_vae(recipe)
        vae.load_state_dict(under(tensors, "vae."))  # copies half precision into float32
        prior_state = {n: t.float() for n, t in under(tensors, "fitted_prior.").items()}
        prior = fitted_prior_of(prior_state) if prior_state else None
        if prior is not None and prior.latent != recipe.model.latent:
            raise CheckpointError(
                f"its fitted prior has {prior.latent} latents, the model {recipe.model.latent}"
            )
        sharpener = _sharpener(recipe, under(tensors, "sharpener."))
    except UsageError:
        raise  # a network of the caller's own: nothing is wrong with the file
    except (KeyError, RuntimeError, ValueError, TypeError, OverflowError, FacetteError) as error:
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


def _check_tensors(recipe: Recipe, tensors: dict[str, torch.Tensor]) -> None:
    """Names, shapes and numbers, before a network is built that may be larger than the file says.

    Raises CheckpointError for the first thing that does not fit.
    """
    layers = _layers(recipe)
    if layers > len(tensors):
        raise CheckpointError(f"its recipe has {layers:,} layers, the file {len(tensors):,} tensors")
    prior, held = recipe.model.prior, sum(tensor.numel() for tensor in tensors.values())
    if prior.kind != "normal" and prior.components > held:
        raise CheckpointError(f"its prior has {prior.components:,} components, the file {held:,} numbers")
    with torch.device("meta"):  # shapes alone: nothing is allocated
        needed = {f"vae.{n}": t.shape for n, t in build_vae(recipe).state_dict().items()}
        if recipe.sharpen is not None and under(tensors, "sharpener."):
            needed |= {f"sharpener.{n}": t.shape for n, t in build_sharpener(recipe).state_dict().items()}
    theirs = {n: t.shape for n, t in tensors.items() if n.startswith(("vae.", "sharpener."))}
    for name in sorted(needed.keys() | theirs.keys()):
        if needed.get(name) != theirs.get(name):
            has, wants = (_told(shapes.get(name)) for shapes in (theirs, needed))
            raise CheckpointError(f"its tensor {name[:80]!r} is {has} in the file and {wants} by the recipe")
    extras = {n: t.shape for n, t in under(tensors, "extras.").items()}
    components = tensors["fitted_prior.logits"].numel() if "fitted_prior.logits" in tensors else 0
    check_extras(extras, recipe.model.latent, recipe.model.told, components)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"its tensor {name[:80]!r} holds numbers that are not finite")


def _layers(recipe: Recipe) -> int:
    """How many layers the recipe asks for, at least; each has a tensor in the file."""
    count = recipe.model.prior.layers if recipe.model.prior.kind == "flow" else 0
    for part in (recipe.model.encoder, recipe.model.decoder):
        count += len(part.layers) if part.kind == "conv" else sum(getattr(part, "blocks", ()))
    return count


def _told(shape: torch.Size | None) -> str:
    return "not there" if shape is None else "×".join(map(str, shape)) or "a single number"


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
