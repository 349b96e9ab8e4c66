"""Averages and arithmetic of faces.

Enters: a model, photos and their weights. Leaves: a `Blend`. Knows nothing of attributes.

Legend: P photos, Z latents, W side of the pictures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.latent.details import Details
from facette.latent.drawing import Drawing, draw, plan_drawing, shown
from facette.latent.inputs import Picture, resolve_drawer
from facette.latent.photo import PhotoSource, take_photo
from facette.latent.points import Latents
from facette.latent.sheets import Result, footer
from facette.model.interface import DrawingModel

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet

# of the weights, as a share of their absolute sum; below it differences are blown up tenfold
SMALLEST_SUM = 0.1


@dataclass(frozen=True, slots=True)
class Blend(Result):
    """One face made of several."""

    photos: Picture  # (P, W, W, 3)
    pictures: Picture  # (1, W, W, 3)
    latents: Latents  # (1, Z)
    weights: tuple[float, ...]  # as given
    shares: tuple[float, ...]  # the same, adding up to 1
    norm_corrected: bool
    model: str
    drawing: Drawing
    remark: str = ""  # a line under the sheet, such as what was done to the photos

    def sheet(self) -> "Sheet":
        """The photos with their shares, then the blend, framed."""
        from facette.images.sheets.grid import Cell, SheetRow, contact_sheet

        cells = [Cell(p, f"{100 * share:.0f} %") for p, share in zip(self.photos, self.shares, strict=True)]
        subtitle = " · ".join([*(["length of an ordinary face"] if self.norm_corrected else []), self.model])
        title = f"{len(cells)} photos in one face"
        row = SheetRow([*cells, Cell(self.pictures[0], "blend", framed=True)])
        return contact_sheet([row], title=title, subtitle=subtitle, footer=footer(self.drawing, self.remark))

    def settings(self) -> dict[str, Any]:
        settings = {"made": "blend", "model": self.model, "weights": list(self.weights)}
        return {**settings, "norm_corrected": self.norm_corrected, **self.drawing.settings()}


def blend(
    model: DrawingModel | str | Path,
    *photos: PhotoSource,
    weights: Sequence[float] | None = None,
    norm_corrected: bool = False,
    details: Details = "photo",
    side: int | None = None,
) -> Blend:
    """The weighted mean of the photos' posterior means, decoded, with the details of the photo that leads, if any does.

    `weights`: one for each photo (default all alike), divided by their sum. Negative ones take away: weights 1, −1, 1
    are "the first without what the second has, with what the third has". `norm_corrected`: the result is as long as
    the photos' latents are on average (by absolute weight); plain averages are shorter, and so more ordinary faces.
    `details` and `side` as `vary` takes them; of the photos the smallest decides.

    Raises UsageError for fewer than 2 photos, another number of weights, and weights that (nearly) add up to 0.
    """
    if len(photos) < 2:
        raise UsageError(f"a blend needs at least 2 photos, got {len(photos)}.")
    weights = tuple(weights) if weights is not None else (1.0,) * len(photos)
    shares = _shares(weights, len(photos))
    model = resolve_drawer(model)
    inputs = [take_photo(model, photo) for photo in photos]
    drawing = plan_drawing(model, inputs, details, side)
    means = np.concatenate([photo.mean for photo in inputs])  # (P, Z)
    mix = np.array([shares], np.float32)  # (1, P)
    latents = mix @ means  # (1, Z)
    if norm_corrected:
        latents = _corrected(latents, means, mix[0])
    pictures = draw(model, latents, drawing, inputs, mix)
    weights = tuple(float(weight) for weight in weights)
    originals = np.stack([shown(photo, drawing) for photo in inputs])
    return Blend(originals, pictures, latents, weights, shares, norm_corrected, model.name, drawing)


def _shares(weights: Sequence[float], photos: int) -> tuple[float, ...]:
    if len(weights) != photos:
        raise UsageError(f"{len(weights)} weights for {photos} photos: give one for each.")
    if not all(isinstance(weight, Real) and math.isfinite(weight) for weight in weights):
        raise UsageError(f"weights are finite numbers, got {', '.join(map(str, weights))}.")
    total, size = sum(weights), sum(abs(weight) for weight in weights)
    if abs(total) <= SMALLEST_SUM * size:
        spoken = ", ".join(f"{weight:g}" for weight in weights)
        raise UsageError(
            f"the weights {spoken} add up to nearly nothing: faces are shares of 1, such as 1,-1,1."
        )
    return tuple(float(weight / total) for weight in weights)


def _corrected(latents: Latents, means: Latents, shares: NDArray[np.float32]) -> Latents:
    size = np.abs(shares) / np.abs(shares).sum()
    length = np.linalg.norm(latents)
    return latents * np.float32(size @ np.linalg.norm(means, axis=1) / length) if length > 0 else latents
