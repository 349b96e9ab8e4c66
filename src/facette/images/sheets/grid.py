"""Contact sheets: pictures with their captions, laid out so that one glance says what they are.

Enters: pictures (height, width, 1, 3 or 4 channels, or no channel axis) of one size, and words. Leaves: a `Sheet`,
an RGB image that also knows where every picture and every text stands. It knows no model and no latent.

    contact_sheet    any rows of cells, with row labels, column headers and a large photo at the left
    variation_sheet  a photo and its relatives          sweep_sheet   one labelled row for each factor
    pair_sheet       originals over reconstructions     wall_sheet    many pictures, no order
    save_sheet       to a file, with the command inside
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facette.errors import UsageError
from facette.images.sheets.file import check_sheet_path, read_metadata, write_image
from facette.images.sheets.layout import Cell, Sheet, SheetPlan, SheetRow, common_shape, draw_sheet
from facette.images.sheets.palette import ThemeName, theme

__all__ = [
    "Cell",
    "Sheet",
    "SheetRow",
    "check_sheet_path",
    "contact_sheet",
    "pair_sheet",
    "read_metadata",
    "save_sheet",
    "sweep_sheet",
    "variation_sheet",
    "wall_sheet",
]

FEW = 24  # sheets of up to this many pictures show them larger
LARGE, SMALL = 160, 128  # shortest pleasant side of a picture on a small and on a large sheet
LARGEST = 256  # side of a picture on a sheet, which would else be nothing but pictures
WIDEST = 12  # pictures side by side before a row is wrapped


def contact_sheet(
    rows: Sequence[SheetRow],
    *,
    title: str = "",
    subtitle: str = "",
    footer: str = "",
    columns: Sequence[str] = (),
    photo: Cell | None = None,
    wrap: int | None = None,
    tile: int | None = None,
    theme_name: ThemeName = "light",
    rounded: bool = True,
) -> Sheet:
    """Lay out `rows`, top to bottom.

    `columns` are headers over the pictures; `photo` stands large and framed at the left; a row of more than
    `wrap` cells goes on below; `tile` is the longer side of a shown picture in pixels (default: a whole
    multiple of the picture's own side, at most 256). UsageError: no pictures, or pictures of different sizes or kinds.
    """
    cells = [cell for row in rows for cell in row.cells]
    shape = common_shape(cells)
    longest = max(len(row.cells) for row in rows)
    across = min(max(len(columns), wrap or WIDEST), longest)
    side = tile or _pleasant_side(max(shape), len(cells))
    plan = SheetPlan.of(shape, side, theme(theme_name), rounded)
    return draw_sheet(plan, rows, (title, subtitle, footer), columns, photo, across)


def variation_sheet(
    photo: np.ndarray, pictures: Sequence[np.ndarray], captions: Sequence[str] = (), **options: Any
) -> Sheet:
    """The photo, large and framed, and its relatives in two rows (in more when there are many)."""
    across = max(1, min(8, -(-len(pictures) // 2)))
    options = {"photo": Cell(photo, "photo", framed=True), "wrap": across, **options}
    return contact_sheet([SheetRow(_cells(pictures, captions))], **options)


def sweep_sheet(
    photo: np.ndarray | None, rows: Sequence[Sequence[np.ndarray]], labels: Sequence[str], **options: Any
) -> Sheet:
    """One row of pictures for each label, e.g. for each diversity factor."""
    lead = None if photo is None else Cell(photo, "photo", framed=True)
    named = [SheetRow(_cells(row), label) for row, label in zip(rows, labels, strict=True)]
    return contact_sheet(named, photo=lead, **options)


def pair_sheet(
    above: Sequence[np.ndarray],
    below: Sequence[np.ndarray],
    labels: tuple[str, str] = ("original", "reconstruction"),
    captions: Sequence[str] = (),
    **options: Any,
) -> Sheet:
    """Each picture of `above` over its partner of `below`; captions belong to the partner."""
    if len(above) != len(below):
        raise UsageError(f"{len(above)} {labels[0]} pictures but {len(below)} {labels[1]}: give pairs")
    across = options.pop("wrap", None) or 10
    upper, lower = _cells(above), _cells(below, captions)
    rows = []
    for i in range(0, len(upper), across):
        rows.append(SheetRow(upper[i : i + across], labels[0], apart=i > 0))
        rows.append(SheetRow(lower[i : i + across], labels[1]))
    return contact_sheet(rows, wrap=across, **options)


def wall_sheet(pictures: Sequence[np.ndarray], captions: Sequence[str] = (), **options: Any) -> Sheet:
    """All pictures in a block a little wider than high."""
    across = max(1, round((1.6 * len(pictures)) ** 0.5))
    return contact_sheet([SheetRow(_cells(pictures, captions))], **{"wrap": across, **options})


def save_sheet(
    sheet: Sheet | Image.Image, path: str | Path, metadata: Mapping[str, Any] | None = None
) -> Path:
    """Write the sheet as .png, .jpg or .webp with `metadata` (e.g. the command that makes it again) inside.

    The file appears whole or not at all. UsageError: another extension, or a place that cannot be written.
    """
    return write_image(sheet.image if isinstance(sheet, Sheet) else sheet, path, metadata)


def _pleasant_side(side: int, count: int) -> int:
    wished = LARGE if count <= FEW else SMALL
    whole = side * max(1, -(-wished // side))
    return whole if whole <= LARGEST else min(side, LARGEST)


def _cells(pictures: Sequence[np.ndarray], captions: Sequence[str] = ()) -> list[Cell]:
    if captions and len(captions) != len(pictures):
        raise UsageError(f"{len(captions)} captions for {len(pictures)} pictures: give one for each, or none")
    return [Cell(picture, captions[i] if captions else "") for i, picture in enumerate(pictures)]
