"""What a search tries: a key of the recipe and its values, as people write it.

    objective.beta=0.5..8       a range; of positive numbers by their ratios, of others evenly; whole if both ends are
    model.latent=16,32,64       choices, in TOML's spelling; words need no quotes

Enters: such texts. Leaves: ranges, which ask a trial for a value and say it as a change of the recipe. Knows nothing of
training.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from facette.errors import UsageError

_ENDS = re.compile(r"\s*([-+]?[\d_.]+?(?:[eE][-+]?\d+)?)\s*\.\.\s*([-+]?[\d_.]+(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers between two ends, both included."""

    key: str
    low: float
    high: float
    whole: bool

    def ask(self, trial: Any) -> int | float:
        """A value, of an Optuna trial."""
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.low > 0)
        return trial.suggest_float(self.key, self.low, self.high, log=self.low > 0)

    def change(self, value: Any) -> str:
        """A value as a change of the recipe."""
        return f"{self.key}={value!r}"

    @property
    def extremes(self) -> tuple[str, ...]:
        """Changes that must hold where all of them are to."""
        return tuple(self.change(int(end) if self.whole else end) for end in (self.low, self.high))


@dataclass(frozen=True, slots=True)
class Choices:
    """Some values, each in TOML's spelling."""

    key: str
    values: tuple[str, ...]

    def ask(self, trial: Any) -> str:
        """A value, of an Optuna trial."""
        return trial.suggest_categorical(self.key, self.values)

    def change(self, value: Any) -> str:
        """A value as a change of the recipe."""
        return f"{self.key}={value}"

    @property
    def extremes(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(map(self.change, self.values))


Range = Span | Choices


def parse_ranges(texts: Sequence[str]) -> tuple[Range, ...]:
    """Ranges as they were written. Raises UsageError for one that cannot be meant, or a key that stands twice."""
    ranges = tuple(_range(text) for text in texts)
    keys = [each.key for each in ranges]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UsageError(f"{', '.join(twice)} stands more than once in `over`: give each key one range.")
    if not ranges:
        raise UsageError("there is nothing to search: say what with `over`, such as objective.beta=0.5..8.")
    return ranges


def every_choice(ranges: Sequence[Range], most: int) -> list[dict[str, str]]:
    """All combinations of the choices where there is no span and no more of them than `most`; else none."""
    choices = [each for each in ranges if isinstance(each, Choices)]
    count = 1
    for choice in choices:
        count *= len(choice.values)
    if len(choices) < len(ranges) or count > most:
        return []
    keys = [choice.key for choice in choices]
    return [dict(zip(keys, values, strict=True)) for values in product(*(each.values for each in choices))]


def _range(text: str) -> Range:
    key, equals, values = (part.strip() for part in text.partition("="))
    if not (key and equals and values):
        raise UsageError(f"{text!r} is no range: write section.key=low..high or section.key=one,other.")
    if (ends := _ENDS.fullmatch(values)) is not None:
        return _span(key, text, *ends.groups())
    spelled = _spelled(values)
    if len(set(spelled)) < 2:
        raise UsageError(
            f"{text!r} leaves nothing to choose: give two values at least, or a range low..high."
        )
    return Choices(key, tuple(dict.fromkeys(spelled)))


def _span(key: str, text: str, low: str, high: str) -> Span:
    try:
        ends = [tomllib.loads(f"end = {end}")["end"] for end in (low, high)]
    except tomllib.TOMLDecodeError:
        raise UsageError(f"{text!r} has an end that is no number.") from None
    if not ends[0] < ends[1]:
        raise UsageError(f"{text!r} goes from {low} to {high}: the first must be the smaller.")
    return Span(key, float(ends[0]), float(ends[1]), all(isinstance(end, int) for end in ends))


def _spelled(values: str) -> list[str]:
    """The values of a list, each as TOML spells it; words as they are."""
    try:
        listed = tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError:
        return [value.strip() for value in values.split(",") if value.strip()]
    return [value if isinstance(value, str) else json.dumps(value) for value in listed]
