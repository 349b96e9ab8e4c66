"""A folder of photos for a model of faces: each photo's face is brought into the model's frame, as a single photo's is.

In: a source of files and the recipe's `ImageInput`. Out: the same source where its pictures lie in the frame already,
else one whose pictures are aligned while they are read; photos without a face are left out, with the reason. A few
pictures, taken evenly from all, decide for the whole. Knows nothing of stores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from facette.data.names import NameTable
from facette.data.source import Block, PictureSource, block_of, sampled_rows
from facette.data.treatment import bits_of
from facette.errors import DataError, ImageError, NoFaceError
from facette.images.open import open_image
from facette.recipe import ImageInput

Align = Literal["auto", "never", "always"]
SAMPLE = 12  # pictures that decide
ALIGNED = ", aligned"  # behind the kind of a source whose pictures are aligned
_VERSION = b"aligned 1"


class FileSource(PictureSource, Protocol):
    """A source of files, which can be opened at their own size."""

    def contents(self, start: int, stop: int) -> Iterator[Path | bytes | ImageError]: ...

    @property
    def white(self) -> int | None:
        """The value that is white in its pictures of 16 bits; None where there are none."""
        ...


@dataclass(frozen=True, slots=True)
class AlignedSource:
    """The photos of a source, each aligned, or kept as it is where its face lies in the frame already."""

    source: FileSource

    @property
    def kind(self) -> str:
        return self.source.kind + ALIGNED

    @property
    def location(self) -> str:
        return self.source.location

    @property
    def names(self) -> NameTable:
        return self.source.names

    def signature(self) -> str:
        return blake2b(_VERSION + self.source.signature().encode(), digest_size=16).hexdigest()

    def block(self, start: int, stop: int, spec: ImageInput) -> Block:
        aligned = set()

        def decode(picture: Path | bytes, row: int) -> tuple[np.ndarray, int]:
            from facette.images.faces.align import intake

            opened = open_image(picture, white=self.source.white)
            framed = intake(opened, spec)
            kept = framed.report.way != "aligned"
            if not kept:
                aligned.add(row)
            bits = bits_of(opened.notes, opened.image.size if kept else None, spec)
            return (framed.masked if spec.masked else framed.picture), bits

        block = block_of(self.source.contents(start, stop), stop - start, spec, decode)
        return replace(block, aligned=frozenset(aligned))


def in_frame(source: FileSource, spec: ImageInput, align: Align = "auto") -> FileSource | AlignedSource:
    """The source as its pictures are to be taken.

    "auto": aligned where in most of a sample the face lies elsewhere than the model expects it; where no face is seen
    at all, and in what `facette align` wrote, pictures are taken as they are. Raises DataError for "always" and a model
    that is not of faces.
    """
    if align == "always" and spec.frame is None:
        raise DataError("this model is not one of faces: its pictures cannot be aligned")
    if align == "never" or spec.frame is None:
        return source
    return AlignedSource(source) if align == "always" or _photos(source, spec) else source


def _photos(source: FileSource, spec: ImageInput) -> bool:
    """Whether most faces of a sample lie elsewhere than in the frame."""
    from facette.images.faces.align import intake

    if source.kind == "folder" and (Path(source.location) / "report.json").is_file():
        return False  # as `facette align` leaves behind
    count = len(source.names)
    ways: Counter[str] = Counter()
    for row in sampled_rows(count, SAMPLE):
        for picture in source.contents(row, row + 1):
            try:
                if not isinstance(picture, ImageError):
                    ways[intake(open_image(picture, white=source.white), spec).report.way] += 1
            except NoFaceError:
                ways["no face"] += 1
            except ImageError:
                ways["unreadable"] += 1
    return ways["aligned"] > ways["already aligned"]
