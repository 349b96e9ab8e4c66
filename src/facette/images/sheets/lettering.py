"""Text that fits its place: a width in pixels goes in, lines that are never wider come out.

It knows fonts and widths, and nothing of sheets. The fonts are those that come with Pillow and, for letters
that one lacks, with matplotlib: nothing is looked up on the machine, so a sheet is the same everywhere.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageDraw, ImageFont

from facette.images.sheets.palette import Colour

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are outside

SMALLEST = 9  # pixels; below it letters are no longer legible
LEADING = 1.32  # line height over font size


@dataclass(frozen=True, slots=True)
class Lettering:
    """Lines of one text, set at one size."""

    lines: tuple[str, ...]
    size: int

    @property
    def width(self) -> int:
        return max((text_width(line, self.size) for line in self.lines), default=0)

    @property
    def height(self) -> int:
        return len(self.lines) * line_height(self.size)


def fit_text(text: str, size: int, width: int, lines: int = 2) -> Lettering:
    """Set `text` at most `width` pixels wide.

    First it is wrapped to `lines` lines at the wished `size`, then made smaller down to what is legible, and
    only then given as many lines as it needs; a word wider than the place is broken. No letter is left out.
    """
    text = " ".join(text.split())
    if not text:
        return Lettering((), size)
    for smaller in range(size, SMALLEST, -1):
        if text_width(text, smaller) > lines * (width + text_width(" ", smaller) + 1):
            continue  # however it is wrapped; asked first, for measuring takes long
        wrapped = _wrap(text.split(" "), smaller, width)
        if len(wrapped) <= lines and all(text_width(line, smaller) <= width for line in wrapped):
            return Lettering(tuple(wrapped), smaller)
    words = [piece for word in text.split(" ") for piece in _broken(word, SMALLEST, width)]
    return Lettering(tuple(_wrap(words, SMALLEST, width)), SMALLEST)


def write(
    pen: ImageDraw.ImageDraw, lettering: Lettering, at: tuple[int, int], colour: Colour, anchor: str = "left"
) -> Box:
    """Draw the lines from `at` (x, top) downwards; `anchor` says whether x is their left, middle or right.

    Returns the box they fill.
    """
    x, top = at
    share = {"left": 0.0, "middle": 0.5, "right": 1.0}[anchor]
    step = line_height(lettering.size)
    for place, line in enumerate(lettering.lines):
        left = round(x - share * text_width(line, lettering.size))
        # "ls" puts the baseline where we say, whatever the letters of this line are.
        baseline = top + place * step + round(lettering.size * 1.02)
        pen.text((left, baseline), line, fill=colour, font=_font(line, lettering.size), anchor="ls")
    left = round(x - share * lettering.width)
    return left, top, left + lettering.width, top + lettering.height


def line_height(size: int) -> int:
    """Pixels from one baseline to the next."""
    return round(size * LEADING)


@lru_cache(maxsize=4096)
def text_width(text: str, size: int) -> int:
    """Pixels that one line of text needs."""
    font = _font(text, size)
    return math.ceil(max(font.getlength(text), font.getbbox(text, anchor="ls")[2]))


def _wrap(words: list[str], size: int, width: int) -> list[str]:
    """As many words on each line as fit, and at least one."""
    lines: list[str] = []
    while words:
        # Measuring takes long, and a line of more words is wider: so they are halved and not counted.
        more = bisect_right(
            range(2, len(words) + 1),
            width,
            key=lambda count, rest=words: text_width(" ".join(rest[:count]), size),
        )
        lines.append(" ".join(words[: 1 + more]))
        words = words[1 + more :]
    return lines


def _broken(word: str, size: int, width: int) -> list[str]:
    """The word in pieces that fit; a piece has at least one letter."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and text_width(pieces[-1] + letter, size) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _font(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # The plain font joins two hyphens into a dash, which would spoil a command's options.
    plain = "--" not in text and all(_has(letter) for letter in set(text))
    return _plain(size) if plain else _wide(size)


@lru_cache(maxsize=64)
def _plain(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


@lru_cache(maxsize=64)
def _wide(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font with Greek, Cyrillic and arrows. It is found without importing matplotlib, which is slow."""
    spec = find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        return _plain(size)
    path = Path(spec.submodule_search_locations[0], "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, size) if path.is_file() else _plain(size)


@lru_cache(maxsize=2048)
def _has(letter: str) -> bool:
    """Whether the plain font draws this letter as something else than its box for missing letters."""
    if letter.isascii() or letter.isspace():
        return True
    return _shape(letter) != _shape("\U0010fffe")


@lru_cache(maxsize=2048)
def _shape(letter: str) -> bytes:
    return bytes(_plain(24).getmask(letter))  # type: ignore[arg-type]  # Pillow's core image has a buffer
