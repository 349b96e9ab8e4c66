"""Many small files that appear together: a folder, or one archive.

Enters: names and bytes. Leaves: a folder or a zip under its name, whole or not at all. A file of its own for every
picture is what people and tools expect; from some millions on file systems mind, and the archive is kinder to them.
Facette reads either as a source of pictures.
"""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from facette.files import temporary_beside, write_atomically

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the time every member gets: the same files are the same bytes


def publish_folder(target: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    """Write the files into a folder beside it, flush them, and rename it; one that is there already is replaced."""
    temporary = temporary_beside(target)
    temporary.mkdir(parents=True)
    try:
        for name, data in files:
            with (temporary / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _take_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def publish_archive(target: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    """Write the files into one zip, stored as they are: pictures are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, EARLIEST), data)
    write_atomically(target, buffer.getvalue())
    return target


def _take_place(temporary: Path, target: Path) -> None:
    """Rename a folder to where one may lie already: what a killed worker left, or what another one was faster with."""
    for _ in range(2):
        try:
            temporary.rename(target)  # fails where a folder with files lies
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
        else:
            return
    if (
        not target.is_dir()
    ):  # taken away and put back by others in between is as good: its content is the same
        raise OSError(f"cannot put {target} in its place")
