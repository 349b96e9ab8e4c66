"""What strengths of noise do, as curves and as a page.

Enters: strengths and arrays of likeness, realism, spread and cycle consistency, a contact sheet, words. Leaves: a
matplotlib figure, a `Page`. It knows no model and measures nothing.

Legend: F strengths, N variations.
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
    automatic: float | None = None,
    title: str = "What the strength does",
) -> Figure:
    """A panel each over the strength (F,): likeness, realism (F, N) as means with their range, spread, cycle (F,).

    Where strangers begin is drawn under the likeness, `automatic` through all panels. UsageError: arrays that do not
    have a row for each strength.
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
    label(axes[0], "likeness to the person", "strength", "1 the photo, 0 a stranger")
    _draw_line(axes[0], 0, "1 % of strangers")
    _draw_range(axes[1], x, real, 1)
    label(axes[1], "realism", "strength", "share of real faces")
    axes[1].set_ylim(bottom=0)
    axes[2].plot(x, spread, color=accent(2), marker="o", ms=3)
    label(axes[2], "spread among the variations", "strength", "1 − mean cosine")
    axes[2].set_ylim(bottom=0)
    if cycle is not None:
        axes[3].plot(x, cycle, color=accent(3), marker="o", ms=3)
        label(axes[3], "cycle: encoded again", "strength", "RMS per latent")
        axes[3].set_ylim(bottom=0)
    if automatic is not None:
        for panel in axes:
            panel.axvline(automatic, color=hexed(LIGHT.ink), linewidth=1, label=f"auto {automatic:.3g}")
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
    """The report of one photo: what is said of it, the curves, the sheet, a table and the numbers.

    `readings` are plain values as JSON has them: `automatic`, and `readings`, one for each strength with `factor`,
    `likeness` and `realism` (N,), `spread` and `cycle`. `words` are said first.
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
                automatic=readings["automatic"],
                title="",
            ),
            "The line is the mean of the variations, the band reaches from the least to the largest of them.",
        )
    page.heading("Variations").picture(sheet, "A row for each strength; a column keeps its direction.")
    page.heading("Figures").table(
        ("strength", "likeness", "least like", "the same person", "realism", "spread", "cycle"),
        [_row(row) for row in rows],
    )
    return page.prose(_MEANING).data(readings)


def _row(row: Mapping[str, Any]) -> tuple[str | float, ...]:
    like = np.asarray(row["likeness"], float)
    return (
        f"{row['factor']:g}",
        float(like.mean()),
        float(like.min()),
        f"{(like > 0).mean():.0%}",
        float(np.mean(row["realism"])),
        float(row["spread"]),
        float(row["cycle"]),
    )


_MEANING = """
Likeness is how like the person a variation is, to a network that knows people, measured on faces of 128 pixels: 1 is
the photo itself, 0 as far from it as the nearest of strangers, one pair in a hundred. Another photo of the same person
is at 0.3 in the median. Where that network is not installed, it is what the model's curve expects.

Realism is the share of real faces that lie no nearer to their like than the variation does, to the attribute network,
which sees hair, age, beard, glasses, expression and colouring and not who somebody is: 0.5 for real faces on
average, 0 for what no real face looks like. Spread is one minus the mean cosine of every two variations: 0 when all are
the same, 1 for strangers. The cycle is how far the encoder finds a decoded variation from the latent it came from.
"""


def _draw_range(axes: Axes, x: np.ndarray, values: np.ndarray, place: int) -> None:
    axes.fill_between(x, values.min(1), values.max(1), color=accent(place), alpha=0.18, linewidth=0)
    axes.plot(x, values.mean(1), color=accent(place), marker="o", ms=3)


def _draw_line(axes: Axes, height: float, name: str) -> None:
    axes.axhline(height, color=hexed(LIGHT.muted), linewidth=1, linestyle=(0, (4, 3)), label=name)
