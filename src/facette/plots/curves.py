"""Training curves and the rate of every latent.

Enters: journal rows or arrays. Leaves: a matplotlib `Figure`, for a notebook or for `save_figure`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.errors import UsageError
from facette.images.sheets.palette import LIGHT
from facette.plots.style import accent, finite_row, hexed, label, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTIVE_NATS = 0.01  # a latent whose mean rate is below this carries nothing

# What the panels show: the journal's key, its name, its unit.
_PANELS: tuple[tuple[str, str, str], ...] = (
    ("elbo", "evidence lower bound", "nats per image"),
    ("rate", "rate, KL(q‖p)", "nats per image"),
    ("distortion", "distortion, −log p(x|z)", "nats per image"),
    ("images_per_second", "speed", "images per second"),
    ("bits_per_dimension", "bits per dimension", "bits"),
    ("unexplained_variance", "unexplained variance", "share of the variance"),
    ("lr", "learning rate", ""),
)
_EVENTS = {"train": "training", "validation": "validation"}


def plot_training(rows: Sequence[Mapping[str, Any]], title: str = "Training") -> "Figure":
    """One panel for each quantity that the journal has, over the step; validation apart from training.

    Rows are dictionaries with `step`, `event` ("train" when it is missing, or "validation") and any of elbo,
    rate, distortion, images_per_second, bits_per_dimension, unexplained_variance, lr, in any order. Where
    a row has rate and distortion and no elbo, it follows from them. UsageError: nothing of all that is there.
    """
    panels = [(name, unit, _series(rows, key)) for key, name, unit in _PANELS]
    panels = [panel for panel in panels if panel[2]]
    if not panels:
        raise UsageError("nothing to plot: no journal row has a step and a rate, a distortion or an elbo")
    columns = 1 if len(panels) == 1 else 2
    height = -(-len(panels) // columns)
    figure = new_figure(title, height, columns, (5.2 * columns, 0.6 + 2.6 * height), len(panels))
    for axes, (name, unit, series) in zip(figure.axes, panels, strict=True):
        for event, points in series.items():
            _draw_series(axes, points, _EVENTS[event], list(_EVENTS).index(event))
        label(axes, name, "step", unit)
        if len(series) > 1:
            legend(axes)
    return figure


def plot_rate_per_latent(rate: np.ndarray) -> "Figure":
    """Bars of the mean KL (Z,) in nats, largest first; latents that carry nothing are grey and counted.

    UsageError: not a row of finite numbers.
    """
    ordered = np.sort(finite_row(rate, "the rate of every latent"))[::-1]
    active = int((ordered > ACTIVE_NATS).sum())
    figure = new_figure("Rate of every latent", size=(8, 3.6))
    axes = figure.axes[0]
    colours = [accent(1) if place < active else hexed(LIGHT.line) for place in range(len(ordered))]
    axes.bar(np.arange(1, len(ordered) + 1), ordered, width=0.85, color=colours)
    axes.set_xlim(0.3, len(ordered) + 0.7)
    summary = f"{active} of {len(ordered)} active, {ordered.sum():.1f} nats together"
    label(axes, summary, "latents by rate", "nats per image")
    return figure


def _series(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, np.ndarray]:
    """For each event that has the quantity: points (P, 2) of step and value, in the order of steps."""
    series = {}
    for event in _EVENTS:
        chosen = [row for row in rows if "step" in row and row.get("event", "train") == event]
        points = [(row["step"], value) for row in chosen if (value := _value(row, key)) is not None]
        if points:
            series[event] = np.array(sorted(points), dtype=float)
    return series


def _value(row: Mapping[str, Any], key: str) -> float | None:
    if key == "elbo" and key not in row and {"rate", "distortion"} <= row.keys():
        return -row["rate"] - row["distortion"]
    return row.get(key)


def _draw_series(axes: "Axes", points: np.ndarray, name: str, place: int) -> None:
    """A pale line of what was logged under a strong one of its running mean, where there is enough to smooth."""
    step, value = points.T
    window = len(value) // 25
    if window < 2:
        axes.plot(step, value, color=accent(place), label=name, marker="o" if len(value) < 20 else "", ms=3)
        return
    axes.plot(step, value, color=accent(place), alpha=0.3, linewidth=0.8)
    mean = np.convolve(value, np.ones(window) / window, mode="valid")
    middle = np.convolve(step, np.ones(window) / window, mode="valid")
    axes.plot(middle, mean, color=accent(place), label=name, linewidth=1.8)
