"""One page about a model of a three-dimensional mixture: the truth, the samples, and how far they are apart.

Enters: arrays (points, components, density grids, weights) and rows of a table. Leaves: a matplotlib figure.
It knows no model and no mixture; `marginal_grid` and `neighbour_map` prepare what the page shows.

Legend: N points, K components, G grid points on a side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.images.sheets.palette import ACCENTS, LIGHT
from facette.plots.style import hexed, label, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAIRS = ((0, 1), (0, 2), (1, 2))
NAMES = ("x₁", "x₂", "x₃")
SHOWN = 3000  # points drawn in each three-dimensional view
MASSES = (0.3, 0.6, 0.9, 0.99)  # of the probability inside each contour
SMOOTHING = 0.012  # width of the kernel over the samples' histogram, as a share of the grid's side
VIEW = (22.0, -58.0)  # elevation and azimuth in degrees, the same for both views
# Ten colours for ten components: the house's seven and three between them.
COLOURS = tuple(hexed(c) for c in (*ACCENTS, (196, 130, 184), (138, 150, 60), (94, 98, 122)))


@dataclass(frozen=True, slots=True)
class MarginalGrid:
    """A density of two coordinates on a grid, for contours."""

    x: np.ndarray  # (G,)
    y: np.ndarray  # (G,)
    true: np.ndarray  # (G, G) density at (y, x)
    sampled: np.ndarray  # (G, G)


@dataclass(frozen=True, slots=True)
class PointCloud:
    """Points and the component each belongs to."""

    points: np.ndarray  # (N, 3), or (N, 2) for a map
    components: np.ndarray  # (N,)


@dataclass(frozen=True, slots=True)
class MixturePage:
    """Everything the page shows."""

    title: str
    note: str  # below the table
    truth: PointCloud
    samples: PointCloud
    marginals: tuple[MarginalGrid, ...]  # of the coordinate pairs PAIRS
    data_map: PointCloud
    latent_map: PointCloud
    true_weights: np.ndarray  # (K,)
    sampled_weights: np.ndarray  # (K,)
    table_head: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]


def draw_mixture_page(page: MixturePage) -> Figure:
    """The page: two views in space from the same angle with the measures below them, the three marginal pairs,
    and the neighbour maps of data and latents beside the weights."""
    figure = new_figure("", 3, 3, size=(13.2, 14.4))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.1, hspace=0.04, wspace=0.03)
    figure.suptitle(page.title, x=0.012, ha="left", color=hexed(LIGHT.ink), fontsize=17, weight="bold")
    panels = figure.axes
    limits = limits_of(page.truth.points)
    _space(_in_space(figure, panels[0]), page.truth, limits, "The truth", SHOWN)
    _space(
        _in_space(figure, panels[1]), page.samples, limits, "Samples of the model, from the same angle", SHOWN
    )
    _table(panels[2], page)
    for axes, grid, (first, second) in zip(panels[3:6], page.marginals, PAIRS, strict=True):
        _marginal(axes, grid)
        key = ": the truth shaded, samples outlined" if axes is panels[3] else ""
        label(axes, f"{NAMES[first]} and {NAMES[second]}{key}", NAMES[first], NAMES[second])
    _map(panels[6], page.data_map, "Neighbours among the data (t-SNE)")
    _map(panels[7], page.latent_map, "Neighbours among the latents (t-SNE)")
    _weights(panels[8], page.true_weights, page.sampled_weights)
    return figure


def marginal_grid(
    true_density: Callable[[np.ndarray], np.ndarray], samples: np.ndarray, limits: np.ndarray, size: int = 160
) -> MarginalGrid:
    """Both densities of two coordinates on one grid.

    Args:
        true_density: maps points (M, 2) to densities (M,).
        samples: (N, 2); their density is a histogram smoothed by a narrow Gaussian.
        limits: (2, 2), low and high of each coordinate.
        size: G.
    """
    from scipy.ndimage import gaussian_filter

    edges = [np.linspace(low, high, size + 1) for low, high in limits]
    x, y = ((edge[1:] + edge[:-1]) / 2 for edge in edges)
    mesh = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)  # (G·G, 2), x fastest
    counts, _, _ = np.histogram2d(samples[:, 0], samples[:, 1], bins=edges)
    cell = (x[1] - x[0]) * (y[1] - y[0])
    smooth = gaussian_filter(counts.T / (len(samples) * cell), sigma=SMOOTHING * size)
    return MarginalGrid(x, y, true_density(mesh).reshape(size, size), smooth)


def limits_of(points: np.ndarray) -> np.ndarray:
    """Low and high of each coordinate of points (N, D), with a little air: (D, 2)."""
    low, high = np.quantile(points, [0.0005, 0.9995], axis=0)
    air = 0.06 * (high - low)
    return np.stack([low - air, high + air], axis=1)


def neighbour_map(points: np.ndarray, seed: int) -> np.ndarray:
    """The points (N, D) laid out in the plane so that neighbours stay neighbours, by t-SNE: (N, 2)."""
    from sklearn.manifold import TSNE

    return TSNE(init="pca", perplexity=40, random_state=seed).fit_transform(points)


def mass_levels(density: np.ndarray, masses: Sequence[float]) -> list[float]:
    """Heights of a gridded density whose contours hold these shares of its mass, in rising order."""
    heights = np.sort(density, axis=None)[::-1]
    held = np.cumsum(heights) / heights.sum()
    return sorted({float(heights[min(np.searchsorted(held, mass), heights.size - 1)]) for mass in masses})


# ── panels ───────────────────────────────────────────────────────────────────────────────────────────────


def _in_space(figure: Figure, flat: Axes) -> Any:
    """Three-dimensional axes in the place of flat ones."""
    place = flat.get_subplotspec()
    flat.remove()
    return figure.add_subplot(place, projection="3d", facecolor=hexed(LIGHT.paper))


def _space(axes: Any, cloud: PointCloud, limits: np.ndarray, title: str, shown: int) -> None:
    points, components = cloud.points[:shown], cloud.components[:shown]
    inside = ((points > limits[:, 0]) & (points < limits[:, 1])).all(axis=1)  # 3-D axes do not clip
    points, components = points[inside], components[inside]
    axes.scatter(*points.T, c=_colours(components), s=3.5, alpha=0.55, linewidths=0, depthshade=False)
    axes.view_init(*VIEW)
    axes.set_box_aspect((1, 1, 1), zoom=1.18)
    for setter, limit in zip((axes.set_xlim, axes.set_ylim, axes.set_zlim), limits, strict=True):
        setter(*limit)
    for axis, name in zip((axes.xaxis, axes.yaxis, axes.zaxis), NAMES, strict=True):
        axis.set_pane_color((1, 1, 1, 0.55))
        axis.line.set_color(hexed(LIGHT.line))
        axis._axinfo["grid"].update(color=hexed(LIGHT.line), linewidth=0.6)
        axis.set_label_text(name, color=hexed(LIGHT.muted))
        axis.labelpad = -6
    axes.tick_params(colors=hexed(LIGHT.muted), labelsize=7, pad=-3)
    axes.set_title(title, loc="left", color=hexed(LIGHT.ink), fontsize=11)


def _marginal(axes: Axes, grid: MarginalGrid) -> None:
    """Truth as shaded areas, samples as lines around the same masses: where they part, the model errs."""
    levels = mass_levels(grid.true, MASSES)
    shades = [_blend(LIGHT.paper, ACCENTS[1], share) for share in (0.14, 0.28, 0.46, 0.68)]
    axes.contourf(grid.x, grid.y, grid.true, [*levels, grid.true.max() * 1.01], colors=shades[-len(levels) :])
    axes.contour(
        grid.x,
        grid.y,
        grid.sampled,
        mass_levels(grid.sampled, MASSES),
        colors=hexed(ACCENTS[0]),
        linewidths=0.9,
    )
    axes.set_aspect("equal", adjustable="datalim")


def _map(axes: Axes, cloud: PointCloud, title: str) -> None:
    axes.scatter(*cloud.points.T, c=_colours(cloud.components), s=7, alpha=0.85, linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_aspect("equal", adjustable="datalim")
    label(axes, title)


def _weights(axes: Axes, true: np.ndarray, sampled: np.ndarray) -> None:
    order = np.argsort(-true)
    place = np.arange(len(true))
    axes.bar(place, 100 * sampled[order], width=0.62, color=[COLOURS[k % len(COLOURS)] for k in order])
    for x, height in zip(place, 100 * true[order], strict=True):
        axes.plot([x - 0.42, x + 0.42], [height, height], color=hexed(LIGHT.ink), linewidth=1.6)
    axes.grid(visible=False, axis="x")
    axes.set_xticks(place, [str(k + 1) for k in order])
    label(axes, "Weights: bars sampled, lines true", "component", "% of the points")


def _table(axes: Axes, page: MixturePage) -> None:
    """The measures as rows and the densities as columns: few densities, many measures."""
    axes.set_axis_off()
    axes.set_title("Measured", loc="left", color=hexed(LIGHT.ink), fontsize=11)
    rows = [page.table_head, *page.table]
    widths = [0.46] + [0.54 / (len(page.table_head) - 1)] * (len(page.table_head) - 1)
    edges = np.cumsum([0.0, *widths])
    top, step = 0.93, 0.095
    for line, row in enumerate(rows):
        y = top - step * line
        for column, text in enumerate(row):
            axes.text(
                edges[0] if column == 0 else edges[column + 1],
                y,
                text,
                ha="left" if column == 0 else "right",
                va="center",
                fontsize=10,
                color=hexed(LIGHT.muted if line == 0 or column == 0 else LIGHT.ink),
                weight="bold" if column == 1 and line > 0 else "normal",
                transform=axes.transAxes,
            )
        axes.plot(
            [0, 1], [y - step / 2] * 2, color=hexed(LIGHT.line), linewidth=0.8, transform=axes.transAxes
        )
    axes.text(
        0,
        top - step * len(rows) - 0.02,
        page.note,
        va="top",
        fontsize=8.5,
        color=hexed(LIGHT.muted),
        transform=axes.transAxes,
        linespacing=1.5,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _colours(components: np.ndarray) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in components]


def _blend(paper: tuple[int, int, int], ink: tuple[int, int, int], share: float) -> str:
    """A colour between two, as opaque as paint: `share` of the ink."""
    return hexed(tuple(round((1 - share) * p + share * i) for p, i in zip(paper, ink, strict=True)))  # type: ignore[arg-type]
