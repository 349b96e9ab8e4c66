"""What is known about pictures beside their pixels: attributes (yes, no, unknown), classes, numbers and true factors.

In: a CSV with a column of pictures' names, or rows parsed elsewhere; the names of a store. Out: a table
whose rows are the store's pictures. Knows nothing of pixels.
Legend: N pictures, A attributes, F factors, R rows of a file.

A column of yes and no is one attribute. A column of classes (digits, names of categories, a few whole numbers) is one
attribute for each class, `digit:7`, and a column of numbers one that says whether a picture lies above the middle of
them, `age`; both stay whole beside these, as a `Category`, for maps and whoever wants more than yes and no.
"""

import csv
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
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
_UNKNOWN = frozenset(
    ("", "nan", "-nan", "na", "<na>", "n/a", "#n/a", "null", "\\n", "?")
)  # pandas', R's, SQL's
_ZERO = frozenset(("0", "0.0"))
_STRANGE = 3  # neither yes nor no
_ZERO_CODE = 2  # a zero, while it is not yet known whether its column writes "no" as 0 or as -1


CLASSES = 100  # that a column may have; whole numbers of more values than WHOLE are measured, not named
WHOLE = 20
BANDS = 5  # that numbers are told apart in on a map


@dataclass(frozen=True, slots=True)
class Category:
    """A column of classes, or of numbers in bands of about as many pictures each."""

    name: str
    labels: tuple[str, ...]  # L of them, in their order
    codes: np.ndarray  # (N,) int16: which label; −1 unknown
    numbers: np.ndarray | None = None  # (N,) float32 of a column of numbers, NaN unknown; None of classes


@dataclass(frozen=True, slots=True)
class AttributeTable:
    names: tuple[str, ...]  # A
    values: np.ndarray  # (N, A) int8: 1 yes, −1 no, 0 unknown
    categories: tuple[Category, ...] = ()

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
    categories: tuple[Category, ...] = ()  # of the R rows


def read_csv(path: Path, folder: str = "") -> LabelRows:
    """Labels of a CSV: a column of the pictures' names; the others −1/1, 0/1, true/false or yes/no, classes or numbers.

    The names stand in the first column, or in the one called name, image_id, filename … An empty field is unknown. In
    a column that writes −1 anywhere, 0 is unknown as well; otherwise 0 is no. Columns may be parted by commas,
    semicolons, tabs or spaces; rows and unnamed columns that are empty are passed over, as is an index column of
    numbers without a name. UTF-8 or UTF-16. Where semicolons or tabs part the columns, 23,5 is a number, and where
    commas do, "1,250" is. `folder` ("train/") is put before the names. Raises DataError with file, line and field.
    """
    lines = read_text(path).splitlines(keepends=True)
    told = _TOLD_DELIMITER.fullmatch(lines[0].strip()) if lines else None
    lines = lines[1:] if told else lines
    header = lines[0] if lines else ""
    delimiter = told[1] if told else max(",;\t", key=header.count)
    spaced = not header.count(delimiter) and " " in header.strip()
    try:
        table = csv.reader(lines, delimiter=" " if spaced else delimiter, skipinitialspace=spaced)
        above = 1 if told else 0
        rows = [(table.line_num + above, [cell.strip() for cell in row]) for row in table]
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
    parsed = (
        (line, folder + row[named], [_with_a_point(row[i], delimiter) for i in known])
        for line, row in rows[1:]
    )
    return collect_rows(path, [columns[i] for i in known], parsed)


_TOLD_DELIMITER = re.compile(r'"?sep=(.)"?')  # a first line by which Excel is told
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")  # 23,5 and 1.250,75
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")  # 1,250 and 1,250.75


def _with_a_point(cell: str, delimiter: str) -> str:
    """A number as Python reads it, where spreadsheets write it as their country does; anything else as it is.

    Columns are parted by commas where numbers have a point, and by something else where they have a comma.
    """
    if "," not in cell:
        return cell
    if delimiter == ",":
        return cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell
    return cell.replace(".", "").replace(",", ".") if _COMMA.fullmatch(cell) else cell


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


