"""What is done to the pictures of a collection on their way in: found for each, counted for all, said in words.

Enters: the notes with which a picture was opened, its size and where it goes. Leaves: a number whose bits are kinds of
treatment, small enough to be kept for millions of pictures; counts and a sentence. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from facette.images.colour import CONVERTED, FLATTENED, NARROW
from facette.images.fit import crop_box
from facette.images.open import FIRST_FRAME, FIRST_PAGE, RAW_FILE
from facette.recipe import ImageInput

# What is counted, in the order of the bits, and as it is said behind a number.
WORDS = {
    "cut": "cropped to their middle",
    "squeezed": "squeezed into the model's shape",
    "flattened": "with transparent parts laid on white",
    "narrow": "with values of fewer than their 16 bits, brightened",
    "first": "of which the first of several pictures was taken",
    "raw": "raw files of cameras, of which the preview was taken",
    "converted": "converted from other colour profiles",
}
_BEGINNINGS = {
    "flattened": (FLATTENED,),
    "narrow": (NARROW,),
    "first": (FIRST_FRAME, FIRST_PAGE),
    "raw": (RAW_FILE,),
    "converted": (CONVERTED,),
}


def bits_of(notes: Iterable[str], size: tuple[int, int] | None, spec: ImageInput) -> int:
    """The treatments of one picture with these notes; `size`: (width, height) of one that is fitted as a whole."""
    kinds = {kind for kind, begins in _BEGINNINGS.items() for note in notes if note.startswith(begins)}
    if spec.masked:
        kinds.discard("flattened")  # what is transparent stays unknown
    if size is not None and (spec.frame is None or size != spec.frame.size):
        left, top, right, bottom = crop_box(size, spec)
        high, wide = spec.shape
        if max(left, top, size[0] - right, size[1] - bottom) >= 0.5:
            kinds.add("cut")
        elif abs((right - left) * high - (bottom - top) * wide) > max(high, wide):
            kinds.add("squeezed")
    return sum(1 << place for place, kind in enumerate(WORDS) if kind in kinds)


def count_bits(bits: NDArray[np.uint8]) -> dict[str, int]:
    """How many pictures have each treatment; those that none has are left out."""
    counts = {kind: int(np.count_nonzero(bits & (1 << place))) for place, kind in enumerate(WORDS)}
    return {kind: count for kind, count in counts.items() if count}


def in_words(counts: Mapping[str, int], pictures: int) -> str:
    """The counts as one sentence; empty where nothing was done."""
    parts = [f"{counts[kind]:,} {words}" for kind, words in WORDS.items() if counts.get(kind)]
    return f"of {pictures:,} pictures {', '.join(parts)}" if parts else ""


def added(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The counts of several collections, or parts of one, as one."""
    total: dict[str, int] = {}
    for counts in several:
        for kind, count in counts.items():
            total[kind] = total.get(kind, 0) + count
    return total
