"""Packing: decodes every picture of a source once and publishes the result as a store.

In: a `PictureSource`, an `ImageInput`, the cache folder. Out: the folder of a finished store. Knows nothing of
attributes or partitions, which are cheap and may change without a picture being decoded again.

Work goes on in `<store>.partial`: pixels, one digest and one state per picture. A run that was killed goes on
there; every row it had finished is checked against its digest first, so that not even a power cut leaves a
wrong picture. A finished store appears under its name in one rename. One process packs, others wait for it.
"""

import json
import os
import re
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import numpy as np
from filelock import FileLock

from facette.data.packed import (
    DIGEST,
    DIGESTS,
    FORMAT,
    ROWS,
    STORE,
    UNREADABLE,
    Unreadable,
    digest_of_listing,
    digest_of_pixels,
    fingerprint_of,
    pixels_name,
)
from facette.data.source import Block, PictureSource
from facette.data.treatment import count_bits
from facette.errors import DataError
from facette.files import clear_leftovers, flush, sealed, temporary_beside
from facette.progress import Progress, untold
from facette.recipe import ImageInput

READING = "reading pictures"  # what a store is being packed by, as a stage

BLOCK = 64  # pictures decoded by one thread at a time
_PENDING, _PACKED, _UNREADABLE, _ALIGNED = 0, 1, 2, 3  # aligned: packed, its face brought into the frame
_STATES, _TREATED = "states.u8", "treated.u8"


def pack(
    source: PictureSource,
    spec: ImageInput,
    cache: Path,
    *,
    strict: bool = False,
    fresh: bool = False,
    workers: int | None = None,
    progress: Progress = untold,
) -> Path:
    """The folder of the store of `source` at the geometry of `spec`, packed now unless it is there already.

    `fresh`: pack again even so. `workers`: decoding threads, one per core when None; the result does not depend
    on it. Raises DataError when no picture can be read, and, if `strict`, when any cannot.
    """
    if len(source.names) == 0:
        raise DataError(f"there are no pictures in {source.location!r}.")
    final = cache / store_name(source, spec)
    stale = edition(final) if fresh else None
    if fresh or not (final / STORE).exists():  # asked before locking: it may lie where nobody can write
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with FileLock(final.with_name(final.name + ".lock")):
                if edition(final) == stale:  # whoever had the lock until now has not packed it anew meanwhile
                    _pack_locked(source, spec, final, strict, workers or os.cpu_count() or 1, progress)
        except OSError as error:
            raise DataError(
                f"the store {str(final)!r} cannot be written: {error.strerror or error}."
            ) from error
    if strict:
        _refuse([Unreadable(*pair) for pair in json.loads((final / UNREADABLE).read_text("utf-8"))], source)
    return final


def store_name(source: PictureSource, spec: ImageInput) -> str:
    """The name of a store's folder: readable, and unique to the source's listing and the geometry."""
    geometry = spec.model_dump_json(include={"size", "channels", "fit", "frame"})
    # Said only where it differs, so that the names of stores without it stay.
    more = ("\0mask" if spec.masked else "") + (f"\0{spec.depth} bits" if spec.depth != 8 else "")
    key = blake2b(f"{FORMAT}\0{geometry}\0{source.signature()}{more}".encode(), digest_size=8).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source.location).name).strip("-")[:40] or "pictures"
    size = spec.size if isinstance(spec.size, int) else "x".join(map(str, spec.shape[::-1]))
    return f"{stem}-{size}px-{key}"


def _pack_locked(
    source: PictureSource,
    spec: ImageInput,
    final: Path,
    strict: bool,
    workers: int,
    progress: Progress,
) -> None:
    partial = final.with_name(final.name + ".partial")
    partial.mkdir(exist_ok=True)
    writer = _StoreWriter(partial, len(source.names), spec)
    try:
        writer.check_finished_rows(progress)
        unreadable: dict[int, str] = {}
        with ThreadPoolExecutor(workers) as threads:
            for start, block in decoded_ahead(source, spec, writer.pending_blocks(), threads, 2 * workers):
                writer.put(start, block)
                unreadable |= {start + row: reason for row, reason in block.reasons.items()}
                if strict:
                    _refuse([Unreadable(source.names[i], why) for i, why in unreadable.items()], source)
                progress(READING, writer.settled, writer.count)
        refused = [Unreadable(source.names[i], unreadable[i]) for i in sorted(unreadable)]
        writer.finish(source, refused)
    finally:
        writer.close()
    _remove(final)  # only now: what is in use, or all there is after a kill, is there until there is better
    os.replace(partial, final)
    flush(final.parent)


def decoded_ahead(
    source: PictureSource,
    spec: ImageInput,
    blocks: Iterator[tuple[int, int]],
    threads: ThreadPoolExecutor,
    ahead: int,
) -> Iterator[tuple[int, Block]]:
    """Blocks in order, at most `ahead` of them decoded or being decoded: memory does not grow with the source."""
    waiting: deque = deque()
    try:
        for start, stop in blocks:
            waiting.append((start, threads.submit(source.block, start, stop, spec)))
            if len(waiting) >= ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


