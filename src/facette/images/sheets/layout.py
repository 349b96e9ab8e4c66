"""Where everything on a contact sheet stands, and the drawing of it.

Enters: rows of cells, headings and measures that `grid` has settled. Leaves: a `Sheet`. Places are found
first, from top to bottom; the paper is cut to their extent, and then everything is drawn once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from facette.errors import UsageError
from facette.images.convert import as_rgb
from facette.images.sheets.lettering import Box, Lettering, fit_text, write
from facette.images.sheets.palette import Theme

MARGIN, GAP = 36, 12
TITLE, SUBTITLE, CAPTION, FOOTER = 27, 16, 14, 12  # font sizes in pixels
LABEL_WIDTH = 150  # at most; a longer row label is wrapped


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture of a sheet. `framed` sets it apart."""

    picture: np.ndarray  # uint8 or uint16, (H, W, 1, 3 or 4) or (H, W)
    caption: str = ""
    framed: bool = False


@dataclass(frozen=True, slots=True)
class SheetRow:
    """Cells side by side, with a label at their left. `apart` leaves more air above the row."""

    cells: Sequence[Cell]
    label: str = ""
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A drawn sheet. Boxes are (left, top, right, bottom) in pixels of `image`."""

    image: Image.Image
    tiles: tuple[tuple[Box, ...], ...]  # one for each cell of each row, in the order given
    photo: Box | None
    texts: tuple[Box, ...]  # every text drawn


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """Measures of one sheet that all its rows share."""

    width: int  # of a tile
    height: int
    theme: Theme
    radius: int  # of its corners

    @classmethod
    def of(cls, shape: tuple[int, int], side: int, colours: Theme, rounded: bool) -> "SheetPlan":
        high, wide = (max(1, round(length * side / max(shape))) for length in shape)
        return cls(wide, high, colours, round(side * 0.06) if rounded else 0)


@dataclass(frozen=True, slots=True)
class _Line:
    """What stands side by side after wrapping; `row` is the place of the row it comes from."""

    cells: Sequence[Cell]
    label: str
    apart: bool
    row: int


@dataclass(slots=True)
class _Sketch:
    """Everything placed so far; it is drawn once its extent is known."""

    pictures: list[tuple[Cell, Box]] = field(default_factory=list)
    words: list[tuple[Lettering, tuple[int, int], str, str]] = field(default_factory=list)

    def say(self, text: Lettering, x: int, y: int, tone: str = "muted", anchor: str = "middle") -> int:
        """Place words; returns their lower edge."""
        if text.lines:
            self.words.append((text, (x, y), tone, anchor))
        return y + text.height


def draw_sheet(
    plan: SheetPlan,
    rows: Sequence[SheetRow],
    headings: tuple[str, str, str],
    columns: Sequence[str],
    photo: Cell | None,
    across: int,
) -> Sheet:
    """Draw `rows`, `across` tiles wide, under title and subtitle and over a footer."""
    title, subtitle, footer = headings
    sketch, lines = _Sketch(), _wrapped(rows, across)
    label_width = max((fit_text(row.label, SUBTITLE, LABEL_WIDTH).width for row in rows), default=0)
    big = _photo_side(plan, len(lines)) if photo else (0, 0)
    labels_at = MARGIN + (big[0] + 3 * GAP if photo else 0)
    left = labels_at + (label_width + GAP + 4 if label_width else 0)
    right = left + across * (plan.width + GAP) - GAP
    # A narrow sheet grows to hold a title of ordinary length; only a longer one is wrapped.
    wished = [
        fit_text(text, size, 560) for text, size in ((title, TITLE), (subtitle, SUBTITLE), (footer, FOOTER))
    ]
    right = max(right, MARGIN + max(text.width for text in wished))

    y = sketch.say(fit_text(title, TITLE, right - MARGIN), MARGIN, MARGIN, "ink", "left")
    y = sketch.say(fit_text(subtitle, SUBTITLE, right - MARGIN, 4), MARGIN, y + 2, "muted", "left")
    y = top = y + (GAP + 6 if title or subtitle else 0)
    y = _place_headers(sketch, plan, columns, left, y)
    photo_box, photo_end = _place_photo(sketch, photo, big, y)
    tiles: dict[int, list[Box]] = {}
    for line in lines:
        y, boxes = _place_line(
            sketch, plan, line, (labels_at, label_width, left), y + (2 * GAP if line.apart else 0)
        )
        tiles.setdefault(line.row, []).extend(boxes)
    y = max(y - GAP, photo_end, top)
    if footer:
        y = sketch.say(fit_text(footer, FOOTER, right - MARGIN, 6), MARGIN, y + GAP + 6, "muted", "left")
    image, texts = _paint(plan, sketch, (right + MARGIN, y + MARGIN))
    return Sheet(image, tuple(tuple(tiles.get(row, ())) for row in range(len(rows))), photo_box, texts)


def _wrapped(rows: Sequence[SheetRow], across: int) -> list[_Line]:
    return [
        _Line(row.cells[i : i + across], row.label if i == 0 else "", row.apart and i == 0, number)
        for number, row in enumerate(rows)
        for i in range(0, len(row.cells), across)
    ]


def _place_headers(sketch: _Sketch, plan: SheetPlan, columns: Sequence[str], left: int, y: int) -> int:
    texts = [fit_text(name, SUBTITLE - 1, plan.width) for name in columns]
    bottom = y + max((text.height for text in texts), default=0)
    for i, text in enumerate(texts):
        sketch.say(text, left + i * (plan.width + GAP) + plan.width // 2, bottom - text.height, "ink")
    return bottom + (6 if texts else 0)


def _place_photo(
    sketch: _Sketch, photo: Cell | None, size: tuple[int, int], y: int
) -> tuple[Box | None, int]:
    if photo is None:
        return None, y
    box = (MARGIN, y, MARGIN + size[0], y + size[1])
    sketch.pictures.append((Cell(photo.picture, photo.caption, framed=True), box))
    caption = fit_text(photo.caption, SUBTITLE - 1, size[0], 3)
    return box, sketch.say(caption, MARGIN + size[0] // 2, box[3] + 8, "accent")


def _place_line(
    sketch: _Sketch, plan: SheetPlan, line: _Line, across: tuple[int, int, int], y: int
) -> tuple[int, list[Box]]:
    labels_at, label_width, left = across
    label = fit_text(line.label, SUBTITLE, max(label_width, 1), 4)
    # A label of many lines is higher than the tile beside it; the line grows with it.
    height = max(plan.height, label.height)
    sketch.say(label, labels_at + label_width, y + (height - label.height) // 2, "ink", "right")
    boxes, lower = [], y + height
    for i, cell in enumerate(line.cells):
        x, top = left + i * (plan.width + GAP), y + (height - plan.height) // 2
        box = (x, top, x + plan.width, top + plan.height)
        boxes.append(box)
        sketch.pictures.append((cell, box))
        caption = fit_text(cell.caption, CAPTION, plan.width)
        tone = "accent" if cell.framed else "muted"
        end = sketch.say(caption, x + plan.width // 2, box[3] + 7, tone)
        lower = max(lower, end + 4 if caption.lines else lower)
    return lower + GAP, boxes


def _paint(plan: SheetPlan, sketch: _Sketch, size: tuple[int, int]) -> tuple[Image.Image, tuple[Box, ...]]:
    image = Image.new("RGB", size, plan.theme.paper)
    pen = ImageDraw.Draw(image)
    for cell, box in sketch.pictures:
        if cell.framed:
            grown = (box[0] - 5, box[1] - 5, box[2] + 5, box[3] + 5)
            image.paste(plan.theme.accent, grown, _stencil(grown, plan.radius and plan.radius + 5))
            gap = (box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2)
            image.paste(plan.theme.paper, gap, _stencil(gap, plan.radius and plan.radius + 2))
        size = (box[2] - box[0], box[3] - box[1])
        shown = Image.fromarray(_as_rgb(cell.picture))
        shown = shown if shown.size == size else shown.resize(size, Image.Resampling.LANCZOS)
        image.paste(shown, box[:2], _stencil(box, plan.radius))
    boxes = tuple(
        write(pen, text, at, getattr(plan.theme, tone), where) for text, at, tone, where in sketch.words
    )
    return image, boxes


def _stencil(box: Box, radius: int) -> Image.Image:
    """A rectangle with smooth round corners: drawn four times as large, then averaged."""
    width, height = box[2] - box[0], box[3] - box[1]
    large = Image.new("L", (4 * width, 4 * height))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), 4 * radius, fill=255)
    return large.reduce(4)


def _photo_side(plan: SheetPlan, lines: int) -> tuple[int, int]:
    """The photo is as high as two rows with their captions, or as one where there is no second."""
    scale = 1.0 if lines < 2 else (2 * plan.height + GAP + CAPTION) / plan.height
    return round(plan.width * scale), round(plan.height * scale)


def common_shape(cells: Sequence[Cell]) -> tuple[int, int]:
    """Height and width of all pictures."""
    shapes = {_as_rgb(cell.picture).shape[:2] for cell in cells}
    if not shapes:
        raise UsageError("a contact sheet needs at least one picture")
    if len(shapes) > 1:
        listed = ", ".join(f"{wide}×{high}" for high, wide in sorted(shapes))
        raise UsageError(f"pictures of a contact sheet must have one size, not {listed}")
    return next(iter(shapes))


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    array = np.asarray(picture)
    if array.ndim == 2:
        array = array[:, :, None]
    kinds = (np.uint8, np.uint16)
    if array.dtype not in kinds or array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise UsageError(
            f"a picture must be uint8 or uint16 of height×width×1, ×3 or ×4, not {array.dtype} of {array.shape}"
        )
    return np.ascontiguousarray(as_rgb(array, checkered=True))
