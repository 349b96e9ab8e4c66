"""What Facette keeps of pictures between commands, and how to be rid of it.

Enters: the cache folder. Leaves: what of ours lies there, with sizes, and how much was freed. Only names that Facette
itself gives are listed and deleted, for the folder may be somebody's own. Knows nothing of what is in a store.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

# What facette.data.packing calls a store, facette.judges.features what a judge saw, and facette.model.kernels.choices
# how layers compute soonest here.
STORE_NAME = re.compile(r"[A-Za-z0-9_-]+-\d+px-[0-9a-f]{16}(\.partial)?")
KERNELS = "kernels.json"
FEATURES_FOLDER, FEATURES_NAME = "embeddings", re.compile(r"[0-9a-f]{24}\.safetensors")


Kind = Literal["packed pictures", "unfinished packing", "what a judge saw", "how layers compute here"]


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One thing that was kept."""

    path: Path
    kind: Kind
    size: int  # bytes on the disk
    used: float  # when it was last written, in seconds since 1970


@dataclass(frozen=True, slots=True)
class Clearance:
    """What was deleted, and what was not since another process works on it or the system refused."""

    deleted: list[CacheEntry]
    kept: list[tuple[CacheEntry, str]]  # with the reason

    @property
    def freed(self) -> int:
        """Bytes."""
        return sum(entry.size for entry in self.deleted)


def list_cache(folder: Path) -> list[CacheEntry]:
    """Everything of ours in the folder, the largest first; nothing where there is no such folder."""
    stores = [
        _entry(path, "unfinished packing" if name[1] else "packed pictures")
        for path in _children(folder)
        if path.is_dir() and not path.is_symlink() and (name := STORE_NAME.fullmatch(path.name))
    ]
    features = [
        _entry(path, "what a judge saw")
        for path in _children(folder / FEATURES_FOLDER)
        if path.is_file() and FEATURES_NAME.fullmatch(path.name)
    ]
    kernels = [_entry(folder / KERNELS, "how layers compute here")] if (folder / KERNELS).is_file() else []
    return sorted([*stores, *features, *kernels], key=lambda entry: (-entry.size, entry.path))


def clear_cache(folder: Path) -> Clearance:
    """Delete what `list_cache` names. A store that another process is packing stays."""
    deleted, kept = [], []
    for entry in list_cache(folder):
        reason = _delete(entry)
        if reason:
            kept.append((entry, reason))
        else:
            deleted.append(entry)
    with suppress(OSError):  # of somebody else, or there is something in it
        (folder / FEATURES_FOLDER).rmdir()
    return Clearance(deleted, kept)


def _delete(entry: CacheEntry) -> str:
    """The reason why it could not be deleted, or nothing."""
    try:
        if entry.path.is_file():
            entry.path.unlink()
            return ""
        lock = entry.path.with_name(entry.path.name.removesuffix(".partial") + ".lock")
        with FileLock(lock, timeout=0):
            shutil.rmtree(entry.path)
        lock.unlink(missing_ok=True)
    except Timeout:
        return "another process is packing it"
    except OSError as error:
        return str(error)
    return ""


def _entry(path: Path, kind: Kind) -> CacheEntry:
    files = [path] if path.is_file() else [child for child in path.rglob("*") if child.is_file()]
    status = [file.lstat() for file in files]
    # An unfinished store is a file with holes: what counts is what the disk gave for it.
    size = sum(s.st_blocks * 512 if hasattr(s, "st_blocks") else s.st_size for s in status)
    return CacheEntry(path, kind, size, max((s.st_mtime for s in status), default=path.stat().st_mtime))


def _children(folder: Path) -> Iterable[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()
