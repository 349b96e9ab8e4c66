"""The form of the pictures a model takes: how high and wide, how many channels, how deep.

Enters: the fields that a recipe and a model file have for it. Leaves: what every room asks of them, said once. Needs
nothing but the standard library.

    size      one number for a square, or (height, width)
    channels  1 grey, 3 RGB, 4 RGB and alpha; a mask of what was seen may travel behind them
    depth     bits of a value, 8 or 16
"""

from __future__ import annotations

from typing import Literal, Protocol

Size = int | tuple[int, int]
Alpha = Literal["white", "mask", "channel"]
Mode = Literal["L", "RGB", "RGBA", "F"]


class FormFields(Protocol):
    """What the form is made of."""

    @property
    def size(self) -> Size: ...
    @property
    def channels(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def alpha(self) -> Alpha: ...


class PictureForm:
    """What follows from the fields; mixed into those who have them."""

    @property
    def shape(self: FormFields) -> tuple[int, int]:
        """(height, width) in pixels."""
        return height_width(self.size)

    @property
    def width_height(self: FormFields) -> tuple[int, int]:
        """(width, height) in pixels, as Pillow has it."""
        height, width = height_width(self.size)
        return width, height

    @property
    def longest(self: FormFields) -> int:
        """Pixels on the longer side."""
        return max(height_width(self.size))

    @property
    def masked(self: FormFields) -> bool:
        """Whether some pixels may be unknown."""
        return self.alpha == "mask"

    @property
    def planes(self: FormFields) -> int:
        """Values kept for a pixel: its channels, and its mask where there is one."""
        return self.channels + (self.alpha == "mask")

    @property
    def white(self: FormFields) -> int:
        """The largest value of a stored picture: 255, or 65,535 at 16 bits."""
        return 2**self.depth - 1

    @property
    def dtype(self: FormFields) -> Literal["uint8", "uint16"]:
        """Of a stored value, as NumPy calls it."""
        return "uint16" if self.depth == 16 else "uint8"

    @property
    def mode(self: FormFields) -> Mode:
        """As Pillow calls such pictures; F stands for grey of 16 bits, with values from 0 to 65,535."""
        if self.depth == 16:
            return "F"
        return "L" if self.channels == 1 else "RGBA" if self.channels == 4 else "RGB"


def height_width(size: Size) -> tuple[int, int]:
    """(height, width) of a size."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def spoken_size(size: Size | tuple[int, int]) -> str:
    """A size as people write it: width × height."""
    height, width = height_width(size)
    return f"{width}×{height}"


def spoken_form(size: Size, channels: int = 3, depth: int = 8) -> str:
    """A whole form as people write it: "64×64 RGB", "48×32 grey of 16 bits"."""
    colours = {1: "grey", 3: "RGB", 4: "RGB and alpha"}[channels]
    return f"{spoken_size(size)} {colours}" + (f" of {depth} bits" if depth != 8 else "")
