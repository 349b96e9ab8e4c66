"""What a diversity factor does, as curves and as a page.

Enters: factors and arrays of likeness, realism, spread and cycle consistency, a contact sheet, words. Leaves: a
matplotlib figure, a `Page`. It knows no model and measures nothing.

Legend: F factors, N variations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from facette.errors import UsageError
from facette.images.sheets.palette import LIGHT
from facette.plots.style import accent, hexed, label, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from facette.images.sheets.grid import Sheet
    from facette.plots.page import Page


def plot_dial(
    factors: Sequence[float],
    likeness: ArrayLike,
    realism: ArrayLike,
    spread: Sequence[float],
    cycle: Sequence[float] | None = None,
    *,
    threshold: float | None = None,
    floor: float | None = None,
    recommended: float | None = None,
    title: str = "What the factor does",
) -> Figure:
    """A panel each over the factor (F,): likeness and realism (F, N) as means with their range, spread and cycle (F,).

    `threshold` is drawn under the likeness, `floor` under the realism, `recommended` through all panels.
    UsageError: arrays that do not have a row for each factor.
    """
    like, real = np.asarray(likeness, float), np.asarray(realism, float)
    x = np.asarray(factors, float)
    if not (like.ndim == real.ndim == 2 and len(like) == len(real) == len(spread) == len(x) > 0):
        raise UsageError(f"{len(x)} factors do not fit likeness {like.shape} and realism {real.shape}")
    figure = (
        new_figure(title, 1, 3, size=(12, 3.6)) if cycle is None else new_figure(title, 2, 2, size=(9, 6.4))
    )
    axes = figure.axes
    _draw_range(axes[0], x, like, 0)
    label(axes[0], "likeness to the photo", "factor", "cosine")
    if threshold is not None:
        _draw_line(axes[0], threshold, "1 % of strangers")
    _draw_range(axes[1], x, real, 1)
    label(axes[1], "realism", "factor", "share of real faces")
    axes[1].set_ylim(bottom=0)
    if floor is not None:
        _draw_line(axes[1], floor, "20 % below factor 1")
    axes[2].plot(x, spread, color=accent(2), marker="o", ms=3)
    label(axes[2], "spread among the variations", "factor", "1 − mean cosine")
    axes[2].set_ylim(bottom=0)
    if cycle is not None:
        axes[3].plot(x, cycle, color=accent(3), marker="o", ms=3)
        label(axes[3], "cycle: encoded again", "factor", "RMS per latent")
        axes[3].set_ylim(bottom=0)
    if recommended is not None:
        for panel in axes:
            panel.axvline(
                recommended, color=hexed(LIGHT.ink), linewidth=1, label=f"recommended {recommended:.3g}"
            )
    for panel in axes[:2]:
        if len(panel.lines) > 1:
            legend(panel)
    return figure


def dial_page(
    title: str,
    subtitle: str,
    sheet: Sheet,
    readings: Mapping[str, Any],
    words: Sequence[str],
) -> Page:
    """The report of one photo: the recommendation, the curves, the sheet, a table and the numbers.

    `readings` are plain values as JSON has them: `threshold`, `realism_floor`, `recommended` (or None), and `readings`,
    one for each factor with `factor`, `likeness` and `realism` (N,), `spread` and `cycle`. `words` are said first.
    """
    from facette.plots.page import Page

    rows = readings["readings"]
    page = Page(title, subtitle)
    page.bullets(words)
    page.heading("Curves")
    if len(rows) > 1:
        page.figure(
            plot_dial(
                [row["factor"] for row in rows],
                [row["likeness"] for row in rows],
                [row["realism"] for row in rows],
                [row["spread"] for row in rows],
                [row["cycle"] for row in rows],
                threshold=readings["threshold"],
                floor=readings["realism_floor"],
                recommended=readings["recommended"],
                title="",
            ),
            "The line is the mean of the variations, the band reaches from the least to the largest of them.",
        )
    page.heading("Variations").picture(sheet, "A row for each factor; a column keeps its direction.")
    page.heading("Figures").table(
        ("factor", "likeness", "least like", "above threshold", "realism", "spread", "cycle"),
        [_row(row, readings["threshold"]) for row in rows],
    )
    return page.prose(_MEANING).data(readings)


def _row(row: Mapping[str, Any], threshold: float) -> tuple[str | float, ...]:
    like = np.asarray(row["likeness"], float)
    return (
        f"{row['factor']:g}",
        float(like.mean()),
        float(like.min()),
        f"{(like >= threshold).mean():.0%}",
        float(np.mean(row["realism"])),
        float(row["spread"]),
        float(row["cycle"]),
    )


_MEANING = """
Likeness is the cosine of a variation with the photo in the embedding of the attribute network, whitened: 1 is the
photo itself, 0 an average stranger. It sees hair, age, beard, glasses, expression and colouring, not who somebody is.
The threshold is what one pair of strangers in a hundred exceeds.

Realism is the share of real faces that lie no nearer to their like than the variation does: 0.5 for real faces on
average, 0 for what no real face looks like. Spread is one minus the mean cosine of every two variations: 0 when all are
the same, 1 for strangers. The cycle is how far the encoder finds a decoded variation from the latent it came from.
"""


def _draw_range(axes: Axes, x: np.ndarray, values: np.ndarray, place: int) -> None:
    axes.fill_between(x, values.min(1), values.max(1), color=accent(place), alpha=0.18, linewidth=0)
    axes.plot(x, values.mean(1), color=accent(place), marker="o", ms=3)


def _draw_line(axes: Axes, height: float, name: str) -> None:
    axes.axhline(height, color=hexed(LIGHT.muted), linewidth=1, linestyle=(0, (4, 3)), label=name)
