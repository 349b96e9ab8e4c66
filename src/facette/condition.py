"""What a model is told beside a picture: a label of classes, or a number.

Enters: the fields that a recipe and a model file have for it. Leaves: what every room asks of them, said once. Needs
nothing but the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

YES_NO = ("no", "yes")  # classes of an attribute


class Condition(Protocol):
    """A condition, whoever holds it; see `facette.recipe.ConditionSpec`."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def shares(self) -> tuple[float, ...]: ...
    @property
    def mean(self) -> float: ...
    @property
    def spread(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class PlainCondition:
    """The same from a model file's header."""

    name: str
    classes: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    mean: float = 0.0
    spread: float | None = None

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> PlainCondition:
        """From a table of `model.condition`, as plain JSON."""
        return cls(
            section["name"],
            tuple(section.get("classes", ())),
            tuple(section.get("shares", ())),
            section.get("mean", 0.0),
            section.get("spread"),
        )


def width(condition: Condition) -> int:
    """How many numbers say a condition: one for each class, one for a number."""
    return len(condition.classes) or 1


def slices(conditions: Iterable[Condition]) -> list[slice]:
    """Where each condition stands among the K numbers."""
    widths = list(map(width, conditions))
    return [slice(end - wide, end) for wide, end in zip(widths, accumulate(widths), strict=True)]
