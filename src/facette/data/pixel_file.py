"""The pixels of a packed store: rows of one shape, read in any order from several threads.

Enters: a file and the shape of all its rows. Leaves: rows, copied. They are read and not mapped into memory: where a
mapped file is cut short, by a full disk or by somebody's hand, the system ends the process that looks at what is gone.

Legend: N rows of the file, B rows of a batch.
"""

from __future__ import annotations

import math
import os
import threading
import weakref
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from facette.errors import DataError


class PixelFile:
    """Rows of `shape[1:]`, one after another. Raises ValueError for a file of another size than its shape asks for."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike = np.uint8):
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        self.row_bytes = math.prod(shape[1:]) * self.dtype.itemsize
        size = path.stat().st_size
        if size != shape[0] * self.row_bytes:
            raise ValueError(f"{path.name} has {size:,} bytes instead of {shape[0] * self.row_bytes:,}")
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._turn = threading.Lock()  # for systems that cannot read at a place
        weakref.finalize(self, os.close, self._file)

    def read(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        """The rows (B, …) at these places (B,) in [0, N), in their order; neighbours are read at once.

        Raises DataError where the file ends before one of them.
        """
        batch = np.empty((len(rows), *self.shape[1:]), self.dtype)
        bytes_ = batch.reshape(-1).view(np.uint8)
        places = rows.astype(np.int64)
        starts = np.flatnonzero(np.diff(places, prepend=-2) != 1).tolist()
        for start, stop in pairwise([*starts, len(places)]):
            part = bytes_[start * self.row_bytes : stop * self.row_bytes].data
            self._fill(part, int(places[start]) * self.row_bytes)
        return batch

    def _fill(self, part: memoryview, offset: int) -> None:
        while len(part):
            if hasattr(os, "preadv"):
                count = os.preadv(self._file, [part], offset)
            else:
                with self._turn:
                    os.lseek(self._file, offset, os.SEEK_SET)
                    piece = os.read(self._file, len(part))
                count, part[: len(piece)] = len(piece), piece
            if not count:
                raise DataError(
                    f"{str(self.path)!r} was cut short while it was in use: prepare it again with `fresh=True`."
                )
            part, offset = part[count:], offset + count
