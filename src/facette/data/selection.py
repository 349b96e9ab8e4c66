"""What a model is measured on: any data brought into one form, and the part of it that is chosen.

Enters: a data store, an array, or a source; the wished split and count. Leaves: a `Subject`.
Knows nothing of measures.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from facette.errors import UsageError, check_count

if TYPE_CHECKING:
    from facette.data.attributes import FactorTable

Split = Literal["auto", "train", "valid", "test", "all"]


@dataclass(frozen=True, slots=True)
class Subject:
    """The data to measure on: a reader and the chosen indices; `store` is None for a plain array."""

    read: Callable[[NDArray], NDArray]
    indices: NDArray[np.integer]
    label: str
    split: str
    store: Any = None

    def batches(self, size: int) -> Iterator[tuple[int, NDArray]]:
        """Each batch with the place of its first datum."""
        for start in range(0, len(self.indices), size):
            yield start, self.read(self.indices[start : start + size])

    def training_part(self, most: int, seed: int) -> "Subject | None":
        """At most so many of the store's training pictures, drawn by the seed; None where what is measured may be
        among them."""
        if self.store is None or self.split not in ("valid", "test"):
            return None
        indices = np.asarray(self.store.indices("train"))
        return replace(self, indices=_pick(indices, most, seed), split="train") if len(indices) else None

    def factors(self) -> "FactorTable | None":
        """What the measured pictures were drawn from, where that is known: factors of the chosen pictures only."""
        table = getattr(self.store, "factors", None)
        return None if table is None else replace(table, values=table.values[self.indices])


def choose_data(
    model, data, split: Split = "auto", count: int | None = None, seed: int = 0, label: str | None = None
) -> Subject:
    """Open the data where need be and pick what is measured, as `evaluate` describes; a Subject passes through.

    `label` is what the report calls the data.
    """
    if isinstance(data, Subject):
        return data
    if split not in get_args(Split):
        raise UsageError(f"unknown split {split!r}: use one of {', '.join(get_args(Split))}.")
    if count is not None:
        check_count(count, least=2)
    if isinstance(data, np.ndarray | Tensor):
        array = np.asarray(data)
        return Subject(
            array.__getitem__, _pick(np.arange(len(array)), count, seed), label or "an array", "all"
        )
    named = Path(data).name if isinstance(data, str | Path) else getattr(data, "source", "a data store")
    if isinstance(data, str | Path):
        from facette.data import open_dataset

        data = open_dataset(data, model.recipe.input)
    if split == "auto":
        split = "valid" if is_training_set(model, data) else "all"
    indices = np.asarray(data.indices(split))
    if not len(indices):
        raise UsageError(f"the split {split!r} of {label or named!r} is empty: use --split all.")
    return Subject(data.read, _pick(indices, count, seed), label or named, split, data)


def is_training_set(model, store) -> bool:
    """Whether the store holds exactly the pictures the model says it was trained on."""
    return store.fingerprint == model.provenance.get("data_fingerprint")


def common_split(measured: Sequence[tuple[Any, Any]], split: Split) -> Split:
    """One split for several models, each with its store: `auto` is valid as soon as one was trained on its store."""
    if split != "auto" or len(measured) == 1:
        return split
    return "valid" if any(is_training_set(model, store) for model, store in measured) else "all"


def _pick(indices: NDArray, count: int | None, seed: int) -> NDArray:
    if count is None or count >= len(indices):
        return indices
    return np.sort(np.random.default_rng(seed).choice(indices, count, replace=False))
