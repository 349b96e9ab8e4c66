"""Arrays out of an npz file that somebody else may have written: never more of them than the file can mean.

Enters: the path of a zip of npy files. Leaves: its arrays by name, of plain numbers and texts. A compressed member can
claim anything, and a few kilobytes of it can become gigabytes: sizes are compared before anything is unpacked.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from facette.errors import DataError

DAMAGE = (  # what libraries raise for files with other bytes than were written
    *(OSError, ValueError, LookupError, EOFError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error, MemoryError),
)
ROOM, RATIO = 256 << 20, 20  # bytes that may come out of any file, and of each of its bytes on top
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Every array of the file. Raises DataError for what is no npz, is damaged, or would take absurdly more memory than
    it has bytes."""
    try:
        with Path(path).open("rb") as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            check_expansion(path, sum(member.file_size for member in members))
            return {m.filename.removesuffix(".npy"): _array(archive, m) for m in members}
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{str(path)!r} cannot be read: it is no table or damaged ({reason}).") from None


def check_expansion(path: str | Path, unpacked: int) -> None:
    """Raises DataError where a file promises absurdly more bytes than it has."""
    size = Path(path).stat().st_size
    if unpacked > ROOM + RATIO * size:
        raise DataError(f"{str(path)!r} is not read: its {size:,} bytes would become {unpacked:,} in memory.")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        stream = cast(Any, file)
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename} has a header of version {version}")
        shape, fortran, dtype = _HEADERS[version](stream)
        if dtype.hasobject:
            raise ValueError(f"{member.filename} holds objects, which are not read")
        if math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise ValueError(f"{member.filename} is not as long as its header says")
        values = np.empty(shape, dtype, order="F" if fortran else "C")
        flat = values.T if fortran else values
        if values.nbytes and stream.readinto(flat.reshape(-1).view(np.uint8)) != values.nbytes:
            raise ValueError(f"{member.filename} ends too soon")
        file.read(1)  # the end of it, where its checksum is compared
        return values
