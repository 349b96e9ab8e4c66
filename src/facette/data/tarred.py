"""Tar files of pictures as a source, as webdataset writes them: one, or a folder of shards.

In: the path of a .tar, or of a folder with some. Out: the listing of their pictures and blocks of decoded pictures;
labels from the .json and the .cls beside each. Members are read in place: nothing is unpacked, and no name becomes a
path.

In a webdataset `000012.jpg` and `000012.json` are of one sample. A picture is known by its shard and its name in it:
`shard-000/000012.jpg`.
"""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facette.data.attributes import LabelRows
from facette.data.columns import label_rows
from facette.data.folder import count_other, is_picture_name
from facette.data.names import NameTable
from facette.data.source import Block, decode_block, signature_of, white_of_source
from facette.data.zipped import clean_name
from facette.errors import DataError, ImageError
from facette.images.open import MAX_BYTES
from facette.recipe import ImageInput

ENDING = ".tar"
LABELS = (".json", ".cls")
MOST_LABELS = 1 << 20  # bytes of a sample's labels


def is_tarred(path: Path) -> bool:
    """Whether this is a tar, or a folder that holds tars and no pictures of its own."""
    if path.is_file():
        return path.name.endswith(ENDING)
    inside = [entry.name for entry in path.iterdir() if entry.is_file()] if path.is_dir() else []
    return any(name.endswith(ENDING) for name in inside) and not any(map(is_picture_name, inside))


class TarSource:
    """The picture members of the shards, shard after shard in the order of their names.

    Raises DataError where a shard is no uncompressed tar.
    """

    kind = "tar"

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.location = str(self.path.resolve())
        self._shards = [self.path] if self.path.is_file() else sorted(self.path.glob(f"*{ENDING}"))
        self.others: Counter[str] = Counter()
        names: list[str] = []
        places: list[tuple[int, int, int]] = []  # shard, offset, bytes
        self._labels: dict[tuple[str, str], tuple[int, int, int]] = {}  # by ending, and by shard and key
        self._stamps = []
        for number, shard in enumerate(self._shards):
            for name, offset, size in _members(shard):
                known = f"{shard.name.removesuffix(ENDING)}/{name}"
                if is_picture_name(name):
                    names.append(known)
                    places.append((number, offset, size))
                elif name.endswith(LABELS):
                    self._labels[name.rpartition(".")[2], _key(known)] = number, offset, size
                else:
                    count_other(name, self.others)
            status = shard.stat()
            self._stamps.append((shard.name, status.st_size, status.st_mtime_ns))
        self.names = NameTable.of(names)
        self._places = np.array(places, np.int64).reshape(len(places), 3)
        self.white = white_of_source(self.contents, len(self.names))

    def signature(self) -> str:
        """Changes when a shard is added, removed or replaced."""
        return signature_of(self.kind, self.location, self._stamps, len(self.names), self.white)

    def block(self, start: int, stop: int, spec: ImageInput) -> Block:
        return decode_block(self.contents(start, stop), stop - start, spec, self.white)

    def contents(self, start: int, stop: int) -> Iterator[bytes | ImageError]:
        for number, offset, size in self._places[start:stop].tolist():
            if size > MAX_BYTES:
                yield ImageError(f"has {size:,} bytes, more than the {MAX_BYTES:,} allowed for one picture.")
                continue
            content = self._read(number, offset, size)
            yield content if len(content) == size else ImageError("is damaged: its tar ends too soon.")

    def labels(self) -> LabelRows | None:
        """What stands in the .json beside each picture, and in the .cls as the column `cls`; None where there are none.
        Raises DataError for a .json that is not an object of values."""
        if not self._labels:
            return None
        columns: dict[str, list[Any]] = {}
        for row, name in enumerate(self.names):
            for column, value in self._values(name).items():
                columns.setdefault(column, [None] * len(self.names))[row] = value
        return label_rows(columns, self.names, self.location)

    def _values(self, name: str) -> dict[str, Any]:
        values: Any = {}
        if place := self._labels.get(("json", _key(name))):
            try:
                values = json.loads(self._read(place[0], place[1], min(place[2], MOST_LABELS)))
            except (ValueError, RecursionError):
                values = None
            if not isinstance(values, dict):
                raise DataError(
                    f"the labels of {name!r} in {str(self._shards[place[0]])!r} are no JSON object."
                )
        if place := self._labels.get(("cls", _key(name))):
            values["cls"] = self._read(place[0], place[1], min(place[2], MOST_LABELS)).decode(
                "utf-8", "replace"
            )
        return values

    def _read(self, number: int, offset: int, size: int) -> bytes:
        with self._shards[number].open("rb") as file:
            file.seek(offset)
            return file.read(size)


def _members(shard: Path) -> Iterator[tuple[str, int, int]]:
    """Name, offset and bytes of the ordinary files in a tar."""
    try:
        with tarfile.open(shard, "r:") as archive:
            listed: Any = archive
            for member in archive:
                if member.isreg() and not member.issparse():
                    yield clean_name(member.name), member.offset_data, member.size
                listed.members.clear()  # one object per member would be kept otherwise
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise DataError(
            f"{str(shard)!r} is no uncompressed tar that can be read: {' '.join(str(error).split())[:200]}."
        ) from None


def _key(name: str) -> str:
    """What the files of one sample share: everything before the first dot of the last part."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.partition('.')[0]}"
