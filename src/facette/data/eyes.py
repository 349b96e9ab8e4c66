"""Where the eyes are in photos, where that is already known: a CSV of their places.

In: a CSV with the columns image_id, left_eye_x, left_eye_y, right_eye_x, right_eye_y, in pixels of the photo, the left
eye of the picture first; face_score, where there is such a column, is below 0 for what is no face that can be used.
Out: the places by the photo's name. Knows nothing of pictures.
"""

from dataclasses import dataclass
from pathlib import Path

from facette.errors import DataError, ImageError
from facette.images.similarity import Point
from facette.text import csv_rows

COLUMNS = ("left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y")
SCORE = "face_score"


@dataclass(frozen=True, slots=True)
class EyeTable:
    """Places of eyes by the photo's name; None for photos that a face detector has refused."""

    path: Path
    places: dict[str, tuple[Point, Point] | None]

    def of(self, name: str) -> tuple[Point, Point]:
        """The eyes of a photo, by its path in the folder or its file name. Raises ImageError where there are none."""
        for key in (name, name.rpartition("/")[2]):
            if key in self.places:
                if (eyes := self.places[key]) is None:
                    raise ImageError(f"{name} has a {SCORE} below 0 in {self.path}")
                return eyes
        raise ImageError(f"{name} is not listed in {self.path}")


def read_eyes(path: Path) -> EyeTable:
    """Raises DataError for a file without the columns, and with its line for a place that is no number."""
    rows = csv_rows(path)
    header = [column.strip() for column in rows[0]] if rows else []
    missing = [column for column in COLUMNS if column not in header]
    if missing or len(header) < 1 + len(COLUMNS):
        raise DataError(f"{str(path)!r} has no column {', '.join(missing)}; its first line names them all.")
    at = [header.index(column) for column in COLUMNS]
    score = header.index(SCORE) if SCORE in header else None
    places: dict[str, tuple[Point, Point] | None] = {}
    for line, fields in enumerate(rows[1:], start=2):
        if not any(field.strip() for field in fields):
            continue
        try:
            left_x, left_y, right_x, right_y = (float(fields[place]) for place in at)
            refused = score is not None and float(fields[score] or 0) < 0
        except (ValueError, IndexError):
            raise DataError(f"{str(path)!r}, line {line}: the eyes' places are not four numbers.") from None
        places[fields[0].strip()] = None if refused else ((left_x, left_y), (right_x, right_y))
    return EyeTable(path, places)