def collect_rows(
    path: Path,
    columns: Iterable[str],
    rows: Iterator[tuple[int, str, list[str]]],
    only_attributes: bool = False,
) -> LabelRows:
    """(line, picture's name, its A fields) for every row, as compact arrays; `path` is for error messages.

    `only_attributes`: a field that says neither yes nor no is a mistake, and no class or number.
    """
    columns = tuple(columns)
    if len(set(columns)) < len(columns):
        raise DataError(f"{str(path)!r} names a column twice; give each attribute one name.")
    names, lines, fields_of = [], array("q"), [array("i") for _ in columns]
    texts: dict[str, int] = {}  # each spelling once: a field is a number in memory
    for line, name, fields in rows:
        if len(fields) != len(columns):
            raise DataError(
                f"{str(path)!r}, line {line}: {len(fields)} values, but the file has {len(columns)} attributes."
            )
        names.append(name)
        lines.append(line)
        for column, field in zip(fields_of, fields, strict=True):
            column.append(texts.setdefault(field.strip(), len(texts)))
    spellings = np.array([_code(text) for text in texts] or [UNKNOWN], np.int8)
    words, parts = list(texts), []
    for name, column in zip(columns, fields_of, strict=True):
        parts.append(
            _read_column(path, name, np.array(column, np.int32), spellings, words, lines, only_attributes)
        )
    return LabelRows(
        tuple(name for part in parts for name in part.names),
        NameTable.of(names),
        np.concatenate([part.values for part in parts], axis=1),
        tuple(category for part in parts for category in part.categories),
    )


def _read_column(
    path: Path,
    name: str,
    fields: np.ndarray,
    spellings: np.ndarray,
    words: list[str],
    lines: Sequence[int],
    only_attributes: bool,
) -> AttributeTable:
    """What one column says: an attribute, or a category with its attributes. `fields` (R,) are places in `words`."""
    codes = spellings[fields]  # (R,) int8
    strange = codes == _STRANGE
    if not strange.any():
        zero = UNKNOWN if (codes == NO).any() else NO  # what a zero means in this column
        values = np.where(codes == _ZERO_CODE, zero, codes).astype(np.int8)
        return AttributeTable((name,), values[:, None])
    known = codes != UNKNOWN
    numbers = _as_numbers(fields, words, known)
    if only_attributes or (numbers is None and strange.sum() < known.sum()):  # not all of them are words
        row = int(np.argmax(strange))
        raise DataError(
            f"{str(path)!r}, line {lines[row]}: {name} is {words[fields[row]]!r}; an attribute is −1 or 1 (also 0/1, "
            "true/false, yes/no)."
        )
    if numbers is None:
        _refuse_words_among_numbers(path, name, fields, words, known, lines)
    whole = numbers is not None and np.array_equal(numbers[known], numbers[known].round())
    if numbers is not None and not (whole and len(np.unique(numbers[known])) <= WHOLE):
        return _of_numbers(name, numbers, known)
    count = len(np.unique(fields[known]))
    if count > CLASSES:
        raise DataError(
            f"{str(path)!r} has {count:,} different values in the column {name!r}: up to {CLASSES} are classes; "
            "leave the column out, or write numbers."
        )
    return table_of_classes(name, [words[field] if k else "" for field, k in zip(fields, known, strict=True)])


def _refuse_words_among_numbers(
    path: Path, name: str, fields: np.ndarray, words: list[str], known: np.ndarray, lines: Sequence[int]
) -> None:
    """Raises DataError where a column measures something, but for a few fields: it would fall into as many classes."""
    values = np.array([number_in(word) for word in words])[fields]
    measured = known & np.isfinite(values)
    distinct = np.unique(values[measured])
    is_whole = np.array_equal(distinct, distinct.round())
    if 2 * measured.sum() > known.sum() and not (is_whole and len(distinct) <= WHOLE):
        row = int(np.argmax(known & ~measured))
        raise DataError(
            f"{str(path)!r}, line {lines[row]}: {name} is {words[fields[row]]!r} among numbers; leave the field empty "
            "where the number is not known."
        )