class _StoreWriter:
    """The files of a store that is being packed."""

    def __init__(self, folder: Path, count: int, spec: ImageInput):
        self.folder, self.count, self.spec = folder, count, spec
        self._row_bytes = spec.shape[0] * spec.shape[1] * spec.planes * spec.depth // 8
        pixels = folder / pixels_name(spec.depth)
        pixels.touch()
        self._pixels = pixels.open("r+b", buffering=0)
        self._pixels.truncate(count * self._row_bytes)
        self._states = _state_file(folder / _STATES, (count,))  # (N,) uint8
        self._digests = _state_file(folder / DIGESTS, (count, DIGEST))  # (N, 16) uint8
        self._treated = _state_file(folder / _TREATED, (count,))  # (N,) uint8, see facette.data.treatment

    @property
    def settled(self) -> int:
        return int(np.count_nonzero(self._states))

    def check_finished_rows(self, progress: Progress) -> None:
        """Keeps the rows whose pixels are what their digest says; the others are packed again."""
        self._states[self._states == _UNREADABLE] = _PENDING  # the reason may have gone away
        for row in np.flatnonzero(self._states):
            self._pixels.seek(int(row) * self._row_bytes)
            pixels = self._pixels.read(self._row_bytes)
            if digest_of_pixels(pixels) != self._digests[row].tobytes():
                self._states[row] = _PENDING
        progress(READING, self.settled, self.count)

    def pending_blocks(self) -> Iterator[tuple[int, int]]:
        for start in range(0, self.count, BLOCK):
            stop = min(start + BLOCK, self.count)
            if (self._states[start:stop] == _PENDING).any():
                yield start, stop

    def put(self, start: int, block: Block) -> None:
        self._pixels.seek(start * self._row_bytes)
        self._pixels.write(block.pixels.data)
        for row, pixels in enumerate(block.pixels):
            self._digests[start + row] = np.frombuffer(digest_of_pixels(pixels.data), np.uint8)
        states = np.full(len(block.pixels), _PACKED, np.uint8)
        states[list(block.aligned)] = _ALIGNED
        states[list(block.reasons)] = _UNREADABLE
        self._treated[start : start + len(states)] = 0 if block.treated is None else block.treated
        self._states[start : start + len(states)] = states

    def finish(self, source: PictureSource, unreadable: list[Unreadable]) -> None:
        """Writes what makes the folder a store; everything is on the disk when this returns."""
        rows = np.flatnonzero((self._states == _PACKED) | (self._states == _ALIGNED))
        if rows.size == 0:
            first = unreadable[0]
            raise DataError(
                f"none of the {self.count} pictures in {source.location!r} can be read; "
                f"the first: {first.name} {first.reason}"
            )
        names = source.names.take(rows)
        names.save(self.folder)
        if rows.size < self.count:
            np.save(self.folder / ROWS, rows)
        (self.folder / UNREADABLE).write_text(json.dumps(unreadable), "utf-8")
        about = {
            "format": FORMAT,
            "listing": digest_of_listing(self.folder),
            "source": source.location,
            "size": self.spec.size,
            "channels": self.spec.channels,
            "depth": self.spec.depth,
            "masked": self.spec.masked,
            "rows": self.count,
            "pictures": int(rows.size),
            "kind": source.kind,
            "aligned": int(np.count_nonzero(self._states == _ALIGNED)),
            "treated": count_bits(self._treated[rows]),
            "fingerprint": fingerprint_of(self.spec.size, names, self._digests[rows]),
        }
        (self.folder / STORE).write_text(json.dumps(sealed(about), indent=1), "utf-8")
        os.fsync(self._pixels.fileno())
        for file in self.folder.iterdir():
            flush(file)
        flush(self.folder)

    def close(self) -> None:
        self._pixels.close()


def _state_file(path: Path, shape: tuple[int, ...]) -> np.memmap:
    size = int(np.prod(shape))
    with path.open("ab") as file:
        file.truncate(size)  # a new file, or one of another length, reads as zeros: nothing is finished
    return np.memmap(path, np.uint8, "r+", shape=shape)


def _refuse(unreadable: list[Unreadable], source: PictureSource) -> None:
    if unreadable:
        counted = f"{len(unreadable)} picture{'s' if len(unreadable) > 1 else ''}"
        shown = "; ".join(f"{name} {reason}" for name, reason in unreadable[:3])
        raise DataError(f"{counted} of {source.location!r} cannot be read, and strict is on: {shown}")


def edition(store: Path) -> tuple[int, int] | None:
    """What tells one packing of a store from the next; None where there is none."""
    try:
        about = (store / STORE).stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns


def _remove(store: Path) -> None:
    """Takes a store away in one step, then deletes it: nobody meets half a store."""
    clear_leftovers(store.parent)  # of processes that were ended while they deleted
    if store.exists():
        doomed = temporary_beside(store)
        os.replace(store, doomed)
        shutil.rmtree(doomed)
