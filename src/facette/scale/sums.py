"""What a shard adds to the measures of a collection: sums, from which every figure follows once they are added up.

Enters: one batch of pictures and what `pass_batch` measured of it. Leaves: `Sums`, in float64. Nothing in it grows
with the number of pictures: a collection of any size is measured in the memory of one shard.

Legend: N pictures, M measured columns, Z latents, D dimensions of the attribute network's embedding.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facette.data.arrays import read_arrays
from facette.evaluation.forward import Columns, Passed
from facette.files import write_atomically
from facette.judges.attributes import extract
from facette.measures.declarations import JudgedPair, columns_of

Arrays = dict[str, NDArray[np.float64]]
STAGES = ("plain", "sharpened")


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over pictures, each under its name; `values["pictures"]` counts them.

    `likelihood.rate`, `plain.mse` …: of a column, (). `picture`: of all pictures in [0, 1], where their photos show
    it, (S, S, 3); `seen`: how many show a pixel, (S, S, 1).
    `latent.mean`, `latent.square`, `latent.rate`, `latent.scale`: (Z,). `photos.first.features`: of embeddings, (D,);
    `photos.first.products`: of their outer products, (D, D); `photos.first.count`: how many.
    """

    values: Arrays

    @property
    def count(self) -> int:
        return int(self.values["pictures"]) if self.values else 0

    def __add__(self, other: Sums) -> Sums:
        return add_up([self, other])

    def __sub__(self, other: Sums) -> Sums:
        return Sums({name: value - other.values.get(name, 0.0) for name, value in self.values.items()})

    def save(self, path: Path) -> Path:
        buffer = io.BytesIO()
        np.savez(buffer, **self.values)  # pyright: ignore[reportArgumentType]
        write_atomically(path, buffer.getvalue())
        return path

    @classmethod
    def load(cls, path: Path) -> Sums:
        return cls(read_arrays(path))


def add_up(parts: Sequence[Sums]) -> Sums:
    """The sum of all parts in their order, so that it does not depend on who was finished first."""
    total: Arrays = {}
    for part in parts:
        for name, value in part.values.items():
            total[name] = total[name] + value if name in total else value
    return Sums(total)


def sums_of(
    photos: NDArray[np.uint8],
    seen: NDArray[np.bool_] | None,
    passed: Passed,
    rows: NDArray[np.int64],
    judged: bool,
) -> Sums:
    """The sums of one batch, whose deviations are taken from nothing, and so are squares; `seen` (N, S, S, 1), None:
    all of it; `rows` are the pictures' places in the collection, which say in which half of a comparison they stand;
    `judged`: the attribute network knows such pictures."""
    shown = np.ones((*photos.shape[:3], 1), bool) if seen is None else seen
    posterior = passed.posterior
    values: Arrays = {
        "pictures": np.array(float(len(photos))),
        "picture": photos.sum(axis=0, dtype=np.float64, where=shown) / np.iinfo(photos.dtype).max,
        "seen": shown.sum(axis=0, dtype=np.float64),
        "latent.mean": posterior.mean.double().sum(0).numpy(),
        "latent.square": posterior.mean.double().square().sum(0).numpy(),
        "latent.scale": posterior.scale.double().sum(0).numpy(),
        "latent.rate": posterior.rate_per_dimension().double().sum(0).numpy(),
    }
    values |= _of_columns("likelihood", passed.likelihood)
    second = _in_second_half(rows)
    real = extract(photos)
    values |= _of_embedding("photos.first", real.features[~second])
    values |= _of_embedding("photos.second", real.features[second])
    for stage, rebuilt in zip(STAGES, (passed.plain, passed.sharpened), strict=True):
        if rebuilt is None or rebuilt.features is None:
            continue
        columns = columns_of(JudgedPair(real, rebuilt.features)) if judged else {}
        values |= _of_columns(stage, rebuilt.columns | columns)
        values |= _of_embedding(f"{stage}.second", rebuilt.features.features[second])
    return Sums(values)


def _of_columns(prefix: str, columns: Columns) -> Arrays:
    return {f"{prefix}.{name}": np.asarray(column.sum(dtype=np.float64)) for name, column in columns.items()}


def _of_embedding(prefix: str, features: NDArray) -> Arrays:
    points = features.astype(np.float64)
    return {
        f"{prefix}.count": np.array(float(len(points))),
        f"{prefix}.features": points.sum(axis=0),
        f"{prefix}.products": points.T @ points,
    }


def _in_second_half(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Half of the rows, by a hash of the row: neighbours in a listing, as two pictures of one person, are parted
    without a rhythm that a listing could share."""
    mixed = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    return (mixed * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(63) == 1
