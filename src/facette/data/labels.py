"""Attributes and partition of a store's pictures, from the files that lie beside them.

In: label files and the names of a store. Out: an `AttributeTable` and the partition. Parsing hundreds of thousands
of lines takes seconds, so the joined tables are kept in the store's folder until a label file changes. Knows
nothing of pixels.
"""

import json
import os
from dataclasses import astuple, dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from facette.data.arrays import read_arrays
from facette.data.attributes import (
    AttributeTable,
    Category,
    LabelRows,
    join_rows,
    joined_categories,
    read_csv,
    spread_rows,
    spread_table,
)
from facette.data.celeba import CelebaLayout, read_celeba_attributes, read_partition
from facette.data.joining import Joined
from facette.data.names import NameTable
from facette.data.people import find_people, read_people, set_apart
from facette.data.split import TRAIN, VALID, split_by_folder, split_by_name
from facette.errors import DataError
from facette.files import appearing

_FORMAT = 5
_UNLISTED = -1


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """Attribute files, each with the folder its names are relative to ("" or "train/"), a partition file, and a list of
    who is in the pictures."""

    attributes: tuple[tuple[Path, str], ...] = ()
    partition: Path | None = None
    people: Path | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """How many pictures a list names."""

    file: str
    gives: str  # what a picture has from it, such as "labels"
    pictures: int
    of: int  # pictures in all
    code_page: str | None = None  # in which the pictures' names had to be read to be met

    def sentence(self) -> str:
        again = f"; the pictures' names were read as {self.code_page}" if self.code_page else ""
        return f"{self.pictures:,} of {self.of:,} pictures have {self.gives} ({self.file}{again})"


@dataclass(frozen=True, slots=True)
class Labels:
    partition: np.ndarray  # (N,) int8: 0 train, 1 valid, 2 test
    attributes: AttributeTable | None
    listings: tuple[Listing, ...] = ()


def find_labels(source: Path, celeba: CelebaLayout | None, named: Path | None = None) -> LabelFiles:
    """The label files of a folder or zip: `named`, else CelebA's own, else the CSV files beside and inside.

    For pictures in `faces/` these are `faces_attributes.csv` beside it and `attributes.csv` in it; for pictures in
    `faces/train/` also `faces/train_attributes.csv`. For `faces.zip`, `faces_attributes.csv` beside it. Where there are
    none of these, files called `labels` in the place of `attributes`. For the list of people see `facette.data.people`.
    """
    partition = None if celeba is None else celeba.partition
    people = find_people(source) if celeba is None else None
    if named is not None:
        if not named.is_file():
            raise DataError(f"there is no attribute file {str(named)!r}.")
        return LabelFiles(((named, ""),), partition, people)
    if celeba is not None:
        return LabelFiles(() if celeba.attributes is None else ((celeba.attributes, ""),), partition)
    source = source.resolve()
    for word in ("attributes", "labels"):
        files = tuple(pair for pair in _candidates(source, word) if pair[0].is_file())
        if files:
            return LabelFiles(files, None, people)
    return LabelFiles((), None, people)


def _candidates(source: Path, word: str) -> list[tuple[Path, str]]:
    """Where a list called by this word may lie, each with the folder that its names are relative to."""
    places = [(source.with_name(f"{source.stem if source.is_file() else source.name}_{word}.csv"), "")]
    if source.is_dir():
        places.append((source / f"{word}.csv", ""))
        beside = sorted(source.glob(f"*_{word}.csv"))
        folders = [(file, file.name.removesuffix(f"_{word}.csv")) for file in beside]
        places += [(file, f"{folder}/") for file, folder in folders if (source / folder).is_dir()]
    return places


def read_labels(files: LabelFiles, names: NameTable, store: Path, *, strict: bool = False) -> Labels:
    """The labels of a store's pictures; kept in `store`, its folder.

    The partition is the file's where there is one, else that of folders called train and valid, else by person where
    a list says who is in the pictures (a tenth of the people is set apart), else by name; pictures that a partition
    file leaves out are split by name, and so are the training pictures where nobody is set aside for validation.
    Raises DataError for a file that does not hold what it should, for one that names none of the pictures or says two
    things of one, and, if `strict`, for one that leaves any picture out.
    """
    kept = store / f"labels-{_key(files)}.npz"
    labels = _load(kept) if kept.exists() else None
    if labels is None:
        partition, of_partition = _partition(files, names)
        attributes, of_attributes = _attributes(files, names)
        labels = Labels(partition, attributes, (*of_attributes, *of_partition))
        if os.access(
            store, os.W_OK
        ):  # a store that others share may be read-only: then it is parsed each time
            _save(labels, kept)
    partial = [listing for listing in labels.listings if listing.pictures < listing.of]
    if strict and partial:
        raise DataError("; ".join(listing.sentence() for listing in partial) + ", and strict is on.")
    return labels


