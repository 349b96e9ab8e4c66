"""What an evaluation measured, as figures: bars with intervals, rates of all latents, nearest training pictures.

Enters: names and arrays. Leaves: a matplotlib `Figure`. It knows neither models nor what a measure means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facette.errors import UsageError
from facette.images.sheets.palette import LIGHT
from facette.plots.style import accent, finite_row, hexed, label, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_HEIGHT = 0.28  # inches for a bar


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure of several things: a bar for each, from `low` to `high` its interval."""

    title: str
    names: Sequence[str]
    values: Sequence[float]  # (B,)
    lows: Sequence[float]  # (B,)
    highs: Sequence[float]  # (B,)
    mark: float | None = None  # a value to compare with, drawn as a dashed line through all bars


def plot_bars(panels: Sequence[Panel], title: str, columns: int = 2) -> Figure:
    """A panel of horizontal bars for each measure, every panel with its own scale.

    UsageError: no panel, or lengths that differ within one.
    """
    if not panels:
        raise UsageError("nothing to draw: give at least one measure")
    for panel in panels:
        if len({len(panel.names), len(panel.values), len(panel.lows), len(panel.highs)}) != 1:
            raise UsageError(f"{panel.title!r} has other numbers of names, values and bounds")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    tallest = max(len(panel.names) for panel in panels)
    size = (5.2 * columns, 0.5 + rows * (0.75 + ROW_HEIGHT * tallest))
    figure = new_figure(title, rows, columns, size, len(panels))
    for place, (axes, panel) in enumerate(zip(figure.axes, panels, strict=True)):
        _draw_bars(axes, panel)
        if place % columns:
            axes.set_yticklabels([] if panel.names == panels[place - 1].names else panel.names)
    return figure


def plot_rates(rates: Mapping[str, np.ndarray]) -> Figure:
    """The mean KL (Z,) in nats of each model's latents, largest first, one line for each model.

    UsageError: no model, or rates that are no row of finite numbers.
    """
    if not rates:
        raise UsageError("nothing to draw: give the rates of at least one model")
    figure = new_figure("Rate of every latent", size=(8, 3.8))
    axes = figure.axes[0]
    for place, (name, values) in enumerate(rates.items()):
        row = finite_row(values, f"the rates of {name!r}")
        ordered = np.sort(row)[::-1]
        words = f"{name}: {row.sum():.0f} nats in {len(row)} latents"
        axes.step(np.arange(1, len(row) + 1), ordered, where="mid", color=accent(place), label=words)
    axes.set_ylim(bottom=0)
    label(axes, "", "latents by rate", "nats per datum")
    legend(axes)
    return figure


def plot_nearest(samples: np.ndarray, held_out: np.ndarray, threshold: float, title: str) -> Figure:
    """How many lie nearer to a training picture than a distance: sorted distances of samples (N,) and of held-out
    pictures (M,). A line of samples to the left of the other means copies. UsageError: nothing in one of them."""
    if not len(samples) or not len(held_out):
        raise UsageError("distances of samples and of held-out pictures are both needed")
    figure = new_figure(title, size=(8, 3.8))
    axes = figure.axes[0]
    for place, (name, values) in enumerate((("samples", samples), ("held-out photos", held_out))):
        ordered = np.sort(np.asarray(values, dtype=float))
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        axes.plot(ordered, share, color=accent(place), label=name)
    axes.axvline(
        threshold, color=hexed(LIGHT.muted), linestyle="--", linewidth=1, label="1 % of held-out photos"
    )
    axes.set_ylim(0, 1)
    label(axes, "", "distance to the nearest training picture", "share nearer than that")
    legend(axes)
    return figure


def _draw_bars(axes: Axes, panel: Panel) -> None:
    places = np.arange(len(panel.names))[::-1]  # the first on top
    values = np.asarray(panel.values, dtype=float)
    # An interval that does not hold its own value, as a ratio's may not, shows no negative length.
    reach = np.maximum([values - np.asarray(panel.lows), np.asarray(panel.highs) - values], 0)
    colours = [accent(place) for place in range(len(places))]
    axes.barh(places, values, height=0.66, color=colours)
    axes.errorbar(values, places, xerr=reach, fmt="none", ecolor=hexed(LIGHT.ink), elinewidth=1, capsize=2)
    axes.set_yticks(places, list(panel.names))
    axes.set_ylim(-0.6, len(places) - 0.4)
    axes.grid(False, axis="y")
    if panel.mark is not None:
        axes.axvline(panel.mark, color=hexed(LIGHT.muted), linestyle="--", linewidth=1)
    label(axes, panel.title)
