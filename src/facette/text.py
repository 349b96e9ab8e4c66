"""Text files that people bring, saved by whatever program they use.

In: the path of a file. Out: its text. UTF-8 and UTF-16 are told apart by how the file begins, as spreadsheets and
Windows' shells save them. Knows nothing of what the text says.
"""

import codecs
import csv
from pathlib import Path

from facette.errors import DataError
from facette.files import stand_in

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def readable(text: str) -> str:
    """A text or a name as pages and tables can hold it: bytes that are no Unicode are written as escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a mark, or in UTF-16. Raises DataError for any other."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    return decode_text(content, str(path))


def csv_rows(path: Path) -> list[list[str]]:
    """The rows of a table whose columns are parted by commas, semicolons or tabs. Raises DataError as `read_text`."""
    lines = read_text(path).splitlines()
    try:
        return list(csv.reader(lines, delimiter=max(",;\t", key=lines[0].count) if lines else ","))
    except csv.Error as error:
        raise DataError(f"{str(path)!r} is not a CSV file that can be read: {error}.") from error


def decode_text(content: bytes, name: str) -> str:
    """As `read_text`, for bytes; `name` is for messages."""
    if content and (instead := stand_in(content[:64])):
        raise DataError(f"{name!r} is {instead}.")
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name!r} is not text in UTF-8 ({error.reason} at byte {error.start:,}); save it again as UTF-8."
        ) from error
