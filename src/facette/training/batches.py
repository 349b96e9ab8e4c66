"""Which pictures a step sees, and in which order: a pure function of (seed, step).

Nothing needs to be saved to resume, and every process of a run takes its own slice of the same global batch. One
thread reads the next batch from the store while the current one is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeGuard, cast

import numpy as np
import torch
from torch import Tensor

from facette.data.attributes import YES, AttributeTable
from facette.data.conditions import condition_codes
from facette.recipe import Recipe
from facette.runtime import Rank, derive_seed
from facette.training.schedule import steps_per_epoch


class Store(Protocol):
    """What training needs of a data set: facette.data's ImageStore and VectorStore both have it."""

    @property
    def fingerprint(self) -> str: ...

    def __len__(self) -> int: ...

    def read(self, indices: np.ndarray) -> np.ndarray: ...

    def indices(self, partition: str = "all") -> np.ndarray: ...


def is_store(data: object) -> TypeGuard[Store]:
    """Whether this is a data set as training reads it, rather than something to be opened first."""
    return all(hasattr(data, name) for name in ("fingerprint", "read", "indices"))


class PictureStore(Store, Protocol):
    """A store of pictures: facette.data's ImageStore, or several joined."""

    attributes: AttributeTable | None

    def read_masked(self, indices: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Batch:
    indices: np.ndarray  # (B,) rows of the store
    data: Tensor  # (B, H, W, planes) uint8 or uint16, or (B, D) float32; in pinned memory where a card is to fetch it


def reader(store: Store, recipe: Recipe) -> Callable[[np.ndarray], np.ndarray]:
    """How the pictures of a store are read for a recipe: with their masks where it takes them."""
    if recipe.input.kind == "image" and recipe.input.masked:
        return cast(PictureStore, store).read_masked
    return store.read


def wholly_seen(store: Store, recipe: Recipe, rows: np.ndarray) -> np.ndarray:
    """Those of the rows whose pictures have no unknown pixel; all rows where there are not two such."""
    if not (recipe.input.kind == "image" and recipe.input.masked):
        return rows
    masks = [
        cast(PictureStore, store).read_masked(part)[..., -1]
        for part in np.array_split(rows, -(-len(rows) // 256))
    ]
    whole = rows[np.concatenate([(mask == 255).all(axis=(1, 2)) for mask in masks])]
    return whole if len(whole) > 1 else rows


def balanced(rows: np.ndarray, store: Store, weights: dict[str, int]) -> np.ndarray:
    """The rows of an epoch in which a picture with a rare attribute stands as often as the recipe says, for the
    attributes that the store has."""
    times = np.ones(len(rows), np.int64)
    for name, weight in weights.items():
        if (table := _labels(store)) is not None and name in table.names:
            times = np.where(table.column(name)[rows] == YES, np.maximum(times, weight), times)
    return np.repeat(rows, times)


def unlabelled(store: Store, names: Iterable[str]) -> list[str]:
    """Those of the attributes that no label of the store's pictures tells of."""
    table = _labels(store)
    return [name for name in names if table is None or name not in table.names]


def _labels(store: Store) -> AttributeTable | None:
    return getattr(store, "attributes", None)


def labels_of(store: Store, rows: np.ndarray) -> dict[str, Tensor]:
    """The labels of some rows, (B,) each by name; empty where the store has none."""
    table = _labels(store)
    if table is None:
        return {}
    return {name: torch.from_numpy(table.column(name)[rows]) for name in table.names}


def known_conditions(store: Store, recipe: Recipe, rows: np.ndarray) -> Tensor | None:
    """What the labels say of the recipe's conditions, (B, K), NaN where they say nothing; None without conditions."""
    if not recipe.model.condition:
        return None
    table: AttributeTable | None = getattr(store, "attributes", None)
    return torch.from_numpy(condition_codes(table, recipe.model.condition, rows))


def spread(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows, evenly over all of them: of several data sets, each has its share."""
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


class Order:
    """Rows of the training part, shuffled anew every epoch from (seed, epoch)."""

    def __init__(self, rows: np.ndarray, batch: int, seed: int):
        self.rows, self.seed = rows, seed
        self.batch = min(batch, len(rows))
        self.per_epoch = steps_per_epoch(batch, len(rows))
        self._epoch, self._shuffled = -1, rows

    def at(self, step: int, rank: Rank) -> np.ndarray:
        """The rows that this process sees at a step: its slice of the global batch."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            draws = np.random.Generator(np.random.PCG64(derive_seed(self.seed, "order", epoch)))
            self._epoch, self._shuffled = epoch, draws.permutation(self.rows)
        whole = self._shuffled[position * self.batch : (position + 1) * self.batch]
        return whole[rank_slice(len(whole), rank)]


def rank_slice(count: int, rank: Rank) -> slice:
    """The part of `count` rows that belongs to one of several processes: equal parts, in order of rank."""
    each = count // rank.world
    return slice(rank.index * each, (rank.index + 1) * each)


def read_ahead(
    read_rows: Callable[[np.ndarray], np.ndarray],
    order: Order,
    first: int,
    last: int,
    rank: Rank,
    pinned: bool = False,
) -> Iterator[Batch]:
    """Batches of the steps first … last − 1, each read while the one before it is computed.

    `pinned` puts them where a card fetches them while it computes; torch keeps two such buffers in use, the one that
    is fetched and the one that is filled.
    """

    def read(step: int) -> Batch:
        rows = order.at(step, rank)
        data = torch.from_numpy(read_rows(rows))
        return Batch(rows, data.pin_memory() if pinned else data)

    with ThreadPoolExecutor(1, thread_name_prefix="facette-batches") as reader:
        coming: Future[Batch] | None = reader.submit(read, first) if first < last else None
        for step in range(first, last):
            assert coming is not None
            batch = coming.result()
            coming = reader.submit(read, step + 1) if step + 1 < last else None
            yield batch
