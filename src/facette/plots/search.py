"""A search over recipes: how its trials went, and what each searched value did.

Enters: arrays and texts. Leaves: matplotlib figures. Knows nothing of recipes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facette.images.sheets.palette import LIGHT
from facette.plots.style import accent, hexed, label, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Course:
    """The validations of a trial."""

    number: int
    points: NDArray[np.float64]  # (P, 2): step, value
    early: bool  # it was ended before its length


def plot_courses(courses: Sequence[Course], best: int | None, quantity: str, unit: str) -> Figure:
    """The value at every validation of every trial; the best one in colour, those that were ended early dashed."""
    figure = new_figure("Trials", size=(8, 4.2))
    axes = figure.axes[0]
    for course in courses:
        chosen = course.number == best
        axes.plot(
            *course.points.T,
            color=accent(0) if chosen else hexed(LIGHT.muted),
            alpha=1.0 if chosen else 0.5,
            linewidth=2 if chosen else 1,
            linestyle="--" if course.early else "-",
            marker="o",
            ms=3,
            zorder=3 if chosen else 2,
            label=f"trial {course.number}" if chosen else None,
        )
    label(axes, quantity, "step", unit)
    if any(course.number == best for course in courses):
        legend(axes)
    return figure


def plot_values(
    values: Mapping[str, Sequence[float | str]], reached: NDArray[np.float64], best: int, quantity: str
) -> Figure:
    """What T trials reached, (T,), over each searched value, a panel for each; `best` is a place among them."""
    columns = min(COLUMNS, len(values))
    rows = -(-len(values) // columns)
    size = (max(4.0, 3.4 * columns), 0.7 + 2.7 * rows)
    figure = new_figure("What was searched", rows, columns, size, len(values))
    for axes, (name, tried) in zip(figure.axes, values.items(), strict=True):
        words = any(isinstance(value, str) for value in tried)
        places = sorted({str(value) for value in tried}, key=_in_order) if words else []
        x = np.array([places.index(str(v)) if words else float(v) for v in tried])
        axes.scatter(x, reached, s=18, color=hexed(LIGHT.muted))
        axes.scatter(x[best], reached[best], s=42, color=accent(0), zorder=3)
        if words:
            axes.set_xticks(range(len(places)), places)
        elif x.min() > 0 and x.max() / x.min() >= 8:
            axes.set_xscale("log")
        label(axes, name, "", quantity)
    return figure


def _in_order(text: str) -> tuple[bool, float, str]:
    """Numbers by their size, before words."""
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text
