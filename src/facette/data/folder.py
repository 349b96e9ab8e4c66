"""A folder of pictures, nested or flat, as a source.

In: the path of a folder. Out: the sorted listing of its picture files (names relative to the folder, sizes,
times), and blocks of decoded pictures. Knows nothing of stores, attributes or partitions.
"""

import os
from array import array
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np

from facette.data.names import NameTable
from facette.data.source import Block, decode_block, told_white, white_of_source
from facette.errors import DataError
from facette.images.open import SUFFIXES
from facette.recipe import ImageInput

LISTS = (".csv", ".txt", ".json", ".md", ".html", ".npz")  # what lies beside pictures on purpose
NOT_PICTURES = ("__MACOSX",)  # folders that macOS adds to archives; they hold no pictures


class FolderSource:
    """The picture files below `root`, in the order of their names.

    Taken are ordinary files whose suffix is one of `facette.images.open.SUFFIXES`. Hidden files and folders
    (a leading dot, which covers AppleDouble `._x.jpg` and `.DS_Store`) are passed over. Links are followed,
    each folder once. Raises DataError when there is no such folder.
    """

    kind = "folder"

    def __init__(self, root: str | Path):
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"{str(root)!r} is not a folder; give a folder of pictures or a zip of them.")
        self.location = str(self.root.resolve())
        sizes, stamps = array("q"), array("q")
        self.others: Counter[str] = (
            Counter()
        )  # endings of files that are not called pictures, and how many of each
        self.names = NameTable.of(_walk(self.root, sizes, stamps, self.others))
        self.sizes = np.array(sizes, np.int64)  # (N,) bytes
        self.stamps = np.array(stamps, np.int64)  # (N,) modification times in ns
        self.white = white_of_source(self.contents, len(self.names))

    def signature(self) -> str:
        """Changes when a file is added, removed, renamed, resized or touched."""
        digest = blake2b(f"folder\0{self.location}\0".encode("utf-8", "surrogateescape"), digest_size=16)
        for i in range(len(self.names)):
            digest.update(self.names.raw(i) + b"\0")
        digest.update(self.sizes.tobytes() + self.stamps.tobytes() + told_white(self.white))
        return digest.hexdigest()

    def block(self, start: int, stop: int, spec: ImageInput) -> Block:
        return decode_block(self.contents(start, stop), stop - start, spec, self.white)

    def contents(self, start: int, stop: int) -> Iterator[Path]:
        return (self.root / name for name in self.names[start:stop])


def others_spoken(others: Counter[str], before: str = "") -> str:
    """How many files are not called pictures, and their endings; empty where there is none."""
    if not others:
        return ""
    endings = ", ".join(f"{ending or 'no ending'} {count:,}" for ending, count in others.most_common(4))
    return f"{before}{others.total():,} files that are not called pictures ({endings})"


def count_other(name: str, others: Counter[str]) -> None:
    """Count a file that is not called a picture, unless it is hidden or lies beside pictures on purpose."""
    parts = name.split("/")
    ending = os.path.splitext(parts[-1])[1].lower()
    if ending not in LISTS and not any(part.startswith(".") or part in NOT_PICTURES for part in parts):
        others[ending] += 1


def is_picture_name(name: str) -> bool:
    """Whether a relative name with forward slashes looks like a picture that is meant to be seen."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or part in NOT_PICTURES for part in parts)
    return not hidden and os.path.splitext(parts[-1])[1].lower() in SUFFIXES


def _walk(root: Path, sizes: array, stamps: array, others: Counter[str]) -> Iterator[str]:
    """Names of pictures relative to root, in order; appends their sizes and times, and counts others, as it goes."""
    return _walk_folder(root, "", {_identity(os.stat(root))}, sizes, stamps, others)


def _walk_folder(
    root: Path, folder: str, seen: set[tuple[int, int]], sizes: array, stamps: array, others: Counter[str]
) -> Iterator[str]:
    try:
        # A folder sorts as its name with a slash: then the walk comes out in the order of the whole names.
        entries = sorted(os.scandir(root / folder), key=lambda e: e.name + "/" if _is_folder(e) else e.name)
    except OSError as error:
        raise DataError(f"the folder {str(root / folder)!r} cannot be listed: {error.strerror}.") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name in NOT_PICTURES:
            continue
        if _is_folder(entry):
            identity = _identity(os.stat(entry.path))
            if identity not in seen:
                seen.add(identity)
                yield from _walk_folder(root, f"{folder}{entry.name}/", seen, sizes, stamps, others)
        elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            size, stamp = _size_and_time(entry)
            sizes.append(size)
            stamps.append(stamp)
            yield folder + entry.name
        else:
            count_other(entry.name, others)


def _is_folder(entry: os.DirEntry) -> bool:
    """A link that leads in a circle is none: it is listed, and reported as unreadable when it is opened."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _size_and_time(entry: os.DirEntry) -> tuple[int, int]:
    try:
        status = entry.stat()
    except OSError:  # a link to nothing: it is listed, and reported as unreadable when it is opened
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
