"""Ways from one latent to another, and how to walk them in equal steps.

Enters: two latents (Z,) and a method, or a `Curve` and a decoder. Leaves: latents on the way. Both ends are hit to
the bit. Knows nothing of photos; geodesics, which need a decoder to be found, come from `facette.latent.geodesic`.

Legend: T places on a way, Z latents, D numbers of a decoded picture.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

Method = Literal["linear", "slerp", "norm", "geodesic"]
Floats = NDArray[np.floating[Any]]
Curve = Callable[[Floats], Floats]  # places (T,) in [0, 1] to latents (T, Z)
Decode = Callable[[Floats], NDArray[Any]]  # latents (T, Z) to what is seen there, any shape (T, …)

PARALLEL_BELOW = 1e-4  # sine of the angle under which a great circle is not defined well enough in float32
FINE = 8  # places for each wished step when a way is first measured
ROUNDS = 8  # of moving the places; two or three are enough but for sharp bends
EVEN_ENOUGH = 0.01  # coefficient of variation of the steps at which moving stops


@dataclass(frozen=True, slots=True)
class Geodesic:
    """A way that is never longer than the straight line under the decoder's metric."""

    knots: NDArray[np.float32]  # (K + 1, Z), the ends as they were given
    length: float  # root mean squared difference of pictures, added up along the way, in the model's range
    straight: float  # the straight line's length, measured in the same way


def check_method(method: str) -> None:
    """Raises UsageError for a method that is none of `Method`."""
    if method not in get_args(Method):
        known = ", ".join(map(repr, get_args(Method)))
        raise UsageError(f"unknown method {method!r}: use one of {known}.")


def path(start: Floats, end: Floats, steps: int, method: Method = "linear") -> Floats:
    """`steps` latents (T, Z) from `start` to `end`, (Z,) each, evenly placed on the closed-form `curve`."""
    return curve(start, end, method)(np.linspace(0, 1, steps, dtype=start.dtype))


def curve(start: Floats, end: Floats, method: Method = "linear") -> Curve:
    """The way from `start` to `end`, (Z,) each, as a function of the place on it.

    "linear" goes straight. "slerp" goes along the great circle (Shoemake 1985; for latents White 2016, arXiv
    1609.04468), and straight where the two are parallel. "norm" goes straight in direction but at the length that
    lies between both ends' lengths, so that it stays in the shell where latents live.
    """
    match method:
        case "linear":
            return lambda along: _linear(start, end, along)
        case "slerp":
            return lambda along: _slerp(start, end, along)
        case "norm":
            return lambda along: _norm_corrected(start, end, along)
    check_method(method)
    raise UsageError(f"a {method} needs a model: use facette.latent.interpolate.")


def polyline(knots: Floats) -> Curve:
    """Straight from knot to knot (K + 1, …), all pieces taking the same share of the way."""
    pieces = len(knots) - 1

    def at(along: Floats) -> Floats:
        place = np.clip(along * pieces, 0, pieces)
        piece = np.minimum(place.astype(int), pieces - 1)  # (T,)
        rest = (place - piece).astype(knots.dtype).reshape(-1, *(1,) * (knots.ndim - 1))
        return (1 - rest) * knots[piece] + rest * knots[piece + 1]

    return at


def step_lengths(seen: NDArray[Any]) -> NDArray[np.float64]:
    """Root mean squared difference of neighbours, (T − 1,), of what is seen at T places, (T, …)."""
    steps = np.diff(seen.reshape(len(seen), -1).astype(np.float64), axis=0)
    return np.sqrt(np.square(steps).mean(axis=1))


def unevenness(lengths: np.ndarray) -> float:
    """Coefficient of variation of step lengths: 0 when all are equal."""
    mean = float(np.mean(lengths))
    return float(np.std(lengths) / mean) if mean > 0 else 0.0


def equal_places(way: Curve, decode: Decode, steps: int) -> Floats:
    """Places (T,) in [0, 1], 0 and 1 among them, whose neighbours look equally far apart.

    The way is first measured finely and cut by its length; then the places are moved until the steps between the
    chosen pictures themselves are equal, since a step cuts across the bends of the way.
    """
    fine = np.linspace(0, 1, FINE * (steps - 1) + 1)
    places = _cut(fine, step_lengths(decode(way(fine.astype(np.float32)))), steps)
    best, least = places, np.inf
    for _ in range(ROUNDS):
        lengths = step_lengths(decode(way(places.astype(np.float32))))
        if (uneven := unevenness(lengths)) < least:
            best, least = places, uneven
        if least < EVEN_ENOUGH:
            break
        places = _cut(places, lengths, steps)
    return best.astype(np.float32)


def _cut(places: np.ndarray, lengths: np.ndarray, steps: int) -> np.ndarray:
    """`steps` places that cut the measured way into equal lengths; evenly where it has no length at all."""
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    if travelled[-1] == 0:
        return np.linspace(0, 1, steps)
    cut = np.interp(np.linspace(0, travelled[-1], steps), travelled, places)
    cut[0], cut[-1] = 0.0, 1.0
    return cut


def _linear(start: Floats, end: Floats, along: Floats) -> Floats:
    share = along.astype(start.dtype)[:, None]  # (T, 1)
    return (1 - share) * start + share * end


def _norm_corrected(start: Floats, end: Floats, along: Floats) -> Floats:
    straight = _linear(start, end, along)  # (T, Z)
    share = along.astype(start.dtype)
    first, last = np.linalg.norm(np.stack([start, end]), axis=1)
    wished = (1 - share) * first + share * last  # (T,)
    length = np.linalg.norm(straight, axis=1)
    # At the ends the factor is a number over itself, exactly 1; the very middle of opposite latents stays zero.
    factor = np.divide(wished, length, out=np.ones_like(wished), where=length > 0)
    return factor[:, None] * straight


def _slerp(start: Floats, end: Floats, along: Floats) -> Floats:
    angle = _angle(start, end)
    sine = np.sin(angle)
    if sine <= PARALLEL_BELOW:
        return _linear(start, end, along)
    share = along.astype(start.dtype).astype(np.float64)[:, None]
    # The weights are divided before they multiply, so that they are exactly 0 and 1 at the ends.
    before, after = ((np.sin(part * angle) / sine).astype(start.dtype) for part in (1 - share, share))
    return before * start + after * end


def _angle(start: Floats, end: Floats) -> float:
    """Between two vectors, in radians, 0 where one has no length; by half-angle tangents, since arccos loses half the
    digits near 0."""
    lengths = np.linalg.norm(np.stack([start, end]).astype(np.float64), axis=1)
    if not lengths.all():
        return 0.0
    a, b = start / lengths[0], end / lengths[1]
    return 2 * math.atan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
