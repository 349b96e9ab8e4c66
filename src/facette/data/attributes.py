"""What is known about pictures beside their pixels: attributes (yes, no, unknown) and true factors.

In: a CSV with a column of pictures' names, or rows parsed elsewhere; the names of a store. Out: a table
whose rows are the store's pictures. Knows nothing of pixels.
Legend: N pictures, A attributes, F factors, R rows of a file.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facette.data.joining import UNLISTED, ConflictError, Joined, join_names
from facette.data.names import NameTable
from facette.errors import DataError
from facette.text import read_text

YES, NO, UNKNOWN = 1, -1, 0

NAME_COLUMNS = (
    "name",
    "image",
    "image_id",
    "imageid",
    "filename",
    "file_name",
    "file",
    "picture",
    "photo",
    "path",
)

_YES = frozenset(("1", "+1", "1.0", "true", "yes"))
_NO = frozenset(("-1", "-1.0", "false", "no"))
_UNKNOWN = frozenset(("", "nan", "na", "?"))
_ZERO = frozenset(("0", "0.0"))
_ZERO_CODE = 2  # a zero, while it is not yet known whether its column writes "no" as 0 or as -1


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
    """A label file as it stands, before it is joined with pictures."""

    columns: tuple[str, ...]  # A
    names: NameTable  # R names of pictures, as the file spells them
    values: np.ndarray  # (R, A) int8


def read_csv(path: Path, folder: str = "") -> LabelRows:
    """Attributes of a CSV: a column of the pictures' names, the others −1/1, 0/1, true/false or yes/no.

    The names stand in the first column, or in the one called name, image_id, filename … An empty field is unknown. In
    a column that writes −1 anywhere, 0 is unknown as well; otherwise 0 is no. Columns may be parted by commas,
    semicolons, tabs or spaces; rows and unnamed columns that are empty are passed over, as is an index column of
    numbers without a name. UTF-8 or UTF-16. `folder` ("train/") is put before the names. Raises DataError with file,
    line and field.
    """
    lines = read_text(path).splitlines(keepends=True)
    header = lines[0] if lines else ""
    delimiter = max(",;\t", key=header.count)
    spaced = not header.count(delimiter) and " " in header.strip()
    try:
        table = csv.reader(lines, delimiter=" " if spaced else delimiter, skipinitialspace=spaced)
        rows = [(table.line_num, [cell.strip() for cell in row]) for row in table]
    except csv.Error as error:
        raise DataError(f"{str(path)!r} is not a CSV file that can be read: {error}.") from error
    rows = [(line, row) for line, row in rows if any(row)]
    columns = rows[0][1] if rows else []
    named = next((i for i, name in enumerate(columns) if name.lower() in NAME_COLUMNS), 0)
    known = [i for i, name in enumerate(columns) if i != named and not _passed_over(path, i, columns, rows)]
    if not known:
        raise DataError(f"{str(path)!r} has no attribute columns; its first line names them all.")
    for line, row in rows[1:]:
        if len(row) < len(columns) or any(row[len(columns) :]):
            raise DataError(
                f"{str(path)!r}, line {line}: {len(row) - 1} values, but the file has {len(columns) - 1} attributes."
            )
    parsed = ((line, folder + row[named], [row[i] for i in known]) for line, row in rows[1:])
    return collect_rows(path, [columns[i] for i in known], parsed)


def _passed_over(path: Path, column: int, columns: list[str], rows: list[tuple[int, list[str]]]) -> bool:
    """Whether a column without a name holds nothing, or numbers the rows. Raises DataError where it holds more."""
    if columns[column]:
        return False
    cells = [row[column] for _, row in rows[1:] if column < len(row)]
    if any(cells) and cells not in ([str(i) for i in range(start, len(cells) + start)] for start in (0, 1)):
        raise DataError(
            f"{str(path)!r} has a column without a name that holds values such as {next(filter(None, cells))!r}; "
            "name it in the first line, or leave it out."
        )
    return True


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
    names, values = [], bytearray()
    codes: dict[str, int] = {}
    for line, name, fields in rows:
        if len(fields) != len(columns):
            raise DataError(
                f"{str(path)!r}, line {line}: {len(fields)} values, but the file has {len(columns)} attributes."
            )
        names.append(name)
        for column, field in zip(columns, fields, strict=True):
            code = codes.get(field)
            if code is None:
                code = codes[field] = _code(field, path, line, column)
            values.append(code & 0xFF)
    table = np.frombuffer(bytes(values), np.int8).reshape(len(names), len(columns)).copy()
    zeros = np.where((table == NO).any(axis=0), UNKNOWN, NO)  # (A,) what a zero means in each column
    return LabelRows(
        columns, NameTable.of(names), np.where(table == _ZERO_CODE, zeros, table).astype(np.int8)
    )


def join_rows(path: Path, labels: LabelRows, names: Sequence[str]) -> Joined:
    """The row of each picture; see `join_names`. Raises DataError where two rows of one picture differ."""
    try:
        return join_names(labels.names, names, labels.values)
    except ConflictError as error:
        raise DataError(
            f"{str(path)!r} says two things of {error.name!r}: its rows {labels.names[error.first]!r} and "
            f"{labels.names[error.second]!r} (numbers {error.first + 1:,} and {error.second + 1:,}) differ."
        ) from None


def spread_rows(labels: LabelRows, joined: Joined, fill: int = UNKNOWN) -> np.ndarray:
    """(N, A) int8: what the file says of each picture; `fill` where it leaves one out."""
    if not len(labels.names):
        return np.full((len(joined.rows), len(labels.columns)), fill, np.int8)
    return np.where((joined.rows == UNLISTED)[:, None], np.int8(fill), labels.values[joined.rows])


def _code(field: str, path: Path, line: int, column: str) -> int:
    text = field.strip().lower()
    for spellings, code in ((_YES, YES), (_NO, NO), (_UNKNOWN, UNKNOWN), (_ZERO, _ZERO_CODE)):
        if text in spellings:
            return code
    raise DataError(
        f"{str(path)!r}, line {line}: {column} is {field!r}; an attribute is −1 or 1 (also 0/1, true/false, yes/no)."
    )
