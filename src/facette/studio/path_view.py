"""A way or a field of latents, and the picture at any place of it.

Enters: a grid of latents and a place on it. Leaves: a latent, or its picture as HTML.

Legend: R rows, C latents in each, Z latent dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from facette.latent.paths import polyline
from facette.latent.points import decode_each
from facette.studio.parts import face

if TYPE_CHECKING:
    from facette.studio.app import Studio


def latent_between(grid: np.ndarray, across: float, down: float = 0.0) -> torch.Tensor:
    """(1, Z) at the given shares of the way in a grid (R, C, Z) of latents, straight from each to the next."""
    row = torch.from_numpy(grid[0])
    if len(grid) > 1:
        rows = torch.from_numpy(grid).flatten(1)  # (R, C · Z)
        row = polyline(rows)(torch.tensor([down])).reshape(grid.shape[1:])
    return polyline(row)(torch.tensor([across]))


def picture_between(
    studio: Studio, tab: str, grid: np.ndarray | None, across: float, down: float = 0.0
) -> str:
    """The picture at these places of the grid, in %; nothing where there is no grid yet."""
    if grid is None:
        return ""
    drawn = decode_each(studio.model, latent_between(grid, across / 100, down / 100))[0]
    return face(drawn, "", "the face at this place")
