"""Which pictures a step sees, and in which order: a pure function of (seed, step).

Nothing needs to be saved to resume, and every process of a run takes its own slice of the same global batch. One
thread reads the next batch from the store while the current one is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from facette.runtime import Place, derive_seed
from facette.training.schedule import steps_per_epoch


class Store(Protocol):
    """What training needs of a data set: facette.data's ImageStore and VectorStore both have it."""

    @property
    def fingerprint(self) -> str: ...

    def __len__(self) -> int: ...

    def read(self, indices: np.ndarray) -> np.ndarray: ...

    def indices(self, partition: str = "all") -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Batch:
    indices: np.ndarray  # (B,) rows of the store
    data: Tensor  # (B, S, S, 3) uint8, or (B, D) float32; in pinned memory where a card is to fetch it


def training_rows(store: Store, pictures: int | None = None) -> np.ndarray:
    """Rows of the store to learn from: the training part, or its first `pictures` rows.

    In 32 bits where they fit: these rows and their shuffle are all that grows in memory with the data.
    """
    rows = store.indices("train")[:pictures]
    return rows.astype(np.int32) if len(store) <= np.iinfo(np.int32).max else rows


class Order:
    """Rows of the training part, shuffled anew every epoch from (seed, epoch)."""

    def __init__(self, rows: np.ndarray, batch: int, seed: int):
        self.rows, self.seed = rows, seed
        self.batch = min(batch, len(rows))
        self.per_epoch = steps_per_epoch(batch, len(rows))
        self._epoch, self._shuffled = -1, rows

    def at(self, step: int, place: Place) -> np.ndarray:
        """The rows that this process sees at a step: its slice of the global batch."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            draws = np.random.Generator(np.random.PCG64(derive_seed(self.seed, "order", epoch)))
            self._epoch, self._shuffled = epoch, draws.permutation(self.rows)
        whole = self._shuffled[position * self.batch : (position + 1) * self.batch]
        return whole[place_slice(len(whole), place)]


def place_slice(count: int, place: Place) -> slice:
    """The part of `count` rows that belongs to one of several processes: equal parts, in order of rank."""
    each = count // place.world
    return slice(place.rank * each, (place.rank + 1) * each)


def read_ahead(
    store: Store, order: Order, first: int, last: int, place: Place, pinned: bool = False
) -> Iterator[Batch]:
    """Batches of the steps first … last − 1, each read while the one before it is computed.

    `pinned` puts them where a card fetches them while it computes; torch keeps two such buffers in use, the one that
    is fetched and the one that is filled.
    """

    def read(step: int) -> Batch:
        rows = order.at(step, place)
        data = torch.from_numpy(store.read(rows))
        return Batch(rows, data.pin_memory() if pinned else data)

    with ThreadPoolExecutor(1, thread_name_prefix="facette-batches") as reader:
        coming: Future[Batch] | None = reader.submit(read, first) if first < last else None
        for step in range(first, last):
            assert coming is not None
            batch = coming.result()
            coming = reader.submit(read, step + 1) if step + 1 < last else None
            yield batch
