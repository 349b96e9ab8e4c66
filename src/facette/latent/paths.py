"""Ways from one latent to another, and how to walk them in equal steps.

Enters: two latents (Z,) and a method, or a `Curve` and a decoder. Leaves: latents on the way. Both ends are hit to
the bit. Knows nothing of photos; geodesics, which need a decoder to be found, come from `facette.latent.geodesic`.

Legend: T places on a way, Z latents, D numbers of a decoded picture.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from facette.errors import UsageError

Method = Literal["linear", "slerp", "norm", "geodesic"]
Curve = Callable[[Tensor], Tensor]  # places (T,) in [0, 1] to latents (T, Z)
Decode = Callable[[Tensor], Tensor]  # latents (T, Z) to what is seen there, any shape (T, …)

PARALLEL_BELOW = 1e-4  # sine of the angle under which a great circle is not defined well enough in float32
FINE = 8  # places for each wished step when a way is first measured
ROUNDS = 8  # of moving the places; two or three are enough but for sharp bends
EVEN_ENOUGH = 0.01  # coefficient of variation of the steps at which moving stops


def check_method(method: str) -> None:
    """Raises UsageError for a method that is none of `Method`."""
    if method not in get_args(Method):
        known = ", ".join(map(repr, get_args(Method)))
        raise UsageError(f"unknown method {method!r}: use one of {known}.")


def path(start: Tensor, end: Tensor, steps: int, method: Method = "linear") -> Tensor:
    """`steps` latents (T, Z) from `start` to `end`, (Z,) each, evenly placed on the closed-form `curve`."""
    return curve(start, end, method)(torch.linspace(0, 1, steps, dtype=start.dtype))


def curve(start: Tensor, end: Tensor, method: Method = "linear") -> Curve:
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


def polyline(knots: Tensor) -> Curve:
    """Straight from knot to knot (K + 1, Z), all pieces taking the same share of the way."""
    pieces = len(knots) - 1

    def at(along: Tensor) -> Tensor:
        place = (along * pieces).clamp(0, pieces)
        piece = place.long().clamp(max=pieces - 1)  # (T,)
        rest = (place - piece).to(knots.dtype).unsqueeze(1)
        return (1 - rest) * knots[piece] + rest * knots[piece + 1]

    return at


def step_lengths(seen: Tensor) -> np.ndarray:
    """Root mean squared difference of neighbours, (T − 1,) float64, of what is seen at T places, (T, …)."""
    flat = seen.flatten(1).double()
    return flat.diff(dim=0).square().mean(1).sqrt().cpu().numpy()


def unevenness(lengths: np.ndarray) -> float:
    """Coefficient of variation of step lengths: 0 when all are equal."""
    mean = float(np.mean(lengths))
    return float(np.std(lengths) / mean) if mean > 0 else 0.0


def equal_places(way: Curve, decode: Decode, steps: int) -> Tensor:
    """Places (T,) in [0, 1], 0 and 1 among them, whose neighbours look equally far apart.

    The way is first measured finely and cut by its length; then the places are moved until the steps between the
    chosen pictures themselves are equal, since a step cuts across the bends of the way.
    """
    fine = torch.linspace(0, 1, FINE * (steps - 1) + 1, dtype=torch.float64)
    places = _cut(fine.numpy(), step_lengths(decode(way(fine.float()))), steps)
    best, least = places, np.inf
    for _ in range(ROUNDS):
        lengths = step_lengths(decode(way(torch.from_numpy(places).float())))
        if (uneven := unevenness(lengths)) < least:
            best, least = places, uneven
        if least < EVEN_ENOUGH:
            break
        places = _cut(places, lengths, steps)
    return torch.from_numpy(best).float()


def _cut(places: np.ndarray, lengths: np.ndarray, steps: int) -> np.ndarray:
    """`steps` places that cut the measured way into equal lengths; evenly where it has no length at all."""
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    if travelled[-1] == 0:
        return np.linspace(0, 1, steps)
    cut = np.interp(np.linspace(0, travelled[-1], steps), travelled, places)
    cut[0], cut[-1] = 0.0, 1.0
    return cut


def _linear(start: Tensor, end: Tensor, along: Tensor) -> Tensor:
    share = along.to(start.dtype).unsqueeze(1)  # (T, 1)
    return (1 - share) * start + share * end


def _norm_corrected(start: Tensor, end: Tensor, along: Tensor) -> Tensor:
    straight = _linear(start, end, along)  # (T, Z)
    share = along.to(start.dtype)
    first, last = torch.stack([start, end]).norm(dim=1)
    wished = (1 - share) * first + share * last  # (T,)
    length = straight.norm(dim=1)
    # At the ends the factor is a number over itself, exactly 1; the very middle of opposite latents stays zero.
    factor = torch.where(length > 0, wished / length, 1.0)
    return factor.unsqueeze(1) * straight


def _slerp(start: Tensor, end: Tensor, along: Tensor) -> Tensor:
    angle = _angle(start, end)
    sine = torch.sin(angle)
    if not sine > PARALLEL_BELOW:  # also true for the NaN of a zero vector
        return _linear(start, end, along)
    share = along.to(start.dtype).unsqueeze(1)
    # The weights are divided before they multiply, so that they are exactly 0 and 1 at the ends.
    return (torch.sin((1 - share) * angle) / sine) * start + (torch.sin(share * angle) / sine) * end


def _angle(start: Tensor, end: Tensor) -> Tensor:
    """Between two vectors, in radians; by half-angle tangents, since arccos loses half the digits near 0."""
    a, b = start / start.norm(), end / end.norm()
    return 2 * torch.atan2((a - b).norm(), (a + b).norm())
