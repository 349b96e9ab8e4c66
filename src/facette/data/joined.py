"""Several data sets as one: what a recipe learns from when its pictures lie in several folders.

Enters: packed stores of one size. Leaves: a store with the same face: pictures in the order of the folders, names with
their folder before them, attributes of all of them (unknown where a folder has none). Knows nothing of files.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np

from facette.data.attributes import UNKNOWN, AttributeTable, joined_categories
from facette.data.names import NameTable
from facette.data.packed import ImageStore, Unreadable, checked_rows
from facette.data.split import rows_of
from facette.data.treatment import added
from facette.errors import DataError
from facette.form import height_width, spoken_size


class JoinedStore:
    """Pictures of several stores, read as if they were one. Legend: N pictures in all, B in a batch."""

    def __init__(self, stores: Sequence[ImageStore], labels: Sequence[str]):
        if len({(store.size, store.channels, store.depth, store.masked) for store in stores}) != 1:
            raise DataError("data sets of different sizes, channels, depths or masks cannot be joined")
        if len(set(labels)) < len(labels):
            labels = [f"{label}-{number}" for number, label in enumerate(labels, start=1)]
        self.stores = tuple(stores)
        self._starts = np.cumsum([0, *(len(store) for store in stores)])  # (stores + 1,) first row of each
        self.size, self.masked = stores[0].size, stores[0].masked
        self.channels, self.depth = stores[0].channels, stores[0].depth
        pairs = list(zip(stores, labels, strict=True))
        self.source = ", ".join(store.source for store in stores)
        self.names = NameTable.of(f"{label}/{name}" for store, label in pairs for name in store.names)
        self.unreadable = [
            Unreadable(f"{label}/{name}", reason)
            for store, label in pairs
            for name, reason in store.unreadable
        ]
        self.partition = np.concatenate([store.partition for store in stores])
        self.fingerprint = blake2b(
            "\0".join(store.fingerprint for store in stores).encode(), digest_size=16
        ).hexdigest()
        self.attributes = _joined_attributes(stores)
        self.aligned = sum(store.aligned for store in stores)
        self.treated = added(store.treated for store in stores)
        self.passed_over = "; ".join(filter(None, (store.passed_over for store in stores)))
        self.kind = ", ".join(store.kind for store in stores)
        self.listings = tuple(listing for store in stores for listing in store.listings)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __repr__(self) -> str:
        return f"JoinedStore({len(self)} pictures of {spoken_size(self.size)} from {self.source})"

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Pictures (B, H, W, C) uint8 or uint16 in the order of `indices` (B,) in [0, N)."""
        return self._read(indices, ImageStore.read, self.channels)

    def read_masked(self, indices: np.ndarray) -> np.ndarray:
        """Pictures and their masks (B, H, W, C + 1) uint8 in the order of `indices` (B,) in [0, N)."""
        return self._read(indices, ImageStore.read_masked, self.channels + 1)

    def _read(
        self, indices: np.ndarray, read: Callable[[ImageStore, np.ndarray], np.ndarray], planes: int
    ) -> np.ndarray:
        indices = checked_rows(indices, len(self))
        shape = (len(indices), *height_width(self.size), planes)
        pictures = np.empty(shape, np.dtype(f"u{self.depth // 8}"))
        whose = np.searchsorted(self._starts, indices, side="right") - 1
        for number, store in enumerate(self.stores):
            rows = np.flatnonzero(whose == number)
            if rows.size:
                pictures[rows] = read(store, indices[rows] - self._starts[number])
        return pictures

    def indices(self, partition: str = "all") -> np.ndarray:
        """(K,) int64, ascending: the pictures of "train", "valid", "test" or "all"."""
        return rows_of(self.partition, partition)


def _joined_attributes(stores: Sequence[ImageStore]) -> AttributeTable | None:
    tables = [store.attributes for store in stores]
    names = tuple(dict.fromkeys(name for table in tables if table for name in table.names))
    if not names:
        return None
    columns = []
    for name in names:
        parts = [
            table.column(name) if table and name in table.names else np.full(len(store), UNKNOWN, np.int8)
            for store, table in zip(stores, tables, strict=True)
        ]
        columns.append(np.concatenate(parts))
    categories = joined_categories(
        [() if table is None else table.categories for table in tables], [len(store) for store in stores]
    )
    return AttributeTable(names, np.stack(columns, axis=1), categories)
