"""A zip archive of pictures as a source; members are read in place and nothing is ever written to disk.

In: the path of a zip file. Out: the sorted listing of its picture members and blocks of decoded pictures.
Knows nothing of stores, attributes or partitions.

A member's name is a label and never a path to write to; it is cleaned all the same (no `..`, no drive, no leading
slash), because others may later name files after pictures. Folders common to all members are left out, so that
an archive of a folder and the folder itself give the same names.
"""

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facette.data.folder import count_other, is_picture_name
from facette.data.names import NameTable
from facette.data.source import Block, decode_block, signature_of, white_of_source
from facette.errors import DataError, ImageError
from facette.files import stand_in_of
from facette.images.open import MAX_BYTES
from facette.recipe import ImageInput

_ENCRYPTED = 0x1
_FIELDS = ("header_offset", "compress_size", "file_size", "compress_type", "flag_bits", "CRC")


class ZipSource:
    """The picture members of an archive, in the order of their names, passed over as `FolderSource` does.

    Raises DataError when the file is no readable zip. An encrypted, oversized or damaged member is unreadable.
    """

    kind = "zip"

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.location = str(self.path.resolve())
        try:
            status = self.path.stat()
            self._archive = zipfile.ZipFile(self.path)
        except zipfile.BadZipFile as error:
            what = stand_in_of(self.path) or "neither a folder nor a zip archive that can be read"
            raise DataError(f"{str(path)!r} is {what}.") from error
        except OSError as error:
            raise DataError(f"{str(path)!r} cannot be opened: {error.strerror}.") from error
        self._stamp = (status.st_size, status.st_mtime_ns)
        listed = [
            (clean_name(info.orig_filename), info) for info in self._archive.infolist() if not info.is_dir()
        ]
        members = sorted(((n, info) for n, info in listed if is_picture_name(n)), key=lambda pair: pair[0])
        self.others: Counter[str] = Counter()  # members that are passed over, as `count_other` counts
        for name, _ in listed:
            if not is_picture_name(name):
                count_other(name, self.others)
        common = _common_folder([name for name, _ in members])
        self.names = NameTable.of(name[common:] for name, _ in members)
        self._members = NameTable.of(info.orig_filename for _, info in members)
        self._fields = np.array(
            [[getattr(info, field) for field in _FIELDS] for _, info in members], np.int64
        ).reshape(len(members), len(_FIELDS))
        self.white = white_of_source(self.contents, len(self.names))
        # One object per member would be kept otherwise; the arrays above hold all that reading needs.
        self._archive.filelist.clear()
        self._archive.NameToInfo.clear()

    def signature(self) -> str:
        """Changes when the archive is replaced: its place, size and modification time."""
        return signature_of(self.kind, self.location, self._stamp, len(self.names), self.white)

    def block(self, start: int, stop: int, spec: ImageInput) -> Block:
        return decode_block(self.contents(start, stop), stop - start, spec, self.white)

    def contents(self, start: int, stop: int) -> Iterator[bytes | ImageError]:
        for index in range(start, stop):
            try:
                yield self._read(index)
            except ImageError as error:
                yield error

    def _read(self, index: int) -> bytes:
        info = zipfile.ZipInfo(self._members[index])
        for field, value in zip(_FIELDS, self._fields[index].tolist(), strict=True):
            setattr(info, field, value)
        if info.flag_bits & _ENCRYPTED:
            raise ImageError("is encrypted; unpack the archive and give the folder.")
        if info.file_size > MAX_BYTES:
            raise ImageError(
                f"has {info.file_size:,} bytes, more than the {MAX_BYTES:,} allowed for one picture."
            )
        try:
            with self._archive.open(info) as member:
                return member.read(MAX_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
            raise ImageError(f"is damaged in the archive: {error or type(error).__name__}.") from error


def clean_name(name: str) -> str:
    """The name as a relative one with forward slashes: no drive, no empty part, no `.` and `..`."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..") and not part.endswith(":"))


def _common_folder(names: list[str]) -> int:
    """How many characters at the start of every name are the folders that all of them share.

    The first and the last of sorted names share what all of them share.
    """
    shared = 0
    if names:
        for first, last in zip(names[0].split("/")[:-1], names[-1].split("/")[:-1], strict=False):
            if first != last:
                break
            shared += len(first) + 1
    return shared
