"""Labels that come with the pictures of a data set, as columns of values.

In: columns by name, a value for each picture; the names of the pictures. Out: `LabelRows` as a CSV of the same columns
would give them. Knows nothing of where the values come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facette.data.attributes import CLASSES, LabelRows, collect_rows
from facette.data.names import NameTable


def label_rows(columns: Mapping[str, Sequence[Any]], names: NameTable, location: str) -> LabelRows | None:
    """The labels among the columns: yes and no, classes, numbers; None is unknown. None where there is no such column.

    Passed over are columns of other things than single values, and texts that are no classes, such as captions: more
    than 100 of them, or one for every other picture.
    `location` is for error messages. Raises DataError for a column that mixes yes and no with other words.
    """
    labels = {str(name): texts for name, values in columns.items() if (texts := _texts(values)) is not None}
    if not labels:
        return None
    rows = zip(*labels.values(), strict=True)
    lines = ((line, name, list(fields)) for line, (name, fields) in enumerate(zip(names, rows, strict=True)))
    return collect_rows(Path(location), labels, lines)


def _texts(values: Sequence[Any]) -> list[str] | None:
    """A column as a CSV would spell it; None where it holds no labels."""
    texts, words = [], False
    for value in values:
        single = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if not (single is None or isinstance(single, bool | int | float | str)):
            return None
        words |= isinstance(single, str)
        texts.append("" if single is None else str(single).strip())
    known = set(texts) - {""}
    no_classes = words and len(known) > min(CLASSES, max(2, len(texts) // 2))
    return None if not known or no_classes else texts
