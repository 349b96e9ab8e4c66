"""A map of many latents: points by attribute, and the faces on it.

Enters: a `Chart`: points (N, 2) with pictures, names and what to colour by. Leaves: a matplotlib figure. The same
chart as a page to walk in is drawn by `facette.plots.interactive_map`. Receives arrays, never models.

Legend: N points, K neighbours, L labels of a column, S side of a picture.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.images.convert import as_rgb
from facette.images.sheets.palette import LIGHT, Colour
from facette.plots.style import accent, footnote, hexed, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE = 0.035  # of a thumbnail, as a share of the map's width
GAP = 1.12  # sides between the centres of two thumbnails
UNKNOWN = "unknown"  # the label of points about which a column says nothing; drawn grey
MANY = 3_000  # points; more are drawn as pixels also in an SVG or PDF


@dataclass(frozen=True, slots=True)
class Column:
    """One thing to colour by."""

    name: str
    labels: tuple[str, ...]  # L, in the order of the legend
    codes: NDArray[np.uint8]  # (N,) places in `labels`

    def words(self) -> list[str]:
        """The label of every point."""
        return [self.labels[code] for code in self.codes]

    def described(self, codes: NDArray[np.uint8]) -> dict[str, Any]:
        """What a page's script knows of it, with these codes."""
        labels = {"name": self.name, "labels": self.labels, "colours": self.colours()}
        return {**labels, "codes": base64_of(codes)}

    def colours(self) -> list[str]:
        """A colour for every label."""
        return [hexed(_GREY) if name == UNKNOWN else accent(place) for place, name in enumerate(self.labels)]


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that is drawn. The last `placed` points are photos that were put on an existing map."""

    title: str
    subtitle: str
    points: NDArray[np.float32]  # (N, 2)
    names: tuple[str, ...]  # (N,)
    neighbours: NDArray[np.int32]  # (N, K) the nearest in latent space, the nearest first
    columns: tuple[Column, ...] = ()
    shown: str = ""  # the name of the column to colour by at first; empty for none
    pictures: NDArray[np.uint8] | None = None  # (N, H, W, C)
    reconstructions: NDArray[np.uint8] | None = None  # (N, H, W, C)
    placed: int = 0
    remarks: str = ""  # small print under the map
    ground: NDArray[np.float32] | None = None  # (G, 2) the points of the map that the others were placed on

    @property
    def settled(self) -> int:
        """The number of points that made the map."""
        return len(self.points) - self.placed

    @property
    def column(self) -> Column | None:
        """The column to colour by."""
        return next((column for column in self.columns if column.name == self.shown), None)


def base64_of(values: NDArray[Any]) -> str:
    """An array as a page's script reads it."""
    return b64encode(np.ascontiguousarray(values).tobytes()).decode()


def plot_chart(chart: Chart, faces_only: bool = False) -> Figure:
    """The chart on paper: the faces beside the points by attribute, or `faces_only`; points alone without pictures.

    UsageError: `faces_only` of a chart without pictures.
    """
    if faces_only and chart.pictures is None:
        raise UsageError("a map of faces needs a model of pictures: leave `thumbnails` out")
    unit, ground = _on_the_page(chart)
    both = chart.pictures is not None and not faces_only
    span = np.ptp(np.concatenate([unit, ground]), axis=0) + 2 * SIDE  # of the map on the page
    height = 8 * float(np.clip(span[1] / span[0], 0.5, 1.5)) + 1
    figure = new_figure(chart.title, 1, 1 + both, size=(16 if both else 8, height))
    if chart.pictures is not None:
        _draw_faces(figure.axes[0], unit, ground, chart)
    if both or chart.pictures is None:
        axes = figure.axes[-1]
        _draw_ground(axes, ground)
        _draw_points(axes, unit[: chart.settled], chart.column)
        for place in range(chart.settled, len(unit)):
            axes.scatter(*unit[place], s=260, marker="*", color=hexed(LIGHT.ink), zorder=4)
            axes.annotate(chart.names[place], unit[place], (9, 6), textcoords="offset points", zorder=4)
    for axes in figure.axes:
        _bare(axes, np.concatenate([unit, ground]))
    footnote(figure, chart.remarks)
    return figure


