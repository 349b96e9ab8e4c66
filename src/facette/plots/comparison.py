"""Methods of making relatives of a photo, over the whole range of their knobs.

Enters: arrays of figures by rising level, one `Tradeoff` for each method. Leaves: a matplotlib figure whose panels
share the similarity as their axis, because that is where methods with different knobs can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facette.errors import UsageError
from facette.images.sheets.palette import LIGHT
from facette.plots.style import accent, hexed, label, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """One method at P levels of its knob."""

    name: str
    level: np.ndarray  # (P,) as a share of the strongest one, [0, 1], ascending
    similarity: np.ndarray  # (P,)
    realism: np.ndarray  # (P,)
    spread: np.ndarray  # (P,)
    sharpness: np.ndarray  # (P,)
    chosen: int  # the level at which the methods are compared


_PANELS = (
    ("realism", "Realism: real faces have 0.5", "share of real faces"),
    ("spread", "Spread of the pictures", "root mean squared difference"),
    ("sharpness", "Sharpness: the photo has 1", "of the photo's"),
)


def plot_tradeoffs(methods: Sequence[Tradeoff], title: str = "Over the whole range") -> Figure:
    """Similarity over the knob, then realism, spread and sharpness over the similarity; a ring marks what is compared.

    UsageError: no method, or one without a level.
    """
    if not methods or any(not len(method.level) for method in methods):
        raise UsageError("there is nothing to draw: every method needs at least one level.")
    figure = new_figure(title, 2, 2, size=(10, 7.2))
    first, *rest = figure.axes
    for place, method in enumerate(methods):
        _draw(first, method.level, method.similarity, method, place)
        for axes, (quantity, _, _) in zip(rest, _PANELS, strict=True):
            _draw(axes, method.similarity, getattr(method, quantity), method, place)
    label(first, "Similarity to the photo", "knob, from reconstruction to strongest", "similarity")
    for axes, (_, name, unit) in zip(rest, _PANELS, strict=True):
        label(axes, name, "similarity to the photo", unit)
        axes.invert_xaxis()  # as the knob is turned, to the right
    legend(first)
    return figure


def _draw(axes: Axes, x: np.ndarray, y: np.ndarray, method: Tradeoff, place: int) -> None:
    """A line in the order of the levels, and a ring at the chosen one."""
    axes.plot(x, y, color=accent(place), marker="o", markersize=3.5, linewidth=1.6, label=method.name)
    axes.plot(
        x[[method.chosen]],
        y[[method.chosen]],
        marker="o",
        markersize=10,
        markerfacecolor="none",
        markeredgecolor=hexed(LIGHT.ink),
        markeredgewidth=1.4,
        linestyle="none",
    )
