"""One shard of a job: its pictures read, passed through the model, and its files put in their places.

Enters: the folder of a job and the number of a shard. Leaves: the shard's files and its account. Knows nothing of
the other shards, nor of which machine or process does them; what it writes depends on the job alone.

Legend: N pictures, Z latents, K variations of a picture, S side of a picture.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facette.checkpoint.native import load_model
from facette.data.aligned import ALIGNED, in_frame
from facette.data.folder import FolderSource
from facette.data.names import NameTable
from facette.data.open import find_pictures
from facette.data.packing import decoded_ahead
from facette.data.source import Block, PictureSource, white_of_source
from facette.data.treatment import count_bits
from facette.evaluation.forward import pass_batch, split_seen
from facette.images.convert import as_rgb, picture_image
from facette.judges.attributes import speaks_for
from facette.latent.drawing import change_frames
from facette.latent.vary import latents_beside, variation_seeds
from facette.progress import Advance, unheard
from facette.recipe import ImageInput
from facette.runtime import derive_seed
from facette.scale.files import publish_archive, publish_folder
from facette.scale.ledger import MODEL, JobLedger, ShardRecord
from facette.scale.sums import Sums, add_up, sums_of
from facette.scale.tables import write_table
from facette.scale.tasks import Encode, Evaluate, Vary
from facette.text import readable

BATCH = 64  # pictures that are decoded, and that pass through the model, together
JPEG_QUALITY = 95
LATENTS, PICTURES, SUMS = "latents", "pictures", "sums"


@dataclass(frozen=True, slots=True)
class Readable:
    """Up to BATCH consecutive pictures of a shard, without those that cannot be read."""

    start: int  # row of the collection that the batch begins at
    rows: NDArray[np.int64]  # (N,) rows of the collection
    names: list[str]  # N
    pixels: NDArray[np.uint8]  # (N, S, S, 3)


class ShardWorker:
    """What one worker keeps open: the job, the model, and the pictures."""

    def __init__(self, folder: str | Path, device: str = "cpu", threads: int = 1):
        self.ledger = JobLedger(folder)
        assert self.ledger.job is not None
        self.job = self.ledger.job
        self.threads = threads
        model = load_model(self.ledger.folder / MODEL, device=device)
        self.model = model.plain() if self.job.plain else model
        self.names = self.ledger.names()
        spec = self.model.input
        assert spec.kind == "image"  # jobs are made of pictures alone
        self.source = _reopened(self.job.kind, self.job.source, self.names, spec)

    def make(self, number: int, advance: Advance = unheard) -> ShardRecord:
        """Do a shard, whether or not it was done before; `advance` is told of every batch."""
        unreadable: dict[str, str] = {}
        treated: Counter[str] = Counter()
        batches = self._batches(number, unreadable, treated, advance)
        match self.job.task:
            case Encode():
                rows, paths = self._encode(number, batches)
            case Vary():
                rows, paths = self._vary(number, batches)
            case Evaluate():
                rows, paths = self._evaluate(number, batches)
        return self.ledger.finish(number, rows, unreadable, paths, dict(treated))

    def _batches(
        self, number: int, unreadable: dict[str, str], treated: Counter[str], advance: Advance
    ) -> Iterator[Readable]:
        """The readable pictures of a shard; those that are not are put into `unreadable` with the reason, and what was
        done to the others is counted in `treated`."""
        spec = self.model.input
        assert isinstance(spec, ImageInput)
        first, last = self.job.rows(number)
        places = ((start, min(start + BATCH, last)) for start in range(first, last, BATCH))
        with ThreadPoolExecutor(self.threads) as threads:
            for start, block in decoded_ahead(self.source, spec, places, threads, 2 * self.threads):
                unreadable |= {readable(self.names[start + row]): why for row, why in block.reasons.items()}
                treated.update(_treatments(block))
                batch = _readable(start, block, self.names)
                if len(batch.rows):
                    yield batch
                advance(len(block.pixels))

    def _encode(self, number: int, batches: Iterator[Readable]) -> tuple[int, list[Path]]:
        task = self.job.task
        assert isinstance(task, Encode)
        kind = np.float16 if task.half else np.float32
        rows, names, means, scales = [], [], [], []
        for batch in batches:
            posterior = self.model.encode(batch.pixels, BATCH)
            rows.append(batch.rows)
            names += [readable(name) for name in batch.names]
            means.append(posterior.mean.numpy().astype(kind))
            scales.append(posterior.scale.numpy().astype(kind))
        table = {
            "row": _all(rows, np.zeros(0, np.int64)),
            "name": np.array(names, dtype=str),
            "mean": _all(means, np.zeros((0, self.model.latent), kind)),
            "scale": _all(scales, np.zeros((0, self.model.latent), kind)),
        }
        path = self.ledger.file(LATENTS, number, f".{task.table}")
        return len(names), [write_table(path, table, self._about())]

    def _vary(self, number: int, batches: Iterator[Readable]) -> tuple[int, list[Path]]:
        task = self.job.task
        assert isinstance(task, Vary)
        count = 0
        columns: dict[str, list] = {"row": [], "name": [], "variation": [], "seed": [], "file": []}
        latents: list[NDArray] = []

        def files() -> Iterator[tuple[str, bytes]]:
            nonlocal count
            for batch in batches:
                count += len(batch.rows)
                for row, name, seeds, z, pictures in self._varied(batch, task):
                    latents.append(z)
                    for place, (seed, picture) in enumerate(zip(seeds, pictures, strict=True), start=1):
                        file = f"{row:09d}-{_stem(name)}-{place:02d}.{task.format}"
                        for column, value in zip(
                            columns, (row, readable(name), place, seed, file), strict=True
                        ):
                            columns[column].append(value)
                        yield file, _encoded(picture, task.format)

        if task.zipped:
            pictures = publish_archive(self.ledger.file(PICTURES, number, ".zip"), files())
        else:
            pictures = publish_folder(self.ledger.file(PICTURES, number, ""), files())
        whole = {"row": np.int64, "variation": np.int64, "seed": np.int64, "name": str, "file": str}
        table = {name: np.array(values, dtype=whole[name]) for name, values in columns.items()}
        table["latent"] = _all(latents, np.zeros((0, self.model.latent), np.float32))
        path = self.ledger.file(LATENTS, number, f".{task.table}")
        return count, [pictures, write_table(path, table, self._about())]

    def _varied(self, batch: Readable, task: Vary) -> Iterator[tuple]:
        """Row, name, K seeds, K latents and K pictures of every picture of a batch."""
        assert isinstance(task.diversity, int | float)  # as every job holds it
        assert task.noise is not None
        posterior = self.model.encode(batch.pixels, BATCH)
        seeds = [
            variation_seeds(derive_seed(task.seed, "vary", readable(name)), task.count)
            for name in batch.names
        ]
        mean, scale = np.asarray(posterior.mean), np.asarray(posterior.scale)  # (N, Z)
        latents = [
            latents_beside(self.model, mean[[i]], scale[[i]], drawn, task.diversity, task.noise)
            for i, drawn in enumerate(seeds)
        ]  # N of (K, Z)
        pictures = self._drawn(batch, mean, np.concatenate(latents), task)  # (N·K, S, S, C)
        for i, row in enumerate(batch.rows.tolist()):
            drawn = pictures[i * task.count : (i + 1) * task.count]
            yield row, batch.names[i], seeds[i], latents[i], drawn

    def _drawn(
        self, batch: Readable, mean: NDArray[np.float32], latents: NDArray[np.float32], task: Vary
    ) -> NDArray[Any]:
        """The pictures of K latents (N·K, Z) for each of N pictures."""
        if task.details == "model":
            return self.model.decode(torch.from_numpy(latents), BATCH)
        photos, seen = split_seen(batch.pixels, self.model)
        before = self.model.decode_mean(mean, BATCH)
        unseen = None if seen is None else np.repeat(~seen[..., 0], task.count, axis=0)
        photos, before = (np.repeat(each, task.count, axis=0) for each in (photos, before))
        return change_frames(self.model, photos, before, latents, unseen)

    def _evaluate(self, number: int, batches: Iterator[Readable]) -> tuple[int, list[Path]]:
        task = self.job.task
        assert isinstance(task, Evaluate)
        spec, parts = self.model.input, list[Sums]()
        assert isinstance(spec, ImageInput)
        for batch in batches:
            pictures, seen = split_seen(batch.pixels, self.model)
            # Deviations from nothing are squares, of which the deviations from the mean picture follow.
            nothing = np.zeros(pictures.shape[1:])
            passed = pass_batch(self.model, batch.pixels, nothing, task.seed, batch.start)
            parts.append(sums_of(pictures, seen, passed, batch.rows, speaks_for(spec)))
        total = add_up(parts)
        path = self.ledger.file(SUMS, number, ".npz")
        return total.count, [total.save(path)]

    def _about(self) -> dict[str, str]:
        about = {"model": self.model.name, "digest": self.job.model}
        if isinstance(task := self.job.task, Vary):
            about |= {"diversity": f"{task.diversity:g}", "noise": str(task.noise), "details": task.details}
        return about


class ListedFolder(FolderSource):
    """Pictures of a folder by a listing made before: no worker walks the folder again."""

    def __init__(self, root: Path, names: NameTable):
        self.root, self.names, self.location = root, names, str(root)
        self.white = white_of_source(self.contents, len(names))

    def signature(self) -> str:
        raise NotImplementedError("the listing was signed when it was made")


def _reopened(kind: str, location: str, names: NameTable, spec: ImageInput) -> PictureSource:
    source: Any = (
        ListedFolder(Path(location), names) if kind.startswith("folder") else find_pictures(location)
    )
    return in_frame(source, spec, "always" if kind.endswith(ALIGNED) else "never")


def _readable(start: int, block: Block, names: NameTable) -> Readable:
    good = np.setdiff1d(np.arange(len(block.pixels)), list(block.reasons))
    rows = (start + good).astype(np.int64)
    return Readable(start, rows, [names[int(row)] for row in rows], block.pixels[good])


def _treatments(block: Block) -> dict[str, int]:
    counts = {} if block.treated is None else count_bits(block.treated)
    return counts | ({"aligned": len(block.aligned)} if block.aligned else {})


def _encoded(picture: NDArray[np.uint8], format: str) -> bytes:
    buffer, image = io.BytesIO(), picture_image(as_rgb(picture) if format == "jpg" else picture)
    if format == "jpg":
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        image.save(buffer, "PNG")
    return buffer.getvalue()


def _stem(name: str) -> str:
    """The file name without folders and suffix, in letters that every file system takes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(name).stem)[:60]


def _all(parts: list[NDArray], none: NDArray) -> NDArray:
    return np.concatenate(parts) if parts else none
