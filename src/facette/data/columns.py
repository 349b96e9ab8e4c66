"""Labels that come with the pictures of a data set, as columns of values.

In: columns by name, a value for each picture; the names of the pictures. Out: `LabelRows` of those columns that are
attributes. Knows nothing of where the values come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facette.data.attributes import NO, UNKNOWN, YES, LabelRows
from facette.data.names import NameTable


def label_rows(columns: Mapping[str, Sequence[Any]], names: NameTable) -> LabelRows | None:
    """The attributes among the columns, as a CSV of them would be read; None where there is none.

    An attribute is true or false, 0 or 1, or −1, 0 and 1; None, or a 0 beside a −1, is unknown. Other columns are
    passed over.
    """
    attributes = {name: codes for name, values in columns.items() if (codes := _codes(values)) is not None}
    if not attributes:
        return None
    return LabelRows(tuple(attributes), names, np.stack(list(attributes.values()), axis=1))


def _codes(values: Sequence[Any]) -> np.ndarray | None:
    """(R,) int8, or None for a column that is no attribute."""
    numbers = []
    for value in values:
        number = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if number is not None and not (isinstance(number, bool | int) and number in (-1, 0, 1)):
            return None
        numbers.append(None if number is None else int(number))
    if all(number is None for number in numbers):
        return None
    zero = UNKNOWN if -1 in numbers else NO
    code = {None: UNKNOWN, -1: NO, 0: zero, 1: YES}
    return np.array([code[number] for number in numbers], np.int8)
