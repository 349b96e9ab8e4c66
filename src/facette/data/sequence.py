"""A Python data set (`__len__` and `__getitem__`, as torchvision's have) as a source.

In: an object whose items are a picture, start with one, or are rows that have one: dictionaries, as Hugging Face's
`datasets` give them. A picture is a PIL image; an array or tensor of bytes, of values in [0, 1], or of grey in 16 bits;
in rows also a file's bytes. Out: blocks of decoded pictures, and the rows' other columns as labels. Knows nothing of
the library the object comes from.

The column of pictures is the one called image, picture, img, jpg, png …, or else the first that holds one.
"""

import threading
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from PIL import Image

from facette.data.attributes import LabelRows
from facette.data.columns import label_rows
from facette.data.names import NameTable
from facette.data.source import Block, decode_block, sampled_rows
from facette.errors import DataError, ImageError
from facette.recipe import ImageInput

_SAMPLES = 64
CHANNELS = (1, 3, 4)
COLUMNS = ("image", "picture", "img", "photo", "pixel_values", "jpg", "jpeg", "png", "webp")


class SequenceSource:
    """The pictures of `dataset`, named by their position. Items are asked for one at a time, never in parallel.

    Nothing tells whether such an object has changed but its type, length, `repr` and items. So 64 items, spread
    evenly, are compared with those of an earlier run; `fresh=True` packs anew when others have changed.
    """

    kind = "python"

    def __init__(self, dataset: Any):
        self._dataset = dataset
        self._turn = threading.Lock()
        kind = type(dataset)
        self.location = f"{kind.__module__}.{kind.__qualname__}"
        self.names = NameTable.of(f"{index:08d}" for index in range(len(dataset)))
        self._column = _column_of(dataset[0]) if len(dataset) else None

    def signature(self) -> str:
        count = len(self.names)
        digest = blake2b(f"python\0{self.location}\0{count}\0{self._dataset!r}".encode(), digest_size=16)
        for index in sampled_rows(count, _SAMPLES):
            item = self._item(index)
            digest.update(item if isinstance(item, bytes) else _bytes_of(item))
        return digest.hexdigest()

    def block(self, start: int, stop: int, spec: ImageInput) -> Block:
        with self._turn:
            items: Iterator = (self._item(index) for index in range(start, stop))
            return decode_block(items, stop - start, spec)

    def labels(self) -> LabelRows | None:
        """The labels among the columns of rows; None for items that are no rows, or have none. Raises DataError as
        `label_rows` does."""
        if self._column is None:
            return None
        names = [name for name in self._dataset[0] if name != self._column]
        if getattr(self._dataset, "column_names", None):  # whole columns, without a picture being decoded
            columns = {name: self._dataset[name] for name in names}
        else:
            with self._turn:
                rows = [self._dataset[index] for index in range(len(self.names))]
            columns = {name: [row.get(name) for row in rows] for name in names}
        features = getattr(self._dataset, "features", None) or {}
        for name in names:
            classes = getattr(features.get(name), "names", None)  # of a column of numbers that stand for them
            if classes:
                columns[name] = [
                    None if place is None or place < 0 else classes[place] for place in columns[name]
                ]
        return label_rows(columns, self.names, self.location)

    def _item(self, index: int) -> Image.Image | bytes | ImageError:
        try:
            item = self._dataset[index]
            if self._column is not None:
                item = _content(item[self._column])
            picture = item[0] if isinstance(item, tuple | list) else item
            return picture if isinstance(picture, Image.Image | bytes) else _picture(picture)
        except (
            OSError
        ) as error:  # what Pillow raises on a damaged file; anything else is the data set's own fault
            return ImageError(f"cannot be read: {error}.")


def _column_of(row: Any) -> str | None:
    """The column of a row that holds the picture; None for what is no row. Raises DataError where none does."""
    if not isinstance(row, Mapping):
        return None
    column = next((name for name in COLUMNS if name in row), None)
    column = column or next((name for name, value in row.items() if _holds_picture(value)), None)
    if column is None:
        raise DataError(
            f"no column of the data set holds a picture ({', '.join(map(str, row))}): call it {COLUMNS[0]}."
        )
    return column


def _holds_picture(value: Any) -> bool:
    return isinstance(_content(value), Image.Image | bytes) or getattr(value, "ndim", 0) in (2, 3)


def _content(value: Any) -> Any:
    """What a column of pictures holds; of a file that is not decoded yet its bytes."""
    if isinstance(value, Mapping) and isinstance(value.get("bytes"), bytes):
        return value["bytes"]
    return value


def _bytes_of(item: Image.Image | ImageError) -> bytes:
    return str(item).encode() if isinstance(item, ImageError) else item.tobytes()


def _picture(values: Any) -> Image.Image:
    """An array or tensor, channels first or last, as a picture: grey, RGB or RGBA, or grey of 16 bits."""
    array = np.asarray(values)
    if array.ndim == 3 and array.shape[0] in CHANNELS and array.shape[2] not in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in CHANNELS):
        raise DataError(
            f"an item of the data set has shape {array.shape}; a picture is H×W×C, C×H×W or H×W, of 1, 3 or 4 channels."
        )
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):
            raise DataError(
                f"an item of the data set has values from {low:g} to {high:g}; floating-point pictures are in [0, 1]."
            )
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8 and not (array.dtype == np.uint16 and array.ndim == 2):
        raise DataError(
            f"an item of the data set is {array.dtype} of shape {array.shape}; a picture is uint8 or floating point, "
            "or uint16 where it is grey."
        )
    return Image.fromarray(np.ascontiguousarray(array))
