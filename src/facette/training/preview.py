"""The same validation pictures and the same prior draws, drawn each time: how a run looks as it learns.

Rows, from the top: photos, reconstructions from the posterior mean, samples of the prior.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from facette.checkpoint.tensors import write_atomically
from facette.images.convert import as_rgb, to_model, to_pictures
from facette.model.conditions import conditioned, conditioning_of
from facette.model.draws import draw_latents
from facette.model.vae import VAE
from facette.recipe import Recipe
from facette.runtime import derive_seed
from facette.training.batches import Store, reader
from facette.training.journal import PREVIEWS


@torch.no_grad()
def draw_preview(
    vae: VAE, recipe: Recipe, store: Store, rows: np.ndarray, folder: Path, step: int
) -> np.ndarray | None:
    """Write previews/step-N.png and return it as H×W×3 uint8; None for models of vectors."""
    inputs = recipe.input
    if inputs.kind == "vector":
        return None
    device, was_training = next(vae.parameters()).device, vae.training
    vae.eval()
    photos = reader(store, recipe)(rows)
    again = vae.decode(vae.encode(to_model(photos, inputs.range, device, inputs.channels)).mean)
    prior = conditioned(vae.prior.draws(), conditioning_of(vae.conditions, vae.latent, {}), None)
    latents = draw_latents(prior, len(rows), derive_seed(recipe.seed, "preview"))
    drawn = vae.decode(torch.from_numpy(latents).to(device))
    vae.train(was_training)
    shown = [to_pictures(each, inputs.range, inputs.depth) for each in (again, drawn)]
    return write_preview([photos[..., : inputs.channels], *shown], folder, step)


def write_preview(rows: Sequence[np.ndarray], folder: Path, step: int) -> np.ndarray:
    """Write rows of pictures (N, H, W, C) each, as previews/step-N.png; returns the sheet, H×W×3 uint8."""
    shown = [as_rgb(row, checkered=True) for row in rows]
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in shown], axis=0)
    encoded = io.BytesIO()
    Image.fromarray(sheet).save(encoded, "PNG")
    write_atomically(folder / PREVIEWS / f"step-{step:07d}.png", encoded.getvalue())
    return sheet
