"""Which row of a list speaks of which picture: the one place where names of lists and names of pictures meet.

In: the names a list holds, the names of pictures. Out: for each picture the number of its row. Names meet whatever
their Unicode normal form, slashes, ending or capitals: a list of .jpg speaks of the .png made from it. Knows nothing
of pixels, nor of what else a row says. Legend: N pictures, R rows.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facette.data.names import name_hash
from facette.images.open import SUFFIXES

UNLISTED = -1  # the row of a picture that the list leaves out
# What archives made in Asia and in Eastern Europe write where they do not write Unicode, which readers show as cp437.
CODE_PAGES = ("cp932", "gb18030", "cp949", "big5", "cp866", "cp1252", "cp1250")
_CONFUSED = "cp437"
_NUMBER = re.compile(r"([0-9]{1,18})(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class Joined:
    rows: NDArray[np.int64]  # (N,) the row of each picture, or UNLISTED
    code_page: str | None = None  # in which the pictures' names had to be read again to be met

    @property
    def listed(self) -> int:
        """How many pictures the list names."""
        return int(np.count_nonzero(self.rows != UNLISTED))


class ConflictError(ValueError):
    """Two rows of one picture say different things; `name` is the picture's, `lines` are the two rows."""

    def __init__(self, name: str, first: int, second: int):
        super().__init__(name, first, second)
        self.name, self.first, self.second = name, first, second


def join_names(rows: Sequence[str], names: Sequence[str], values: NDArray[np.generic]) -> Joined:
    """The row of each picture.

    A picture is looked up by its whole name, then without its outer folders, and last among rows without theirs:
    "pics/a.jpg", "/data/pics/a.jpg" and "a.jpg" are one name, "d/a.jpg" and "e/a.jpg" are not. Each time first to the
    letter, then without the ending, then without regard to capitals, and last as numbers, from which spreadsheets take
    the zeros: "1" speaks of "000001.jpg", unless two names are one number. `values` (R, …) is what the rows say: where
    two rows serve one picture and say the same, the first counts; where they differ, ConflictError is raised.
    """
    joined = _join(rows, names, values)
    if len(rows) and not joined.listed:
        for code_page in CODE_PAGES:
            again = _join(rows, [_read_again(name, code_page) for name in names], values)
            if again.listed:
                return Joined(again.rows, code_page)
    return joined


def composed(name: str) -> str:
    """The name in one normal form (Unicode NFC), with forward slashes."""
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/"))


def stem(name: str) -> str:
    """The name without folder and ending, composed."""
    return _without_ending(composed(name)).rpartition("/")[2]


def _join(rows: Sequence[str], names: Sequence[str], values: NDArray[np.generic]) -> Joined:
    matched = np.full(len(names), UNLISTED, np.int64)
    if not len(rows) or not len(names):
        return Joined(matched)
    spelled_rows, spelled_names = [composed(row) for row in rows], [composed(name) for name in names]
    spellings: list[Callable[[str], str]] = [str, _without_ending, _without_capitals]
    if _numbers_tell(spelled_rows) and _numbers_tell(spelled_names):
        spellings.append(_as_number)
    deepest_name, deepest_row = (max(name.count("/") for name in ns) for ns in (spelled_names, spelled_rows))
    depths = [(depth, 0) for depth in range(deepest_name + 1)] + [(0, d) for d in range(1, deepest_row + 1)]
    for of_name, of_row in depths:
        for spell in spellings:
            missing = np.flatnonzero(matched == UNLISTED)
            if not missing.size:
                return Joined(matched)
            keys = [_inner(spell(row), of_row) for row in spelled_rows]
            wanted = [_inner(spell(spelled_names[i]), of_name) for i in missing.tolist()]
            matched[missing] = _look_up(keys, wanted, values)
    return Joined(matched)


def _look_up(keys: list[str], wanted: list[str], values: NDArray[np.generic]) -> NDArray[np.int64]:
    """The row of each wanted name, or UNLISTED. Sorted hashes: a dictionary of millions of names would not fit."""
    order = np.argsort(hashes := _hashes(keys), kind="stable")
    hashes, sought = hashes[order], _hashes(wanted)
    first = np.searchsorted(hashes, sought)
    after = np.searchsorted(hashes, sought, side="right")
    named = np.array([bool(name) for name in wanted]) & (after > first)
    rows = np.where(named, order[np.minimum(first, len(order) - 1)], UNLISTED)
    for at in np.flatnonzero(named & (after - first > 1)).tolist():
        for other in order[first[at] + 1 : after[at]].tolist():
            if not np.array_equal(values[rows[at]], values[other]):
                raise ConflictError(wanted[at], int(rows[at]), other)
    return rows


def _hashes(names: list[str]) -> NDArray[np.uint64]:
    return np.fromiter((name_hash(name) for name in names), np.uint64, len(names))


def _inner(name: str, folders: int) -> str:
    """The name without so many outer folders; empty where it has fewer."""
    parts = name.split("/", folders)
    return parts[-1] if len(parts) > folders else ""


def _without_ending(name: str) -> str:
    start, ending = os.path.splitext(name)
    return start if ending.lower() in SUFFIXES else name


def _without_capitals(name: str) -> str:
    return _without_ending(name).casefold()


def _as_number(name: str) -> str:
    """The name with its number in figures alone: "d/7" for "d/007.png" and "d/7.0"; as it is where it is no number."""
    folder, slash, last = _without_ending(name).rpartition("/")
    number = _NUMBER.fullmatch(last)
    return f"{folder.casefold()}{slash}{int(number[1])}" if number else _without_capitals(name)


def _numbers_tell(names: Sequence[str]) -> bool:
    """Whether names that differ are different numbers, too."""
    different = {_without_capitals(name) for name in names}
    return len({_as_number(name) for name in different}) == len(different)


def _read_again(name: str, code_page: str) -> str:
    """The name with its bytes read by another code page; as it is where it has no such bytes."""
    try:
        return name.encode(_CONFUSED).decode(code_page)
    except UnicodeError:
        return name
