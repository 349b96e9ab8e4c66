"""What a model makes of photos, and of nothing at all: reconstructions and samples.

Enters: a model (or its name), photos or a seed. Leaves: `Reconstructions` or `Samples`.

Legend: N pictures, Z latents, S side of a picture.
"""

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from facette.errors import UsageError
from facette.latent.inputs import Picture, check_count, image_size, resolve_model, resolve_pictures
from facette.latent.points import decode_each, encode_each
from facette.latent.sheets import Result, labelled_sheet, paired_sheet

PriorName = Literal["fitted", "normal"]


@dataclass(frozen=True, slots=True)
class Reconstructions(Result):
    """Photos and what the model keeps of them: the decoded posterior means."""

    photos: Picture  # (N, S, S, 3)
    pictures: Picture  # (N, S, S, 3)
    latents: Tensor  # (N, Z) posterior means
    scales: Tensor  # (N, Z) posterior σ

    def sheet(self):
        """One Pillow contact sheet: each photo above its reconstruction."""
        return paired_sheet(self.photos, self.pictures)


@dataclass(frozen=True, slots=True)
class Samples(Result):
    """Pictures of nobody, decoded from draws of a prior."""

    pictures: Picture  # (N, S, S, 3)
    latents: Tensor  # (N, Z)
    prior: PriorName
    temperature: float
    seed: int

    def sheet(self):
        """One Pillow contact sheet of all samples."""
        return labelled_sheet(self.pictures)


def reconstruct(model, pictures) -> Reconstructions:
    """What the model keeps of one photo or of several.

    `model` is a loaded model or its name; each picture a file, a Pillow image or a uint8 RGB array.
    """
    model = resolve_model(model)
    photos = resolve_pictures(model, pictures)  # (N, S, S, 3)
    means, scales = encode_each(model, photos)  # (N, Z), (N, Z)
    return Reconstructions(photos, decode_each(model, means), means, scales)


def sample(
    model, count: int = 20, seed: int = 0, prior: PriorName | None = None, temperature: float = 1.0
) -> Samples:
    """Pictures of nobody: draws of the prior, decoded.

    `prior` is "fitted" (the Gaussian mixture fitted to the latents after training), "normal" (the one the model
    was trained with) or None: fitted where the model has it. `temperature` scales the distance of every draw
    from its centre (zero, or the mean of the mixture component most responsible for it): below 1 the pictures
    become more ordinary, above 1 bolder; 1 is the prior itself.

    Raises UsageError for a count below 1, a temperature that is negative or infinite, an unknown prior, or a
    fitted prior where the model has none.
    """
    check_count(count)
    if prior not in (None, "fitted", "normal"):
        raise UsageError(f"Unknown prior {prior!r}: use 'fitted' or 'normal'.")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise UsageError(f"Temperature must be a number of at least 0, got {temperature!r}.")
    model = resolve_model(model)
    image_size(model)
    chosen: PriorName = prior or ("fitted" if model.fitted_prior is not None else "normal")
    if chosen == "fitted" and model.fitted_prior is None:
        raise UsageError(f"{model.name!r} has no fitted prior: use --prior normal.")
    latents = _tempered(model, model.sample_latents(count, seed=seed, prior=chosen), chosen, temperature)  # (N, Z)
    return Samples(model.decode(latents), latents, chosen, float(temperature), seed)


def _tempered(model, latents: Tensor, prior: PriorName, temperature: float) -> Tensor:
    if temperature == 1:
        return latents
    if prior == "normal":
        return temperature * latents
    component = model.fitted_prior.responsibilities(latents).argmax(dim=1)  # (N,)
    centre = model.fitted_prior.means[component].detach()  # (N, Z)
    return centre + temperature * (latents - centre)