def _partition(files: LabelFiles, names: NameTable) -> tuple[np.ndarray, tuple[Listing, ...]]:
    by_name = split_by_name(names)
    official = split_by_folder(names)
    listings: tuple[Listing, ...] = ()
    if files.partition is not None:
        rows = read_partition(files.partition)
        joined = _joined(files.partition, rows, names)
        listings = (
            Listing(
                files.partition.name, "a place in the partition", joined.listed, len(names), joined.code_page
            ),
        )
        listed = spread_rows(rows, joined, fill=_UNLISTED)[:, 0]
        official = np.where(listed == _UNLISTED, by_name, listed).astype(np.int8)
    if official is None and files.people is not None:
        apart = set_apart(read_people(files.people, names))
        official = np.where(apart, VALID, TRAIN).astype(np.int8) if apart.any() and not apart.all() else None
    if official is None:
        return by_name, listings
    if not (official == VALID).any():  # a part of CelebA may hold official training pictures only
        training = np.flatnonzero(official == TRAIN)
        official[training] = split_by_name(names.take(training))
    return official, listings


def _attributes(files: LabelFiles, names: NameTable) -> tuple[AttributeTable | None, tuple[Listing, ...]]:
    if not files.attributes:
        return None, ()
    tables = [_read(path, folder) for path, folder in files.attributes]
    columns = tables[0].columns
    for table, (path, _) in zip(tables, files.attributes, strict=True):
        if table.columns != columns:
            raise DataError(
                f"{str(path)!r} has other attributes than {str(files.attributes[0][0])!r}; give one file with all."
            )
    together = LabelRows(
        columns,
        NameTable.of(name for table in tables for name in table.names),
        np.concatenate([table.values for table in tables]),
        joined_categories([table.categories for table in tables], [len(table.names) for table in tables]),
    )
    path = files.attributes[0][0]
    joined = _joined(path, together, names)
    spoken = ", ".join(path.name for path, _ in files.attributes)
    listing = Listing(spoken, "labels", joined.listed, len(names), joined.code_page)
    return spread_table(together, joined), (listing,)


def _joined(path: Path, rows: LabelRows, names: NameTable) -> Joined:
    joined = join_rows(path, rows, names)
    if not joined.listed:
        begins = f"it begins with {rows.names[0]!r}" if len(rows.names) else "it has no rows"
        raise DataError(
            f"{str(path)!r} names none of the pictures; its names are file names such as {names[0]!r}, and {begins}."
        )
    return joined


def _read(path: Path, folder: str) -> LabelRows:
    return read_celeba_attributes(path) if path.suffix == ".txt" else read_csv(path, folder)


def _key(files: LabelFiles) -> str:
    digest = blake2b(f"{_FORMAT}".encode(), digest_size=8)
    rest = [(path, kind) for path, kind in ((files.partition, "partition"), (files.people, "people")) if path]
    for path, folder in (*files.attributes, *rest):
        status = path.stat()
        digest.update(
            f"\0{path.resolve()}\0{folder}\0{status.st_size}\0{status.st_mtime_ns}".encode(
                "utf-8", "surrogateescape"
            )
        )
    return digest.hexdigest()


def _save(labels: Labels, path: Path) -> None:
    table = labels.attributes
    categories = () if table is None else table.categories
    with appearing(path, ".npz") as temporary:
        np.savez(
            temporary,
            partition=labels.partition,
            names=np.array([] if table is None else table.names, np.str_),
            values=np.empty((0, 0), np.int8) if table is None else table.values,
            categories=np.array(
                json.dumps([(each.name, each.labels, each.numbers is not None) for each in categories])
            ),
            numbers=_numbers(categories),
            codes=np.stack([each.codes for each in categories]) if categories else np.empty((0, 0), np.int16),
            listings=np.array(json.dumps([astuple(listing) for listing in labels.listings])),
        )


def _numbers(categories: tuple[Category, ...]) -> np.ndarray:
    """A row for each category; of classes NaN."""
    rows = [np.full(len(c.codes), np.nan, np.float32) if c.numbers is None else c.numbers for c in categories]
    return np.stack(rows) if rows else np.empty((0, 0), np.float32)


def _load(path: Path) -> Labels | None:
    """What `_save` wrote; None where the disk did not keep it, for it can be read again from the lists."""
    try:
        kept = read_arrays(path)
        names = tuple(kept["names"].tolist())
        described = json.loads(str(kept["categories"]))
        categories = tuple(
            Category(name, tuple(labels), codes, numbers if measured else None)
            for (name, labels, measured), codes, numbers in zip(
                described, kept["codes"], kept["numbers"], strict=True
            )
        )
        attributes = AttributeTable(names, kept["values"], categories) if names else None
        listings = tuple(Listing(*fields) for fields in json.loads(str(kept["listings"])))
        return Labels(kept["partition"], attributes, listings)
    except (DataError, LookupError, ValueError, TypeError):
        return None
