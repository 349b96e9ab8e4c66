"""The strength at which a method keeps a wished similarity: a search over one knob.

Enters: a function from a level of the knob to a similarity, what is known of it already, the wished similarity. Leaves:
the best level found, and whether it is near enough. Knows no method and no picture.

Similarity falls as the knob is turned up, but measured on ten pictures it does not fall at every step, and a strength
of image-to-image can only be a whole number of steps. So the search keeps two levels between which the wished
similarity is crossed, halves them, and gives back the nearest level it has ever seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

TRIES = 12


@dataclass(frozen=True, slots=True)
class Matched:
    """Where a search ended."""

    level: float
    similarity: float
    reached: bool  # within the tolerance of what was wished


def match_similarity(
    similarity_at: Callable[[float], float],
    known: Mapping[float, float],
    wished: float,
    tolerance: float,
    levels: Sequence[float] | None = None,
) -> Matched:
    """The level whose similarity is nearest to the wished one.

    `known` holds similarities that are measured already, by level, at least one; the search stays between its ends.
    `levels` are the only levels there are, ascending; None means that any number is one. At most TRIES levels
    are measured.
    """
    seen = dict(known)
    for _ in range(TRIES):
        if _gap(seen, wished) <= tolerance:
            break
        around = _crossing(seen, wished)
        level = None if around is None else _between(*around, levels)
        if level is None:
            break
        seen[level] = similarity_at(level)
    best = min(seen, key=lambda level: (abs(seen[level] - wished), level))
    return Matched(best, seen[best], abs(seen[best] - wished) <= tolerance)


def common_range(curves: Sequence[Mapping[float, float]]) -> tuple[float, float] | None:
    """The similarities that every one of the curves (level → similarity) reaches; None when there is none."""
    low = max(min(curve.values()) for curve in curves)
    high = min(max(curve.values()) for curve in curves)
    return (low, high) if low <= high else None


def _gap(seen: Mapping[float, float], wished: float) -> float:
    return min(abs(similarity - wished) for similarity in seen.values())


def _crossing(seen: Mapping[float, float], wished: float) -> tuple[float, float] | None:
    """The narrowest pair of neighbouring levels with the wished similarity between theirs."""
    ordered = sorted(seen)
    pairs = [
        (below, above)
        for below, above in itertools.pairwise(ordered)
        if min(seen[below], seen[above]) <= wished <= max(seen[below], seen[above])
    ]
    return min(pairs, key=lambda pair: pair[1] - pair[0], default=None)


def _between(below: float, above: float, levels: Sequence[float] | None) -> float | None:
    """A level in the middle; None when there is no room for one."""
    if levels is None:
        middle = (below + above) / 2
        return middle if below < middle < above else None
    inner = [level for level in levels if below < level < above]
    return inner[len(inner) // 2] if inner else None
