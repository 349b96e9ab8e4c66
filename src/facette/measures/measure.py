"""What a measure is: its name, what it means, which way is better, and how a figure is made of it.

In: data and what a model draws of them, as arrays, or in the eyes of a judge. Out: columns with a number for each
datum, and figures with intervals. Which measures there are is declared in `declarations`. It knows no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facette.measures.intervals import Bootstrap, Interval
from facette.measures.reconstruction import mse

Kind = Literal["image", "vector"]
Better = Literal["lower", "higher", "one", "half", "floor", "neither"]
Floats = NDArray[np.floating]
BOTH: tuple[Kind, ...] = ("image", "vector")

# What stands behind a measure's name where there is no room for its sentence.
DIRECTIONS: dict[Better, str] = {
    "lower": "lower is better",
    "higher": "higher is better",
    "one": "1 is best",
    "half": "0.5 is never",
    "floor": "compare with the floor",
    "neither": "",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Data and what a model draws of them: pictures (N, S, S, 3) in [0, 1], or points (N, D)."""

    real: Floats
    drawn: Floats
    average: Floats  # the mean datum of the evaluated set, (S, S, 3) or (D,), or one for each picture
    share: Floats | None = None  # (N,) of each picture that its photo shows; the rest is alike in all three

    def error(self) -> Floats:
        """(N,): the mean squared error of what the photo shows."""
        error = mse(self.real, self.drawn)
        return error if self.share is None else error / np.maximum(self.share, 1e-6)


class JudgedFaces(Protocol):
    """What a judge of attributes says of N pictures."""

    @property
    def features(self) -> Floats: ...  # (N, F)

    @property
    def logits(self) -> Floats: ...  # (N, A), above 0: rather there than not


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """The same pair in the eyes of a judge; `centre` (F,) is the mean feature of the evaluated set, None where not all
    of it is at hand."""

    real: JudgedFaces
    drawn: JudgedFaces
    centre: Floats | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure."""

    field: str  # in results and in JSON
    label: str  # in tables; in braces, what the result says of how it was measured
    sentence: str  # what it means
    better: Better
    unit: str = ""
    kinds: tuple[Kind, ...] = ("image",)
    of: Callable[..., Any] | None = None  # see the group it stands in; None: the model itself gives it
    over: Callable[..., Floats] | None = None  # then the figure is the ratio of two means
    around_mean: bool = False  # `over` is taken from the mean datum of the set
    reads: Literal["values", "judged"] = "values"
    whole: bool = False  # it takes the whole set at once, and cannot be added up from parts
    least_side: int = 0  # px of the smallest picture it is defined for
    shown: str = ""  # the figure in a table, where it is more than the value: a template over the result
    bar: bool = False  # worth a bar in a figure

    @property
    def title(self) -> str:
        """Name, unit and direction, for a figure's heading."""
        unit = "" if not self.unit else f" {self.unit}" if self.unit.startswith("of ") else f" in {self.unit}"
        direction = DIRECTIONS[self.better]
        return f"{self.label}{unit} ({direction})" if direction else f"{self.label}{unit}"

    def applies(self, kind: Kind, side: int) -> bool:
        """Whether it is defined for data of this kind, pictures of this side."""
        return kind in self.kinds and side >= self.least_side

    def columns(self, pair: Pair | JudgedPair) -> dict[str, Floats]:
        """What is measured of each datum: (N,) under the measure's name, and for a ratio its other part."""
        assert self.of is not None
        columns = {self.field: self.of(pair)}
        return columns if self.over is None else columns | {self.other_part: self.over(pair)}

    @property
    def other_part(self) -> str:
        """The name of the column that a ratio is over."""
        return f"{self.field}/over"

    def figure(self, resamples: Bootstrap) -> Interval | None:
        """The figure of the resampled columns; None where they lack this measure."""
        if self.field not in resamples:
            return None
        if self.over is None:
            return resamples.mean(self.field)
        return resamples.ratio(self.field, self.other_part)
