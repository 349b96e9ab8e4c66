"""Attributes and partition of a store's pictures, from the files that lie beside them.

In: label files and the names of a store. Out: an `AttributeTable` and the partition. Parsing hundreds of thousands
of lines takes seconds, so the joined tables are kept in the store's folder until a label file changes. Knows
nothing of pixels.
"""

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from facette.data.attributes import AttributeTable, LabelRows, join_rows, read_csv
from facette.data.celeba import CelebaLayout, read_celeba_attributes, read_partition
from facette.data.names import NameTable
from facette.data.people import find_people, read_people, set_apart
from facette.data.split import TRAIN, VALID, split_by_folder, split_by_name
from facette.errors import DataError

_FORMAT = 2
_UNLISTED = -1


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """Attribute files, each with the folder its names are relative to ("" or "train/"), a partition file, and a list of
    who is in the pictures."""

    attributes: tuple[tuple[Path, str], ...] = ()
    partition: Path | None = None
    people: Path | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    partition: np.ndarray  # (N,) int8: 0 train, 1 valid, 2 test
    attributes: AttributeTable | None


def find_labels(source: Path, celeba: CelebaLayout | None, given: Path | None = None) -> LabelFiles:
    """The label files of a folder or zip: `given`, else CelebA's own, else the CSV files beside and inside.

    For pictures in `faces/` these are `faces_attributes.csv` beside it and `attributes.csv` in it; for pictures in
    `faces/train/` also `faces/train_attributes.csv`. For `faces.zip`, `faces_attributes.csv` beside it. For the list of
    people see `facette.data.people`.
    """
    partition = None if celeba is None else celeba.partition
    people = find_people(source) if celeba is None else None
    if given is not None:
        if not given.is_file():
            raise DataError(f"there is no attribute file {str(given)!r}.")
        return LabelFiles(((given, ""),), partition, people)
    if celeba is not None:
        return LabelFiles(() if celeba.attributes is None else ((celeba.attributes, ""),), partition)
    source = source.resolve()
    candidates = [
        (source.with_name(f"{source.stem if source.is_file() else source.name}_attributes.csv"), "")
    ]
    if source.is_dir():
        candidates.append((source / "attributes.csv", ""))
        beside = sorted(source.glob("*_attributes.csv"))
        folders = [(file, file.name.removesuffix("_attributes.csv")) for file in beside]
        candidates += [(file, f"{folder}/") for file, folder in folders if (source / folder).is_dir()]
    return LabelFiles(tuple(pair for pair in candidates if pair[0].is_file()), None, people)


def read_labels(files: LabelFiles, names: NameTable, store: Path) -> Labels:
    """The labels of a store's pictures; kept in `store`, its folder.

    The partition is the file's where there is one, else that of folders called train and valid, else by person where
    a list says who is in the pictures (a tenth of the people is set apart), else by name; pictures that a partition
    file leaves out are split by name, and so are the training pictures where nobody is set aside for validation.
    Raises DataError for a file that does not hold what it should, and when no picture is named in the attribute files.
    """
    kept = store / f"labels-{_key(files)}.npz"
    if kept.exists():
        return _load(kept)
    labels = Labels(_partition(files, names), _attributes(files, names))
    if os.access(store, os.W_OK):  # a store that others share may be read-only: then it is parsed each time
        _save(labels, kept)
    return labels


def _partition(files: LabelFiles, names: NameTable) -> np.ndarray:
    by_name = split_by_name(names)
    given = split_by_folder(names)
    if files.partition is not None:
        listed = join_rows(read_partition(files.partition), names, fill=_UNLISTED)[:, 0]
        given = np.where(listed == _UNLISTED, by_name, listed).astype(np.int8)
    if given is None and files.people is not None:
        apart = set_apart(read_people(files.people, names))
        given = np.where(apart, VALID, TRAIN).astype(np.int8) if apart.any() and not apart.all() else None
    if given is None:
        return by_name
    if not (given == VALID).any():  # a part of CelebA may hold official training pictures only
        training = np.flatnonzero(given == TRAIN)
        given[training] = split_by_name(names.take(training))
    return given


def _attributes(files: LabelFiles, names: NameTable) -> AttributeTable | None:
    if not files.attributes:
        return None
    tables = [_read(path, folder) for path, folder in files.attributes]
    columns = tables[0].columns
    for table, (path, _) in zip(tables, files.attributes, strict=True):
        if table.columns != columns:
            raise DataError(
                f"{str(path)!r} has other attributes than {str(files.attributes[0][0])!r}; give one file with all."
            )
    hashes = np.concatenate([table.hashes for table in tables])
    values = join_rows(LabelRows(columns, hashes, np.concatenate([t.values for t in tables])), names)
    if not values.any():
        spoken = ", ".join(repr(str(path)) for path, _ in files.attributes)
        raise DataError(
            f"{spoken} names none of the pictures; its first column holds their file names, such as {names[0]!r}."
        )
    return AttributeTable(columns, values)


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
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.partial.npz")
    np.savez(
        temporary,
        partition=labels.partition,
        names=np.array([] if table is None else table.names, np.str_),
        values=np.empty((0, 0), np.int8) if table is None else table.values,
    )
    os.replace(temporary, path)


def _load(path: Path) -> Labels:
    with np.load(path, allow_pickle=False) as kept:
        names = tuple(kept["names"].tolist())
        return Labels(kept["partition"], AttributeTable(names, kept["values"]) if names else None)