def normalised(points: np.ndarray) -> np.ndarray:
    """Points (N, 2) scaled by one factor and moved into the unit square, centred there."""
    low, high = points.min(0), points.max(0)
    scale = max(float((high - low).max()), 1e-12)
    return (points - (low + high) / 2) / scale + 0.5


def spaced(points: np.ndarray, distance: float, first: Sequence[int] = ()) -> list[int]:
    """Indices of points, `first` and then in order, of which no two are nearer than `distance` in both x and y.

    Those of `first` are all taken.
    """
    chosen = list(first)
    kept = points[chosen]
    for i, point in enumerate(points):
        if (np.abs(kept - point).max(1, initial=np.inf if not len(kept) else 0) >= distance).all():
            chosen.append(i)
            kept = points[chosen]
    return chosen


# ── panels ───────────────────────────────────────────────────────────────────────────────────────────────

_GREY: Colour = (163, 158, 160)  # between hairline and quiet text


def _draw_points(axes: Axes, points: np.ndarray, column: Column | None) -> None:
    """The points, those of the column's most frequent label first."""
    if column is None:
        names, colours = np.full(len(points), "all"), {"all": accent(0)}
    else:
        names = np.array(column.words()[: len(points)])
        colours = dict(zip(column.labels, column.colours(), strict=True))
    labels, counts = np.unique(names, return_counts=True)
    ordered = labels[np.argsort(-counts, kind="stable")]
    # Small points for many pictures, larger ones for few, so that the cloud stays a cloud.
    area = float(np.clip(9000 / max(len(points), 1), 4, 40))
    for name in ordered:
        chosen = points[names == name]
        axes.scatter(
            *chosen.T,
            s=area,
            color=colours[name],
            alpha=0.7,
            linewidths=0,
            label=f"{name} ({len(chosen)})",
            rasterized=len(points) > MANY,
        )
    if column is not None:
        legend(axes)
        named = axes.get_legend()
        assert named is not None
        named.set_loc("upper left")  # the best place would be searched for among all points
        for handle in named.legend_handles:
            handle.set(sizes=[50], alpha=1)  # type: ignore[union-attr]


def _on_the_page(chart: Chart) -> tuple[np.ndarray, np.ndarray]:
    """The chart's points and its ground, both in one unit square."""
    ground = np.empty((0, 2)) if chart.ground is None else chart.ground
    unit = normalised(np.concatenate([chart.points, ground]))
    return unit[: len(chart.points)], unit[len(chart.points) :]


def _draw_ground(axes: Axes, points: np.ndarray) -> None:
    axes.scatter(*points.T, s=3, color=hexed(LIGHT.line), linewidths=0, rasterized=len(points) > MANY)


def _draw_faces(axes: Axes, unit: np.ndarray, ground: np.ndarray, chart: Chart) -> None:
    """Pictures at their places, none over another; the frame has the colour of the picture's group."""
    assert chart.pictures is not None
    _draw_ground(axes, ground if len(ground) else unit)
    placed = range(chart.settled, len(unit))
    for i in spaced(unit, GAP * SIDE, placed):
        half = SIDE / 2 * (1.2 if i in placed else 1)
        (x, y), level = unit[i], 4 if i in placed else 2
        axes.imshow(
            as_rgb(chart.pictures[i]),
            extent=(x - half, x + half, y - half, y + half),
            zorder=level,
            interpolation="lanczos",
        )
        frame = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * half * 1.05 + unit[i]
        axes.plot(*frame.T, color=_frame_colour(chart, i), linewidth=1.6, zorder=level + 1)
        if i in placed:
            axes.annotate(chart.names[i], (x, y - half), (0, -4), textcoords="offset points", ha="center", va="top",
                          fontsize=8, zorder=level + 1)  # fmt: skip


def _frame_colour(chart: Chart, i: int) -> str:
    if i >= chart.settled:
        return hexed(LIGHT.ink)
    return hexed(LIGHT.line) if chart.column is None else chart.column.colours()[chart.column.codes[i]]


def _bare(axes: Axes, points: np.ndarray) -> None:
    """A map has no scale: only who stands beside whom means something."""
    (left, low), (right, high) = points.min(0) - SIDE, points.max(0) + SIDE
    axes.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[], aspect="equal")
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
