"""How every plot looks: the paper, ink and accents of the contact sheets.

Enters: a size in inches. Leaves: a matplotlib figure with its own Agg canvas and empty axes. No global state
of matplotlib is read or changed, so plots of a notebook keep their own look beside ours.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facette.errors import UsageError
from facette.files import check_ending
from facette.images.sheets.file import write_whole
from facette.images.sheets.palette import ACCENTS, LIGHT, Colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMATS = (".png", ".pdf", ".svg", ".jpg", ".webp")
_DOTS_PER_INCH = 144


def new_figure(
    title: str,
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] = (8, 4.5),
    panels: int | None = None,
) -> "Figure":
    """A figure of `rows` × `columns` empty axes in the house's colours, or of the first `panels` of them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained", facecolor=hexed(LIGHT.paper))
    FigureCanvasAgg(figure)
    figure.subplots(rows, columns)
    for axes in figure.axes[panels:] if panels else ():
        axes.remove()
    figure.suptitle(title, x=0.012, ha="left", color=hexed(LIGHT.ink), fontsize=15)
    for axes in figure.axes:
        _dress(axes)
    return figure


def label(axes: "Axes", title: str = "", x: str = "", y: str = "") -> None:
    """Name one pair of axes and its quantities, with their units."""
    axes.set_title(title, loc="left", color=hexed(LIGHT.ink), fontsize=11)
    axes.set_xlabel(x, color=hexed(LIGHT.muted))
    axes.set_ylabel(y, color=hexed(LIGHT.muted))


def legend(axes: "Axes") -> None:
    """Name the drawn series without a box around the names."""
    axes.legend(frameon=False, labelcolor=hexed(LIGHT.ink), fontsize=9)


def footnote(figure: "Figure", text: str) -> None:
    """A line of small print under everything; the layout keeps its place free."""
    figure.supxlabel(text, x=0.012, ha="left", color=hexed(LIGHT.muted), fontsize=8)


def accent(place: int) -> str:
    """The colour of the series at `place`; after the last accent they begin again."""
    return hexed(ACCENTS[place % len(ACCENTS)])


def hexed(colour: Colour) -> str:
    """A colour in matplotlib's spelling."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def finite_row(values: np.ndarray, what: str) -> np.ndarray:
    """The values as a row of floats (N,). UsageError: no row, none in it, or one that is not finite."""
    row = np.asarray(values, dtype=float)
    if row.ndim != 1 or not len(row) or not np.isfinite(row).all():
        raise UsageError(f"{what} must be a row of finite numbers, not shape {row.shape}")
    return row


def save_figure(figure: "Figure", path: str | Path) -> Path:
    """Write a figure as .png, .pdf, .svg, .jpg or .webp, making parent folders.

    UsageError: another extension, or a place that cannot be written.
    """
    path = check_figure_path(path)
    options = {"format": path.suffix.lower().removeprefix("."), "facecolor": figure.get_facecolor()}
    return write_whole(path, lambda file: figure.savefig(file, **options))


def check_figure_path(path: str | Path) -> Path:
    """The path, if a figure can be written in its format."""
    return check_ending(path, _FORMATS)


def _dress(axes: "Axes") -> None:
    axes.set_facecolor(hexed(LIGHT.paper))
    axes.grid(True, color=hexed(LIGHT.line), linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=hexed(LIGHT.muted), length=0, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(hexed(LIGHT.line))
