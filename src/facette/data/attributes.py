"""What is known about pictures beside their pixels: attributes (yes, no, unknown) and true factors.

In: a CSV whose first column is the picture's name, or rows parsed elsewhere; the names of a store. Out: a table
whose rows are the store's pictures. Knows nothing of pixels.
Legend: N pictures, A attributes, F factors, R rows of a file.
"""

import csv
import os
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facette.data.names import NameTable, name_hash
from facette.errors import DataError

YES, NO, UNKNOWN = 1, -1, 0

_YES = frozenset(("1", "+1", "1.0", "true", "yes"))
_NO = frozenset(("-1", "-1.0", "false", "no"))
_UNKNOWN = frozenset(("", "nan", "na", "?"))
_ZERO = frozenset(("0", "0.0"))
_ZERO_CODE = 2  # a zero, while it is not yet known whether the file writes "no" as 0 or as -1


@dataclass(frozen=True, slots=True)
class AttributeTable:
    names: tuple[str, ...]  # A
    values: np.ndarray  # (N, A) int8: 1 yes, −1 no, 0 unknown

    def column(self, name: str) -> np.ndarray:
        """(N,) int8. Raises DataError naming the attributes there are."""
        if name not in self.names:
            raise DataError(f"no attribute {name!r}; this data set has {', '.join(self.names)}.")
        return self.values[:, self.names.index(name)]


@dataclass(frozen=True, slots=True)
class FactorTable:
    names: tuple[str, ...]  # F
    values: np.ndarray  # (N, F) float32, the factors a generated picture was drawn from


@dataclass(frozen=True, slots=True)
class LabelRows:
    """A label file as it stands, before it is joined with pictures: one hash of the name and A values a row."""

    columns: tuple[str, ...]  # A
    hashes: np.ndarray  # (R,) uint64 of the names
    values: np.ndarray  # (R, A) int8


def read_csv(path: Path, folder: str = "") -> LabelRows:
    """Attributes of a CSV: first column the picture's name, the others −1/1, 0/1, true/false or yes/no.

    An empty field is unknown. In a file that writes −1 anywhere, 0 is unknown as well; otherwise 0 is no. The
    columns may be parted by commas, semicolons or tabs. `folder` ("train/") is put before the
    names. Raises DataError with file, line and field.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            rows = csv.reader(file, delimiter=max(",;\t", key=header.count))
            columns = [name.strip() for name in next(rows, [])]
            if len(columns) < 2:
                raise DataError(f"{str(path)!r} has no attribute columns; its first line names them all.")
            parsed = ((rows.line_num, folder + row[0].strip(), row[1:]) for row in rows if row)
            table = collect_rows(path, columns[1:], parsed)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} is not a CSV file in UTF-8: {error}.") from error
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    return table


def csv_rows(path: Path) -> Iterator[list[str]]:
    """The rows of a CSV in UTF-8 whose columns are parted by commas, semicolons or tabs. Raises DataError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            yield from csv.reader(file, delimiter=max(",;\t", key=header.count))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} is not a CSV file in UTF-8: {error}.") from error
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from error


def collect_rows(path: Path, columns: Iterable[str], rows: Iterator[tuple[int, str, list[str]]]) -> LabelRows:
    """(line, picture's name, its A fields) for every row, as compact arrays; `path` is for error messages."""
    columns = tuple(columns)
    if len(set(columns)) < len(columns):
        raise DataError(f"{str(path)!r} names a column twice; give each attribute one name.")
    hashes, values = array("Q"), bytearray()
    codes: dict[str, int] = {}
    for line, name, fields in rows:
        if len(fields) != len(columns):
            raise DataError(
                f"{str(path)!r}, line {line}: {len(fields)} values, but the file has {len(columns)} attributes."
            )
        hashes.append(name_hash(name.strip().replace("\\", "/")))
        for column, field in zip(columns, fields, strict=True):
            code = codes.get(field)
            if code is None:
                code = codes[field] = _code(field, path, line, column)
            values.append(code & 0xFF)
    table = np.frombuffer(bytes(values), np.int8).reshape(len(hashes), len(columns)).copy()
    table[table == _ZERO_CODE] = UNKNOWN if (table == NO).any() else NO
    return LabelRows(columns, np.array(hashes, np.uint64), table)


def join_rows(labels: LabelRows, names: NameTable, fill: int = UNKNOWN) -> np.ndarray:
    """(N, A) int8: the row of each name; `fill` where the file has none.

    A picture is looked up by its whole name, then by its file name, each also without suffix. Of a name that
    the file holds twice, the first row counts.
    """
    order = np.argsort(labels.hashes, kind="stable")
    keys = labels.hashes[order]
    if len(keys) == 0:
        return np.full((len(names), len(labels.columns)), fill, np.int8)
    found = np.full(len(names), -1, np.int64)  # (N,) rows of the file
    for spell in (str, _without_suffix, os.path.basename, _stem):
        missing = np.flatnonzero(found < 0)
        if not missing.size:
            break
        wanted = np.fromiter((name_hash(spell(names[int(i)])) for i in missing), np.uint64, missing.size)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found[missing] = np.where(keys[at] == wanted, order[at], -1)
    values = labels.values[found]
    values[found < 0] = fill
    return values


def _without_suffix(name: str) -> str:
    return os.path.splitext(name)[0]


def _stem(name: str) -> str:
    return _without_suffix(os.path.basename(name))


def _code(field: str, path: Path, line: int, column: str) -> int:
    text = field.strip().lower()
    for spellings, code in ((_YES, YES), (_NO, NO), (_UNKNOWN, UNKNOWN), (_ZERO, _ZERO_CODE)):
        if text in spellings:
            return code
    raise DataError(
        f"{str(path)!r}, line {line}: {column} is {field!r}; an attribute is −1 or 1 (also 0/1, true/false, yes/no)."
    )
