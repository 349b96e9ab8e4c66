"""What a source of pictures is, and how a block of its pictures becomes pixels in the recipe's form.

In: anything `open_image` opens, and an `ImageInput`. Out: blocks of pixels with, for every picture that
could not be read, the reason. Knows nothing of where pictures come from or where pixels go.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from facette.data.names import NameTable
from facette.data.treatment import bits_of
from facette.errors import ImageError
from facette.images.depth import FULL, white_of
from facette.images.fit import fit_masked, fit_picture
from facette.images.greatest import greatest_value
from facette.images.open import open_image
from facette.recipe import ImageInput

# pictures whose depth is looked at: always, and where the first are deep and dark
FIRST_LOOK, SECOND_LOOK = 12, 64


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive pictures of a source; a row with a reason holds zeros."""

    pixels: np.ndarray  # (B, H, W, planes) uint8, or uint16 where the recipe keeps 16 bits
    reasons: dict[int, str]  # row in the block → why it cannot be read: a sentence after the picture's name
    aligned: frozenset[int] = frozenset()  # rows whose face was brought into the frame
    treated: np.ndarray | None = None  # (B,) uint8, what else was done: see `facette.data.treatment`


class PictureSource(Protocol):
    """Pictures that can be listed at once and decoded in blocks, from several threads."""

    @property
    def kind(self) -> str: ...

    @property
    def location(self) -> str:
        """For messages, and part of the signature."""
        ...

    @property
    def names(self) -> NameTable: ...

    def signature(self) -> str:
        """A hex digest that changes when any picture may have changed."""
        ...

    def block(self, start: int, stop: int, spec: ImageInput) -> Block: ...


def decode_block(
    pictures: Iterable[Path | bytes | Image.Image | ImageError],
    count: int,
    spec: ImageInput,
    white: int | None = None,
) -> Block:
    """Decodes and fits `count` pictures. An ImageError in place of a picture is taken as its reason. `white`: of the
    whole source, see `facette.images.depth`."""
    return block_of(pictures, count, spec, lambda picture, row: decode_picture(picture, spec, white))


def block_of(
    pictures: Iterable[Any],
    count: int,
    spec: ImageInput,
    decode: Callable[[Any, int], tuple[np.ndarray, int]],
) -> Block:
    """`count` pictures as `decode(picture, row)` gives them, with the bits of what was done to them; an ImageError
    raised or in a place is a reason."""
    pixels = np.zeros((count, *spec.shape, spec.planes), spec.dtype)  # (B, H, W, planes)
    treated = np.zeros(count, np.uint8)
    reasons = {}
    for row, picture in enumerate(pictures):
        try:
            if isinstance(picture, ImageError):
                raise picture
            pixels[row], treated[row] = decode(picture, row)
        except ImageError as error:
            reasons[row] = _reason(error, picture)
    return Block(pixels, reasons, treated=treated)


def decode_picture(
    picture: Path | bytes | Image.Image, spec: ImageInput, white: int | None = None
) -> tuple[np.ndarray, int]:
    """One picture as the model is to see it, (H, W, channels) uint8 or uint16, with its mask behind them where the
    recipe takes one; and the bits of what was done to it. Raises ImageError when it cannot be read.

    JPEGs of more than twice the needed size are decoded at 1/2, 1/4 or 1/8 (several times faster). The shorter
    side asked for is beyond any side of the aligned frame, so a reduced picture is never mistaken for a frame.
    """
    frame = () if spec.frame is None else (side + 1 for side in spec.frame.size)
    opened = open_image(picture, draft_side=max(2 * spec.longest, *frame, 0), mode=spec.mode, white=white)
    bits = bits_of(opened.notes, opened.image.size, spec)
    fitted = fit_masked(opened.image, opened.alpha, spec) if spec.masked else fit_picture(opened.image, spec)
    return fitted, bits


def sampled_rows(count: int, sample: int) -> list[int]:
    """Rows spread evenly over a source, at most so many."""
    return np.unique(np.linspace(0, count - 1, min(sample, count)).astype(int)).tolist() if count else []


def signature_of(kind: str, location: str, stamp: object, count: int, white: int | None) -> str:
    """Of an archive, by its place, what says that it was replaced, and how many pictures it holds."""
    listing = f"{kind}\0{location}\0{stamp}\0{count}"
    signed = listing.encode("utf-8", "surrogateescape") + told_white(white)
    return blake2b(signed, digest_size=16).hexdigest()


def told_white(white: int | None) -> bytes:
    """What a source's signature says of its white: nothing where that is what it always was."""
    return b"" if white in (None, FULL) else f"white {white}".encode()


def white_of_source(
    contents: Callable[[int, int], Iterable[Path | bytes | ImageError]], count: int
) -> int | None:
    """The value that is white in a source's pictures of 16 bits; None where a dozen of them, spread evenly, have none.

    A folder whose brightest value is 4,095 is one of 12 bits; the brightest of up to 64 pictures is taken for that.
    """

    def maxima(sample: int) -> Iterator[int | None]:
        for row in sampled_rows(count, sample):
            for picture in contents(row, row + 1):
                yield None if isinstance(picture, ImageError) else greatest_value(picture)

    first = white_of(maxima(FIRST_LOOK))
    return first if first in (None, FULL) else white_of(maxima(SECOND_LOOK))


def with_full_mask(pictures: np.ndarray) -> np.ndarray:
    """Pictures (B, H, W, C) uint8 with a further value that says: all of it was seen."""
    return np.concatenate([pictures, np.full_like(pictures[..., :1], 255)], axis=-1)


def _reason(error: ImageError, picture: Path | bytes | Image.Image | ImageError) -> str:
    subject = str(picture) if isinstance(picture, Path) else "the picture"
    return str(error).removeprefix(subject).strip()
