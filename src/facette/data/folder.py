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
# Folders in which storage and systems keep small copies of people's pictures, and those that people threw away:
# Synology's and QNAP's, Windows', and what Linux saved from a damaged disk. In small letters: some disks change them.
KEPT_BY_SYSTEMS = (
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
    *("$recycle.bin", "system volume information", "lost+found"),
)


class FolderSource:
    """The picture files below `root`, in the order of their names.

    Taken are ordinary files whose suffix is one of `facette.images.open.SUFFIXES`. Hidden files and folders
    (a leading dot, which covers AppleDouble `._x.jpg` and `.DS_Store`) are passed over, and so are pictures in folders
    of the system's own, which are counted. Links are followed, each folder once. Raises DataError when there is no such
    folder.
    """

    kind = "folder"

    def __init__(self, root: str | Path):
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"{str(root)!r} is not a folder; give a folder of pictures or a zip of them.")
        self.location = str(self.root.resolve())
        sizes, stamps = array("q"), array("q")
        self.others: Counter[str] = Counter()  # what is passed over: see `count_other`
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
    """How many files are not called pictures, and their endings, and how many pictures lie in folders of the system's
    own; empty where there is none."""
    kept = Counter({name: count for name, count in others.items() if name.endswith("/")})
    counts = (
        (others - kept, "files that are not called pictures"),
        (kept, "pictures in folders of the system's own"),
    )
    sentences = []
    for counted, words in counts:
        if counted:
            most = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:4]
            which = ", ".join(f"{name or 'no ending'} {count:,}" for name, count in most)
            sentences.append(f"{counted.total():,} {words} ({which})")
    return before + " and ".join(sentences) if sentences else ""


def count_other(name: str, others: Counter[str]) -> None:
    """Count a file that is not called a picture by its ending, and a picture in a folder of the system's own by that
    folder, with a slash behind it; neither where it is hidden or lies beside pictures on purpose."""
    parts = name.split("/")
    ending = os.path.splitext(parts[-1])[1].lower()
    if any(_is_hidden(part) for part in parts):
        return
    keeper = next((part for part in parts[:-1] if is_of_a_system(part)), None)
    if keeper is None and ending not in LISTS:
        others[ending] += 1
    elif keeper is not None and ending in SUFFIXES:
        others[f"{keeper}/"] += 1


def is_picture_name(name: str) -> bool:
    """Whether a relative name with forward slashes looks like a picture that is meant to be seen."""
    parts = name.split("/")
    unseen = any(map(_is_hidden, parts)) or any(map(is_of_a_system, parts[:-1]))
    return not unseen and os.path.splitext(parts[-1])[1].lower() in SUFFIXES


def is_of_a_system(folder: str) -> bool:
    """Whether a folder of this name is one of `KEPT_BY_SYSTEMS`."""
    return folder.lower() in KEPT_BY_SYSTEMS


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part in NOT_PICTURES


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
        if _is_hidden(entry.name):
            continue
        if _is_folder(entry) and is_of_a_system(entry.name):
            for within, _, names in os.walk(entry.path):
                for name in names:
                    count_other(
                        f"{entry.name}/{Path(within, name).relative_to(entry.path).as_posix()}", others
                    )
        elif _is_folder(entry):
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
