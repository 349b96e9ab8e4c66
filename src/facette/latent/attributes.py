"""From labelled pictures to directions: the Python call behind `facette attributes fit`.

Enters: a model (or its name) and a data set. Leaves: `Directions`, or the encoded pictures with their labels. How a
direction is fitted is decided in `facette.latent.directions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from facette.data.attributes import AttributeTable
from facette.errors import DataError, UsageError
from facette.latent.cloud import encode_set
from facette.latent.directions import Directions, Method, fit_directions
from facette.latent.inputs import resolve_model
from facette.progress import Advance, unheard

if TYPE_CHECKING:
    from facette.model.posterior import DiagonalGaussian
    from facette.model.trained import TrainedModel


class LabelledStore(Protocol):
    """Pictures and what is known of them, as `facette.open_dataset` opens them; some know `factors` too."""

    attributes: AttributeTable | None

    def read(self, indices: np.ndarray) -> np.ndarray: ...

    def indices(self, partition: str = ...) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """Pictures in the latent space, and what is known of them."""

    posterior: DiagonalGaussian  # (N, Z)
    table: AttributeTable | None  # (N, A), or None where the pictures have no labels


def fit_attributes(
    model: TrainedModel | str | Path,
    data: LabelledStore | str | Path,
    *,
    split: str = "train",
    count: int | None = None,
    factors: bool = False,
    method: Method = "logistic",
    orthogonal: bool = False,
    seed: int = 0,
) -> Directions:
    """One direction for each attribute of `data` (what `facette.open_dataset` opens, or an open store).

    `split` "train", "valid", "test" or "all", of it at most `count` pictures. `factors`: the true factors of generated
    faces instead of their attributes. Keep the result with `.save(MODEL)`. Raises DataError for pictures without
    labels, and otherwise as `facette.latent.directions.fit_directions` does.
    """
    from facette.data import open_dataset

    model = resolve_model(model)
    store: Any = open_dataset(data, model.recipe.input) if isinstance(data, str | Path) else data
    encoded = encode_labelled(model, store, split, count, factors)
    if encoded.table is None:
        raise DataError(f"{store!r} has no attributes: put a CSV with one row for each picture beside it.")
    source = getattr(store, "source", "the given data")
    label = f"{len(encoded.posterior):,} pictures of {source} ({split})"
    labels = encoded.table
    return fit_directions(
        encoded.posterior,
        labels.values,
        labels.names,
        method=method,
        orthogonal=orthogonal,
        data=label,
        seed=seed,
    )[0]


def encode_labelled(
    model: TrainedModel,
    store: LabelledStore,
    split: str = "train",
    count: int | None = None,
    factors: bool = False,
    progress: Advance = unheard,
) -> Encoded:
    """The chosen pictures of an open store, encoded, with the rows of their labels.

    Raises UsageError for an empty split, and for factors where none are known.
    """
    from facette.data.factor_labels import factor_labels

    known = getattr(store, "factors", None)
    if factors and known is None:
        raise UsageError(
            "true factors are known of generated faces alone: use synthetic-faces, or attributes."
        )
    table = factor_labels(known) if factors and known is not None else store.attributes
    indices = store.indices(split)[:count]
    if not len(indices):
        raise UsageError(f"the split {split!r} of these pictures is empty: use `split='all'`.")
    posterior = encode_set(model, store.read, indices, progress)
    return Encoded(posterior, table and AttributeTable(table.names, table.values[indices]))
