"""How sure a mean is: bootstrap intervals over the evaluated data.

Enters: per-datum columns of equal length. Leaves: `Interval`s. Knows nothing of what is measured.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

RESAMPLES = 1000
FEWER_RESAMPLES = 50  # where each takes a decomposition and not a mean
COVERAGE = (2.5, 97.5)  # percentiles: a 95 % interval


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % bootstrap interval, all three in the figure's own unit."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        value, low, high = (
            f"{v:,.0f}" if abs(v) >= 1000 else f"{v:.4g}" for v in (self.value, self.low, self.high)
        )
        return f"{value} ({low} to {high})"


@dataclass(frozen=True)
class MeasureFigures(Mapping[str, "Interval | None"]):
    """MeasureFigures under the fields of their measures; None for one that does not apply. `.psnr` is `["psnr"]`."""

    values_by_field: dict[str, Interval | None]
    of: str = ""  # what was measured, where there are several

    def __getitem__(self, field: str) -> Interval | None:
        return self.values_by_field[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_field)

    def __len__(self) -> int:
        return len(self.values_by_field)

    def __getattr__(self, field: str) -> Any:
        if field.startswith("_") or field not in self.values_by_field:
            raise AttributeError(f"there is no measure {field!r} among {', '.join(self.values_by_field)}")
        return self.values_by_field[field]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the declarations."""
        figures = {name: None if figure is None else asdict(figure) for name, figure in self.items()}
        return {"of": self.of} | figures if self.of else figures


class Bootstrap:
    """The same resamples of N data for every figure, so that figures stay comparable. Means are (R, columns).

    Source: Efron 1979, percentile intervals. A ratio of means is resampled as a whole, top and bottom together.
    """

    def __init__(self, columns: dict[str, NDArray], seed: int, resamples: int = RESAMPLES) -> None:
        # (N, M)
        table = np.stack([np.asarray(column, dtype=np.float64) for column in columns.values()], axis=1)
        if not len(table):
            raise UsageError("there is nothing to measure: the evaluated set is empty.")
        generator = np.random.default_rng(seed)
        rows = (generator.integers(len(table), size=len(table)) for _ in range(resamples))
        self._place = {name: place for place, name in enumerate(columns)}
        self._value = table.mean(axis=0)  # (M,)
        self._drawn = np.stack([table[row].mean(axis=0) for row in rows])  # (R, M)

    def __contains__(self, name: str) -> bool:
        return name in self._place

    def mean(self, name: str) -> Interval:
        """The mean of a column."""
        place = self._place[name]
        return _interval(self._value[place], self._drawn[:, place])

    def ratio(self, top: str, bottom: str) -> Interval:
        """The mean of one column over the mean of another."""
        top_place, bottom_place = self._place[top], self._place[bottom]
        if self._value[bottom_place] == 0:
            raise UsageError(
                f"all evaluated data agree in {bottom}, so nothing can be put in relation to it."
            )
        # A resample that happened to draw nothing but zeros below says nothing about the ratio.
        rows = self._drawn[self._drawn[:, bottom_place] != 0]
        drawn = rows[:, top_place] / rows[:, bottom_place]
        return _interval(self._value[top_place] / self._value[bottom_place], drawn)


def resampled(
    measure: Callable[..., float], sizes: Sequence[int], seed: int, resamples: int = FEWER_RESAMPLES
) -> Interval:
    """The interval of a measure that is no mean: `measure` takes the rows of each of the clouds of these sizes.

    Points that count twice bias such measures (a Fréchet distance rises, a Vendi score falls), so the resampled
    figures say how wide the interval is, and the figure of all points, where it lies.
    """
    value = measure(*(np.arange(size) for size in sizes))
    draws = np.random.default_rng(seed)
    drawn = np.array(
        [measure(*(draws.integers(size, size=size) for size in sizes)) for _ in range(resamples)]
    )
    return _interval(value, drawn - drawn.mean() + value)


def _interval(value: float, drawn: NDArray) -> Interval:
    low, high = np.percentile(drawn, COVERAGE)
    return Interval(float(value), float(low), float(high))
