"""The packed store: every picture of a data set once, as pixels in the recipe's form.

In: the folder that `facette.data.packing` published. Out: batches of pictures, names, partitions, attributes.
Knows nothing of where the pictures came from, and never decodes one.

A store's folder holds `pixels.u8` (rows of H × W × planes bytes; the last plane is a mask where one travels with the
pictures; `pixels.u16`, two bytes a value, for pictures of 16 bits), the names of the rows, `store.json`, and, where a
source lists pictures that cannot be read, `rows.npy` with the rows that can.
Legend: N pictures in the store, B pictures in a batch, H × W pixels, C channels, A attributes, F factors.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from facette.data.attributes import AttributeTable, FactorTable
from facette.data.names import NAME_FILES, NameTable
from facette.data.pixel_file import PixelFile
from facette.data.source import sampled_rows, with_full_mask
from facette.data.split import rows_of
from facette.errors import DataError, UsageError
from facette.files import digest_of, digest_of_file, unsealed
from facette.form import Size, height_width, spoken_size

if TYPE_CHECKING:
    from facette.data.labels import Listing

FORMAT = 1
DIGESTS, DIGEST = "digests.u8", 16  # of every row, and the bytes of one
ROWS, STORE, UNREADABLE = "rows.npy", "store.json", "unreadable.json"


def pixels_name(depth: int) -> str:
    """The file of the pixels, by the bits of a value."""
    return f"pixels.u{depth}"


class Unreadable(NamedTuple):
    name: str
    reason: str  # reads on from the name: "is damaged and cannot be decoded: …"


def digest_of_pixels(pixels: memoryview | bytes) -> bytes:
    """What a row is known by."""
    return blake2b(pixels, digest_size=DIGEST).digest()


def digest_of_listing(store: Path) -> str:
    """Of the files that say which pictures are in a store and which are not; of all of them, in a moment."""
    files = [store / name for name in (*NAME_FILES, ROWS, UNREADABLE)]
    return digest_of("".join(digest_of_file(file) if file.exists() else "-" for file in files).encode())


def fingerprint_of(size: Size, names: NameTable, digests: np.ndarray) -> str:
    """Depends on the pictures, their names and their order; not on blocks, holes or where the source lies.

    `digests`: (N, 16) uint8, one for each name.
    """
    sides = size if isinstance(size, int) else f"{size[0]}, {size[1]}"
    whole = blake2b(f"{sides}\0".encode(), digest_size=16)
    for i, digest in enumerate(digests):
        whole.update(names.raw(i) + b"\0" + digest.tobytes())
    return whole.hexdigest()


class ImageStore:
    """Pictures of one data set, ready to be read in any order.

    `names`: the pictures' names, a read-only sequence. `fingerprint`: hash of all pixels and names. `partition`:
    (N,) int8 of 0 train, 1 valid, 2 test. `attributes`, `factors`: what is known about the pictures, or None.
    `unreadable`: the source's pictures that are not in the store, each with the reason. `path`: the folder.
    """

    def __init__(self, path: Path, partition: np.ndarray | None = None):
        about = read_description(path)
        self.path = path
        try:
            self._open(path, about)
        except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"the packed store {str(path)!r} is damaged ({reason}); prepare it again with `fresh=True`."
            ) from None
        self.partition = np.zeros(len(self.names), np.int8) if partition is None else partition
        self.attributes: AttributeTable | None = None
        self.factors: FactorTable | None = None
        self.listings: tuple[Listing, ...] = ()  # how many pictures each list beside them names

    def _open(self, path: Path, about: dict) -> None:
        if about.get("listing") not in (None, digest_of_listing(path)):  # an older version wrote none
            raise ValueError("its names and rows are not those it was packed with")
        self.source: str = about["source"]
        size = about["size"]
        self.size: Size = size if isinstance(size, int) else (size[0], size[1])
        self.channels: int = about.get("channels", 3)
        self.depth: int = about.get("depth", 8)
        self.masked: bool = about.get("masked", False)
        self.kind: str = about.get("kind", "")
        self.aligned: int = about.get("aligned", 0)  # pictures whose face was brought into the frame
        self.treated: dict[str, int] = about.get("treated", {})  # what else was done, and to how many
        self.passed_over = ""  # how many files beside the pictures are not called pictures, in words
        self.fingerprint: str = about["fingerprint"]
        self.names = NameTable.load(path)
        self.unreadable = [Unreadable(*pair) for pair in json.loads((path / UNREADABLE).read_text("utf-8"))]
        self._rows = np.load(path / ROWS, allow_pickle=False) if (path / ROWS).exists() else None
        shape = (about["rows"], *height_width(self.size), self.channels + self.masked)
        self._pixels = PixelFile(path / pixels_name(self.depth), shape, f"u{self.depth // 8}")

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"ImageStore({len(self)} pictures of {spoken_size(self.size)} from {self.source!r})"

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Pictures (B, H, W, C) uint8 or uint16, contiguous, a copy, in the order of `indices` (B,), integers from 0
        to N − 1."""
        pixels = self._take(indices)
        return np.ascontiguousarray(pixels[..., : self.channels]) if self.masked else pixels

    def read_masked(self, indices: np.ndarray) -> np.ndarray:
        """Pictures and masks (B, H, W, C + 1) uint8, contiguous, a copy: the last value is 255 where the pixel was
        seen and 0 where it is unknown."""
        pixels = self._take(indices)
        return pixels if self.masked else with_full_mask(pixels)

    def _take(self, indices: np.ndarray) -> np.ndarray:
        indices = checked_rows(indices, len(self))
        rows = indices if self._rows is None else self._rows[indices]
        return self._pixels.read(rows)

    def verify(self, sample: int | None = None) -> None:
        """Compare pictures with the digests they were packed with: `sample` of them, or all and their names.

        Raises DataError for a store that holds anything else; one of an older version, without digests, is let pass.
        """
        if not (self.path / DIGESTS).is_file():
            return
        digests = np.fromfile(self.path / DIGESTS, np.uint8)
        digests = digests[: len(digests) // DIGEST * DIGEST].reshape(-1, DIGEST)  # (rows, 16)
        chosen = np.array(sampled_rows(len(self), len(self) if sample is None else sample), int)
        rows = chosen if self._rows is None else np.asarray(self._rows[chosen])
        damaged = [
            int(i)
            for i, row in zip(chosen, rows, strict=True)
            if row >= len(digests)
            or digest_of_pixels(self._pixels.read(np.array([row])).data) != digests[row].tobytes()
        ]
        if damaged:
            raise DataError(
                f"the packed store {str(self.path)!r} is damaged: {len(damaged):,} of {len(chosen):,} pictures looked "
                f"at are not what was packed, such as {self.names[damaged[0]]}; prepare it again with `fresh=True`."
            )
        if sample is None and fingerprint_of(self.size, self.names, digests[rows]) != self.fingerprint:
            raise DataError(
                f"the packed store {str(self.path)!r} is damaged: its names are not those it was packed with; "
                "prepare it again with `fresh=True`."
            )

    def indices(self, partition: str = "all") -> np.ndarray:
        """(K,) int64, ascending: the pictures of "train", "valid", "test" or "all"."""
        return rows_of(self.partition, partition)


def checked_rows(indices: np.ndarray, count: int) -> np.ndarray:
    """The rows (B,) as an array. Raises UsageError for others than integers from 0 to `count` − 1."""
    indices = np.asarray(indices)
    if indices.ndim != 1 or (indices.size and not np.issubdtype(indices.dtype, np.integer)):
        raise UsageError(f"pictures are read by a one-dimensional array of integers, not {indices!r}.")
    if indices.size and not (indices.min() >= 0 and indices.max() < count):
        raise UsageError(
            f"there is no picture {indices.min()} … {indices.max()}: the store holds {count}, from 0."
        )
    return indices


def read_description(path: Path) -> dict:
    """What `store.json` says. Raises DataError when the folder is no store of this version's format."""
    try:
        about = unsealed(json.loads((path / STORE).read_bytes()))
    except FileNotFoundError:
        raise DataError(f"{str(path)!r} is not a packed store: it holds no {STORE}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{str(path / STORE)!r} is damaged ({error}); delete the folder, prepare again."
        ) from None
    if about.get("format") != FORMAT:
        raise DataError(
            f"{str(path)!r} has store format {about.get('format')!r}; this version of Facette reads {FORMAT}."
        )
    return about
