"""Finds out what kind of source it is given, and opens it.

In: a path, the name of a generated data set, or a Python data set; the input part of a recipe. Out: an
`ImageStore` with partition and attributes, its pictures decoded once. The only file that knows all sources.
"""

import os
from pathlib import Path
from typing import Any

from facette.data.folder import FolderSource
from facette.data.packed import ImageStore
from facette.data.packing import Progress, pack
from facette.data.split import split_by_folder, split_by_name
from facette.errors import DataError
from facette.recipe import ImageInput


def open_dataset(
    source: str | Path | Any,
    spec: ImageInput,
    cache_dir: str | Path | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImageStore:
    path = Path(source)
    if not path.is_dir():
        raise DataError(f"there is no folder {str(path)!r}.")
    store = pack(FolderSource(path), spec, cache_folder(cache_dir), strict=strict, progress=progress)
    opened = ImageStore(store)
    by_folder = split_by_folder(opened.names)
    opened.partition = split_by_name(opened.names) if by_folder is None else by_folder
    return opened


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Where packed stores are kept: `cache_dir`, else $FACETTE_CACHE, else the user's cache folder (XDG)."""
    if cache_dir is not None:
        return Path(cache_dir)
    if os.environ.get("FACETTE_CACHE"):
        return Path(os.environ["FACETTE_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "facette"
