"""Picture names, kept compactly: one buffer and one array of ends, however many millions there are.

In: names as strings. Out: a read-only sequence of strings, built one at a time when asked for; 64-bit hashes
for joining with other tables. Knows nothing of files or pictures.
"""

from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import overload

import numpy as np

NAME_FILES = _BUFFER, _ENDS = "names.npy", "name_ends.npy"


class NameTable(Sequence[str]):
    """A sequence of names. Names that are not valid Unicode keep their bytes (surrogate escapes)."""

    __slots__ = ("_buffer", "_ends")

    def __init__(self, buffer: np.ndarray, ends: np.ndarray):
        self._buffer = buffer  # (bytes,) uint8: every name after the one before it
        self._ends = ends  # (N,) int64: where each name ends in the buffer

    @classmethod
    def of(cls, names: Iterable[str]) -> "NameTable":
        buffer = bytearray()
        ends = array("q")
        for name in names:
            buffer += _to_bytes(name)
            ends.append(len(buffer))
        return cls(np.frombuffer(bytes(buffer), np.uint8), np.array(ends, np.int64))

    @classmethod
    def load(cls, folder: Path) -> "NameTable":
        """Names written by `save`. Raises ValueError where the two files do not belong together.

        They are not mapped into memory: see `facette.data.pixel_file`.
        """
        buffer, ends = (np.load(folder / name, allow_pickle=False) for name in (_BUFFER, _ENDS))
        shapes = (buffer.ndim, ends.ndim, buffer.dtype, ends.dtype)
        if shapes != (1, 1, np.uint8, np.int64) or (len(ends) and int(ends[-1]) != len(buffer)):
            raise ValueError(f"{_BUFFER} and {_ENDS} do not belong together")
        return cls(buffer, ends)

    def save(self, folder: Path) -> None:
        np.save(folder / _BUFFER, self._buffer, allow_pickle=False)
        np.save(folder / _ENDS, self._ends, allow_pickle=False)

    def raw(self, index: int) -> bytes:
        start = int(self._ends[index - 1]) if index else 0
        return self._buffer[start : int(self._ends[index])].tobytes()

    def take(self, rows: np.ndarray) -> "NameTable":
        """The names of these rows, in this order."""
        if len(rows) == len(self) and np.array_equal(rows, np.arange(len(self))):
            return self
        return NameTable.of(self[int(row)] for row in rows)

    def hashes(self) -> np.ndarray:
        """(N,) uint64, the hash of every name; see `name_hash`."""
        return np.fromiter((_hash(self.raw(i)) for i in range(len(self))), np.uint64, len(self))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= position < len(self):
            raise IndexError(f"name {index} of {len(self)}")
        return self.raw(position).decode("utf-8", "surrogateescape")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # a sequence, compared by content

    def __repr__(self) -> str:
        shown = ", ".join(repr(name) for name in self[:3])
        return f"NameTable({len(self)} names: {shown}{', …' if len(self) > 3 else ''})"


def name_hash(name: str) -> int:
    """64 bits of BLAKE2b of the name's bytes: the same on every machine and in every version of Python."""
    return _hash(_to_bytes(name))


def _hash(raw: bytes) -> int:
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "little")


def _to_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
