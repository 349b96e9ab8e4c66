"""A latent map with the faces on it.

Enters: points (N, 2) and pictures (N, S, S, 3). Leaves: a figure on which as many pictures stand as fit without
overlapping, each at its own place. Receives arrays, never models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facette.errors import UsageError
from facette.images.palette import LIGHT
from facette.plots.style import accent, hexed, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 0.035  # of a thumbnail, as a share of the map's width
GAP = 1.12  # sides between the centres of two thumbnails


def plot_thumbnail_map(
    points: np.ndarray, pictures: np.ndarray, marked: np.ndarray | None = None, title: str = "Latent map"
) -> Figure:
    """Pictures at their places, none over another; `marked` (N,) bool get a coloured frame.

    UsageError: points and pictures do not belong together.
    """
    points = np.asarray(points, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(pictures):
        raise UsageError(
            f"{len(pictures)} pictures do not fit points of shape {points.shape}: give one for each"
        )
    unit = normalised(points)
    figure = new_figure(title, size=(9, 9))
    axes = figure.axes[0]
    axes.scatter(*unit.T, s=3, color=hexed(LIGHT.line), linewidths=0)
    half = SIDE / 2
    for i in spaced(unit, GAP * SIDE):
        x, y = unit[i]
        axes.imshow(
            pictures[i], extent=(x - half, x + half, y - half, y + half), zorder=2, interpolation="lanczos"
        )
        if marked is not None and marked[i]:
            frame = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * half * 1.06 + unit[i]
            axes.plot(*frame.T, color=accent(0), linewidth=1.6, zorder=3)
    axes.set(xlim=(-SIDE, 1 + SIDE), ylim=(-SIDE, 1 + SIDE), xticks=[], yticks=[], aspect="equal")
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def normalised(points: np.ndarray) -> np.ndarray:
    """Points (N, 2) scaled by one factor and moved into the unit square, centred there."""
    low, high = points.min(0), points.max(0)
    scale = max(float((high - low).max()), 1e-12)
    return (points - (low + high) / 2) / scale + 0.5


def spaced(points: np.ndarray, distance: float) -> list[int]:
    """Indices of points, in order, of which no two are nearer than `distance` in both x and y."""
    chosen: list[int] = []
    taken = np.empty((0, 2))
    for i, point in enumerate(points):
        if not len(taken) or (np.abs(taken - point).max(1) >= distance).all():
            chosen.append(i)
            taken = points[chosen]
    return chosen
