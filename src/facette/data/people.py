"""Whose pictures they are, and of which age and origin, where lists beside the pictures say so.

In: a CSV whose first column is the picture's name; the names of a store. Out: a number for each person, and groups of
pictures. Names are joined by their stem, in one normal form: a list of .jpg speaks of the .png made from it.
Knows nothing of pixels. Legend: N pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facette.data.attributes import number_in
from facette.data.joining import stem
from facette.errors import DataError
from facette.text import csv_rows

UNKNOWN = -1  # the number of a person whom no list names
APART = 10  # training people whose number is a multiple of ten choose and calibrate: a tenth of them
AGES = (0, 13, 30, 60)  # years at which a group of ages begins


def find_people(source: Path) -> Path | None:
    """The list of people of a folder or zip of pictures: `faces_people.csv` beside `faces`, or `people.csv` in it."""
    return _beside(source, "people")


def find_groups(source: Path) -> Path | None:
    """The list of ages and origins of a folder or zip: `faces_labels.csv` beside `faces`, or `labels.csv` in it."""
    return _beside(source, "labels")


def read_people(path: Path, names: Sequence[str]) -> NDArray[np.int64]:
    """The person of each picture, (N,): a number ≥ 0 as the list has it, or UNKNOWN.

    Raises DataError where the list has no column `person`, a row without a whole number, or none of the pictures.
    """
    rows = _rows(path, ("person",))
    numbers = {name: _number(path, name, row["person"]) for name, row in rows.items()}
    people = np.array([numbers.get(stem(name), UNKNOWN) for name in names], np.int64)
    if len(people) and (people == UNKNOWN).all():
        raise DataError(f"{str(path)!r} names none of the pictures, such as {names[0]!r}.")
    return people


def set_apart(people: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The pictures of the tenth of all people who choose and calibrate and are not learnt from, (N,)."""
    return (people >= 0) & (people % APART == 0)


def read_groups(path: Path, names: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Groups of pictures by age in years and by the list's own codes of origin: name → (N,) whether it belongs there.

    Columns `age` and `race` are read, where there are any. Raises DataError for a list that cannot be read.
    """
    rows = _rows(path, ())
    of_picture = [rows.get(stem(name), {}) for name in names]
    groups: dict[str, NDArray[np.bool_]] = {}
    ages = np.array([number_in(row.get("age", "")) for row in of_picture])
    for first, after in zip(AGES, (*AGES[1:], None), strict=True):
        until = np.inf if after is None else after
        label = f"age {first} and more" if after is None else f"age {first} to {after - 1}"
        groups[label] = (ages >= first) & (ages < until)
    origins = np.array([row.get("race", "") for row in of_picture])
    groups |= {f"origin {code}": origins == code for code in sorted(set(origins) - {""})}
    return {label: members for label, members in groups.items() if members.any()}


def _beside(source: Path, what: str) -> Path | None:
    source = source.expanduser().resolve()
    name = source.stem if source.is_file() else source.name
    candidates = [source.with_name(f"{name}_{what}.csv"), source / f"{what}.csv"]
    return next((path for path in candidates if path.is_file()), None)


def _rows(path: Path, needed: Sequence[str]) -> dict[str, dict[str, str]]:
    """The rows of a CSV by the stem of their picture. Raises DataError where it lacks a column, or is none."""
    columns, *rows = csv_rows(path) or [[]]
    missing = [name for name in needed if name not in columns]
    if len(columns) < 2 or missing:
        raise DataError(
            f"{str(path)!r} has no column {(missing or ['age'])[0]!r} beside the pictures' names."
        )
    blank = dict.fromkeys(columns, "")
    return {stem(row[0]): blank | dict(zip(columns, row, strict=False)) for row in rows if row}


def _number(path: Path, name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise DataError(f"{str(path)!r}: the person of {name!r} is a whole number, not {text!r}.")
    return int(text)