def number_in(text: str) -> float:
    """NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def table_of_classes(name: str, classes: Sequence[str]) -> AttributeTable:
    """The class of each of N pictures, "" where it is unknown: a category, and an attribute for each class."""
    labels = sorted(set(classes) - {""}, key=_in_order)
    place = {label: number for number, label in enumerate(labels)}
    codes = np.array([place.get(label, -1) for label in classes], np.int16)  # (N,)
    hot = codes[:, None] == np.arange(len(labels))
    values = np.where(codes[:, None] >= 0, np.where(hot, YES, NO), UNKNOWN).astype(np.int8)
    names = tuple(f"{name}:{label}" for label in labels)
    return AttributeTable(names, values, (Category(name, tuple(labels), codes),))


def _of_numbers(name: str, numbers: np.ndarray, known: np.ndarray) -> AttributeTable:
    above = np.where(numbers > np.median(numbers[known]), YES, NO)
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, BANDS + 1)))
    bands = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, max(len(edges) - 2, 0))
    labels = tuple(f"{low:g} to {high:g}" for low, high in pairwise(edges)) or (f"{edges[0]:g}",)
    codes = np.where(known, bands, -1).astype(np.int16)
    category = Category(name, labels, codes, numbers.astype(np.float32))
    values = np.where(known, above, UNKNOWN).astype(np.int8)
    return AttributeTable((name,), values[:, None], (category,))


def _as_numbers(fields: np.ndarray, words: list[str], known: np.ndarray) -> np.ndarray | None:
    """(R,) float64, NaN where unknown; None where a known field is no finite number."""
    values = np.array([number_in(word) for word in words])
    numbers = np.where(known, values[fields], np.nan)
    return numbers if np.isfinite(numbers[known]).all() else None


def _in_order(label: str) -> tuple[float, str]:
    """Whole numbers by their size, before words by the alphabet."""
    number = number_in(label)
    return math.inf if math.isnan(number) else number, label


def joined_categories(parts: Sequence[tuple[Category, ...]], counts: Sequence[int]) -> tuple[Category, ...]:
    """The categories of several tables, of so many rows each, one after the other; −1 where a table has none of that
    name. Labels are those of all."""
    names = dict.fromkeys(category.name for part in parts for category in part)
    whole = []
    for name in names:
        known = [next((c for c in part if c.name == name), None) for part in parts]
        labels = tuple(dict.fromkeys(label for c in known if c is not None for label in c.labels))
        codes = [
            np.full(count, -1, np.int16) if c is None else _recoded(c, labels)
            for c, count in zip(known, counts, strict=True)
        ]
        whole.append(Category(name, labels, np.concatenate(codes), _joined_numbers(known, counts)))
    return tuple(whole)


def _joined_numbers(parts: Sequence[Category | None], counts: Sequence[int]) -> np.ndarray | None:
    """(N,) float32, NaN where a part has no numbers; None where one has classes."""
    if any(part is not None and part.numbers is None for part in parts):
        return None
    blank = (np.full(count, np.nan, np.float32) for count in counts)
    return np.concatenate(
        [
            none if part is None or part.numbers is None else part.numbers
            for part, none in zip(parts, blank, strict=True)
        ]
    )


def _recoded(category: Category, labels: tuple[str, ...]) -> np.ndarray:
    place = np.array([labels.index(label) for label in category.labels] + [-1], np.int16)
    return place[category.codes]  # −1 is the last place


def spread_table(labels: LabelRows, joined: Joined) -> AttributeTable:
    """What the file says of each of N pictures; nothing is known of those that it leaves out."""
    categories = tuple(
        Category(
            category.name,
            category.labels,
            _spread(category.codes, joined, np.int16(-1)),
            None if category.numbers is None else _spread(category.numbers, joined, np.float32(np.nan)),
        )
        for category in labels.categories
    )
    return AttributeTable(labels.columns, spread_rows(labels, joined), categories)


def spread_rows(labels: LabelRows, joined: Joined, fill: int = UNKNOWN) -> np.ndarray:
    """(N, A) int8: what the file says of each picture; `fill` where it leaves one out."""
    return _spread(labels.values, joined, np.int8(fill))


def _spread(values: np.ndarray, joined: Joined, fill: np.generic) -> np.ndarray:
    """A file's values (R, …) for each of N pictures, `fill` where it leaves one out."""
    if not len(values):
        return np.full((len(joined.rows), *values.shape[1:]), fill)
    unlisted = (joined.rows == UNLISTED).reshape(-1, *(1,) * (values.ndim - 1))
    return np.where(unlisted, fill, values[joined.rows])


def join_rows(path: Path, labels: LabelRows, names: Sequence[str]) -> Joined:
    """The row of each picture; see `join_names`. Raises DataError where two rows of one picture differ."""
    try:
        return join_names(labels.names, names, labels.values)
    except ConflictError as error:
        raise DataError(
            f"{str(path)!r} says two things of {error.name!r}: its rows {labels.names[error.first]!r} and "
            f"{labels.names[error.second]!r} (numbers {error.first + 1:,} and {error.second + 1:,}) differ."
        ) from None


def _code(field: str) -> int:
    """What a spelling of yes, no and unknown means; _STRANGE for everything else."""
    text = field.lower()
    for spellings, code in ((_YES, YES), (_NO, NO), (_UNKNOWN, UNKNOWN), (_ZERO, _ZERO_CODE)):
        if text in spellings:
            return code
    return _STRANGE
