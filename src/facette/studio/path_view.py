"""A way or a field of latents, and the picture at any place of it.

Enters: a grid of latents, maybe between photos whose details show near them, and a place on it. Leaves: a latent, or
its picture as HTML.

Legend: R rows, C latents in each, Z latent dimensions, P photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facette.latent.paths import polyline
from facette.latent.points import decode_each
from facette.studio.parts import face

if TYPE_CHECKING:
    from facette.studio.app import Studio

MOST_SIDE = 256  # pixels, while a slider moves


@dataclass(frozen=True, slots=True)
class Way:
    """Latents from one place to another, or across a field, and the photos that lie at its ends."""

    latents: np.ndarray  # (R, C, Z)
    weights: np.ndarray  # (R, C, P): how much of each photo's details is in each
    held: tuple[str, ...] = ()  # the photos as their boxes hold them, P of them

    @classmethod
    def between_latents(cls, latents: np.ndarray) -> Way:
        """A way (C, Z) between no photos: the model draws alone."""
        return cls(latents[None], np.zeros((1, len(latents), 0), np.float32))


def latent_between(grid: np.ndarray, across: float, down: float = 0.0) -> np.ndarray:
    """(1, Z) at the given shares of the way in a grid (R, C, Z) of latents, straight from each to the next."""
    row = polyline(grid)(np.array([down]))[0] if len(grid) > 1 else grid[0]  # (C, Z)
    return polyline(row)(np.array([across]))


def picture_between(studio: Studio, tab: str, way: Way | None, across: float, down: float = 0.0) -> str:
    """The picture at these places of the way, in %; nothing where there is no way yet."""
    from facette.latent.drawing import draw, plan_drawing

    if way is None:
        return ""
    latent, weights = (
        latent_between(grid, across / 100, down / 100) if grid.shape[-1] else grid[0, :1]
        for grid in (way.latents, way.weights)
    )
    if way.held:
        photos = [studio.photos.take(text).input for text in way.held]
        drawing = plan_drawing(studio.model, photos, most=MOST_SIDE)
        picture = draw(studio.model, latent, drawing, photos, weights)[0]
    else:
        picture = decode_each(studio.model, latent)[0]
    return face(picture, "", "the face at this place", name="on-the-way.png")
