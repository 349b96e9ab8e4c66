"""Classes from the folders that pictures lie in: `pets/cat/1.png` is a cat.

In: the names of a store's pictures. Out: an `AttributeTable` with the column `class`, as a CSV of it would give.
Folders that all pictures share, and those called train, valid and test, are no classes. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from facette.data.attributes import CLASSES, AttributeTable, table_of_classes
from facette.data.labels import Listing
from facette.data.split import FOLDERS as PARTS
from facette.errors import DataError

FOLDERS = "folders"  # in the place of a CSV
COLUMN = "class"


def asks_for_folders(labels: str | Path | None) -> bool:
    """Whether the word stands in the place of a file of labels; a file that is called so is a file."""
    return labels is not None and str(labels) == FOLDERS and not Path(labels).is_file()


def classes_of_folders(
    names: Sequence[str], asked: bool, outer: int = 0
) -> tuple[AttributeTable, Listing] | None:
    """The class of each picture, and how many have one; None where the folders say nothing and nobody `asked`.

    Unless somebody asked, every picture must lie in the folder of a class. `outer` folders in front are passed over:
    the shards of tars. Raises DataError where somebody asked in vain, and for more classes than a column may have.
    """
    if not asked and any("/" not in name for name in names):
        return None
    depth = _deciding_depth(names, outer)
    words: dict[str, str] = {}  # each class once in memory, however many pictures it has
    classes = [words.setdefault(folder, folder) for folder in _folders_at(names, depth)]
    known = words.keys() - {""}
    if len(known) > CLASSES and asked:
        raise DataError(f"the pictures lie in {len(known):,} folders: up to {CLASSES} are classes.")
    if len(known) < 2 and asked:
        raise DataError(
            "the pictures lie in no folders of their classes: make one for each, such as cat/1.png and dog/2.png."
        )
    if not 2 <= len(known) <= CLASSES or (not asked and "" in words):
        return None
    listing = Listing("their folders' names", f"a {COLUMN}", sum(map(bool, classes)), len(names))
    return table_of_classes(COLUMN, classes), listing


def _deciding_depth(names: Sequence[str], depth: int) -> int:
    """The first depth at which folders differ and are no parts of a data set, or at which there are none."""
    while True:
        folders = set(_folders_at(names, depth)) - {""}
        if not folders or (len(folders) > 1 and not all(folder.lower() in PARTS for folder in folders)):
            return depth
        depth += 1


def _folders_at(names: Sequence[str], depth: int) -> Iterator[str]:
    """The folder that each picture lies in at a depth; "" where it lies in none there."""
    for name in names:
        parts = name.split("/", depth + 1)
        yield parts[depth] if len(parts) > depth + 1 else ""
