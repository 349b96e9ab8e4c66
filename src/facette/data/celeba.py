"""CelebA's own layout (Liu et al., arXiv 1411.7766): where its pictures and label files lie, and their formats.

In: a folder. Out: the place of the pictures, attributes and official partition as `LabelRows`. Knows nothing of
pixels. The text files are read as published, and as the CSV files some copies of the data set carry instead.

    list_attr_celeba.txt        202599                             number of pictures
                                5_o_Clock_Shadow Arched_Eyebrows   names of the 40 attributes
                                000001.jpg -1  1 …                 name, then −1 or 1 each
    list_eval_partition.txt     000001.jpg 0                       name, then 0 train, 1 valid, 2 test
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facette.data.attributes import LabelRows, collect_rows
from facette.data.names import NameTable
from facette.errors import DataError
from facette.text import read_text

PICTURES = "img_align_celeba"
ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
PARTITION = ("list_eval_partition.txt", "list_eval_partition.csv")


@dataclass(frozen=True, slots=True)
class CelebaLayout:
    pictures: Path  # a folder or a zip
    attributes: Path | None
    partition: Path | None


def find_celeba(path: Path) -> CelebaLayout | None:
    """The layout at `path`: the folder that holds img_align_celeba (or its zip), or those pictures themselves.

    None when `path` is something else.
    """
    if path.name in (PICTURES, PICTURES + ".zip"):
        pictures, root = path, path.parent
        if _first(root, ATTRIBUTES + PARTITION) is None:
            return None
    else:
        root = path
        pictures = root / PICTURES if (root / PICTURES).is_dir() else root / (PICTURES + ".zip")
        if not pictures.exists():
            return None
    if (pictures / PICTURES).is_dir():  # unpacked into a folder of its own name
        pictures = pictures / PICTURES
    return CelebaLayout(pictures, _first(root, ATTRIBUTES), _first(root, PARTITION))


def read_celeba_attributes(path: Path) -> LabelRows:
    """list_attr_celeba.txt. Raises DataError with the line where the file departs from its format."""
    lines = _lines(path)
    _, first = next(lines, (1, ""))
    if not first.strip().isdigit():
        raise DataError(f"{str(path)!r} is not CelebA's attribute list: its first line is not a count.")
    columns = next(lines, (2, ""))[1].split()
    rows = ((line, *_name_and_fields(text)) for line, text in lines if text.strip())
    table = collect_rows(path, columns, rows, only_attributes=True)
    if len(table.names) != int(first):
        raise DataError(
            f"{str(path)!r} announces {int(first):,} pictures but lists {len(table.names):,}; get it again."
        )
    return table


def read_partition(path: Path) -> LabelRows:
    """list_eval_partition.txt or .csv: one column of 0 train, 1 valid, 2 test."""
    names, codes = [], bytearray()
    for line, text in _lines(path):
        fields = text.replace(",", " ").split()
        if not fields or (line == 1 and fields[-1] == "partition"):
            continue
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise DataError(
                f"{str(path)!r}, line {line}: {text.strip()!r}; a line is a picture's name and 0, 1 or 2."
            )
        names.append(fields[0])
        codes.append(int(fields[1]))
    values = np.frombuffer(bytes(codes), np.int8).reshape(-1, 1)
    return LabelRows(("partition",), NameTable.of(names), values)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    return enumerate(read_text(path).splitlines(), start=1)


def _name_and_fields(text: str) -> tuple[str, list[str]]:
    name, *fields = text.split()
    return name, fields


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)
