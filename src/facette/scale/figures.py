"""From sums to figures: what `evaluate` says of a data set, said of a collection that nobody holds in memory.

Enters: the sums of shards, in order. Leaves: figures with intervals. Knows no model and no pictures.

The figures are those of `facette.evaluation` over the same pictures, up to rounding. Left out is what no sum gives:
distances of all pairs (kernel distance, precision, coverage), the parts of the rate, and samples. The intervals are
grouped jackknifes (Efron 1982): every figure anew without one group of shards after another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.evaluation.bound import ACTIVE_ABOVE
from facette.measures.declarations import RECONSTRUCTION, Measure
from facette.measures.distances import frechet_of_moments
from facette.scale.sums import STAGES, Sums, add_up

GROUPS_MOST, GROUPS_LEAST = 50, 8


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval in its own unit; without one where there are too few shards to tell."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """What was measured of a whole collection. Names and units are those of `facette.evaluation.result`."""

    pictures: int
    figures: dict[str, Figure]
    active: int  # latent units whose posterior mean varies by more than 0.01
    activity: tuple[float, ...]  # (Z,)
    rate_per_unit: tuple[float, ...]  # (Z,) nats

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def collect(shards: Iterable[Sums], count: int) -> Collected:
    """Everything that follows from the sums of `count` shards, which are taken one after another and not kept.

    Raises UsageError for fewer than two pictures.
    """
    groups = _grouped(shards, count)
    total = add_up(groups)
    if total.count < 2:
        raise UsageError(f"a collection is measured from 2 pictures, there is {total.count}.")
    values = _figures(total)
    figures = {name: Figure(value) for name, value in values.items()}
    if len(groups) >= GROUPS_LEAST:
        without = [_figures(total - group) for group in groups]
        figures = {
            name: _interval(value, [subset[name] for subset in without]) for name, value in values.items()
        }
    activity = _activity(total)
    return Collected(
        pictures=total.count,
        figures=figures,
        active=int((activity > ACTIVE_ABOVE).sum()),
        activity=tuple(activity.tolist()),
        rate_per_unit=tuple((total.values["latent.rate"] / total.count).tolist()),
    )


def _figures(total: Sums) -> dict[str, float]:
    values, count = total.values, total.count
    figures = {
        name.removeprefix("likelihood."): float(value) / count
        for name, value in values.items()
        if name.startswith("likelihood.")
    }
    figures["posterior_scale"] = float(values["latent.scale"].mean()) / count
    figures["frechet.floor"] = _frechet(total, "photos.first", "photos.second")
    seen = np.maximum(values.get("seen", np.array(count)), 1)  # shards of older versions saw everything
    middle = np.square(values["picture"]) / seen  # N m² of each pixel's mean m
    for stage in STAGES:
        for measure in RECONSTRUCTION:
            if f"{stage}.{measure.field}" not in values:
                continue
            figures[f"{stage}.{measure.field}"] = _figure(measure, values, stage, count, float(middle.mean()))
        if f"{stage}.mse" not in values:
            continue
        figures[f"{stage}.frechet"] = _frechet(total, "photos.first", f"{stage}.second")
    return figures


def _figure(measure: Measure, values: Mapping[str, NDArray], stage: str, count: int, middle: float) -> float:
    """A mean, or a ratio of two: of sums."""
    top = float(values[f"{stage}.{measure.field}"])
    if measure.over is None:
        return top / count
    bottom = float(values[f"{stage}.{measure.other_part}"])
    if measure.around_mean:  # Σ|x − m|² = Σ|x|² − N |m|², each a mean over the picture's values
        bottom -= middle
    return top / max(bottom, 1e-300)


def _frechet(total: Sums, first: str, second: str) -> float:
    """Between two embeddings, of their sums; not a number for fewer than two pictures."""
    if min(total.values[f"{first}.count"], total.values[f"{second}.count"]) < 2:
        return float("nan")
    return frechet_of_moments(*_moments(total, first), *_moments(total, second))


def _moments(total: Sums, name: str) -> tuple[NDArray, NDArray]:
    count = float(total.values[f"{name}.count"])
    mean = total.values[f"{name}.features"] / count
    return mean, (total.values[f"{name}.products"] - count * np.outer(mean, mean)) / (count - 1)


def _activity(total: Sums) -> NDArray[np.float64]:
    """Variance of each unit's posterior mean, (Z,)."""
    mean = total.values["latent.mean"] / total.count
    return (total.values["latent.square"] - total.count * mean**2) / (total.count - 1)


def _grouped(shards: Iterable[Sums], count: int) -> list[Sums]:
    """At most GROUPS_MOST groups of neighbouring shards, each added up; groups without pictures are left out."""
    groups = [Sums({}) for _ in range(min(count, GROUPS_MOST))]
    for number, shard in enumerate(shards):
        if shard.count:
            place = number * len(groups) // count
            groups[place] = groups[place] + shard
    return [group for group in groups if group.count]


def _interval(value: float, without: list[float]) -> Figure:
    """Delete-a-group jackknife: the variance is (G − 1)/G Σ (θ₋g − mean)²."""
    drawn = np.array(without)
    error = 1.96 * float(np.sqrt((len(drawn) - 1) * np.square(drawn - drawn.mean()).mean()))
    return Figure(value, value - error, value + error)
