"""The dial of one photo: what a diversity factor does to its likeness, and which factor does what is asked.

Enters: a calibrated model, a photo, seeds. Leaves: readings at factors, the automatic factor, the factor of an asked
likeness. How the variations it finds are drawn and saved is `dial_vary`'s business.

Likeness on the dial runs from 1, the photo's own reconstruction, to 0, the likeness that one pair of strangers in a
hundred exceeds (the threshold): (c − threshold) / (c of the reconstruction − threshold) for a cosine c with the photo.

Legend: N variations, F factors, Z latents.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.judges.likeness import Gauge, Places, gauge_of, likeness, place_spread
from facette.latent.inputs import Picture, resolve_model
from facette.latent.vary import Noise, Origin, origin_of, variation_seeds

FACTORS = "dial.factors"  # names in the model's extras: (F,), and for each noise (F, 3)
CURVES: dict[Noise, str] = {"posterior": "dial.curve_posterior", "aggregate": "dial.curve_aggregate"}
REALISM_KEPT = 0.8  # of the realism at factor 1
REFERENCE = 1.0  # the factor that realism is compared with: draws from the posterior itself
DRAWS = 20  # that the automatic factor is found with, so that it does not depend on how many are wanted
HALVINGS = 5  # between the last factor that passes and the first that does not
STEPS = 14  # of the search for a likeness
CLOSE = 0.002  # cosine: near enough to the asked likeness
FARTHEST = 8.0  # times the largest calibrated factor: where the search for a likeness gives up


@dataclass(frozen=True, slots=True)
class Reading:
    """What one factor does to one photo."""

    factor: float
    places: Places  # (N, 128)
    likeness: NDArray[np.float64]  # (N,) cosines with the photo
    realism: NDArray[np.float64]  # (N,) in [0, 1], 0.5 for real faces on average

    @property
    def spread(self) -> float:
        """How unlike the variations are to each other: 0 when all are one, 1 for strangers."""
        return place_spread(self.places)


@dataclass(frozen=True, slots=True)
class Dial:
    """One photo under a model's gauge."""

    origin: Origin
    gauge: Gauge
    noise: Noise
    photo: Places  # (1, 128)
    reconstruction: Places  # (1, 128)

    @property
    def redrawn(self) -> float:
        """Likeness of the reconstruction to the photo, a cosine."""
        return float(likeness(self.photo, self.reconstruction)[0])

    def read(self, pictures: Picture, factor: float) -> Reading:
        """What the gauge says of pictures (N, S, S, 3) made at a factor."""
        places = self.gauge.places(pictures)
        return Reading(factor, places, likeness(self.photo, places), self.gauge.realism(places))

    def at(self, factor: float, seeds: Sequence[int]) -> Reading:
        """The variations of these seeds at a factor, decoded together."""
        latents = self.origin.latents(seeds, factor, self.noise)
        return self.read(self.origin.model.decode(latents), factor)

    def cosine(self, scaled: float) -> float:
        """A likeness on the dial (1 reconstruction, 0 strangers) as a cosine with this photo."""
        return self.gauge.threshold + scaled * (self.redrawn - self.gauge.threshold)

    def scaled(self, cosine: float) -> float | None:
        """A cosine with this photo as a likeness on the dial; None where not even the reconstruction passes."""
        room = self.redrawn - self.gauge.threshold
        return (cosine - self.gauge.threshold) / room if room > 0 else None


def dial_of(model, picture, noise: Noise = "posterior", seed: int = 0, refine: int = 0) -> Dial:
    """The dial of one photo; arguments as `vary` takes them. Raises UsageError for a model that was not calibrated."""
    model = resolve_model(model)
    gauge = gauge_of(model)
    return placed(origin_of(model, picture, seed, refine, "model"), gauge, noise)


def placed(origin: Origin, gauge: Gauge, noise: Noise = "posterior") -> Dial:
    """The dial of a photo whose posterior is known already."""
    photo, reconstruction = np.split(gauge.places(np.stack([origin.photo, origin.reconstruction])), 2)
    return Dial(origin, gauge, noise, photo, reconstruction)


def known_factors(model) -> tuple[float, ...]:
    """The factors that a model was calibrated at, ascending, 0 and 1 among them."""
    gauge_of(model)  # says what to do where there are none
    return tuple(float(factor) for factor in model.extras[FACTORS])


def automatic_factor(dial: Dial, seed: int = 0) -> float:
    """The largest factor up to which every variation stays more like the photo than the impostor threshold, and the
    mean realism within 20 % of that at factor 1; judged by the first 20 draws of a seed.

    Searched upwards over the calibrated factors and then between two of them; never beyond the largest. Raises
    UsageError where not even the reconstruction passes.
    """
    _check_redrawn(dial)
    seeds = variation_seeds(seed, DRAWS)
    reference = dial.at(REFERENCE, seeds)

    def passes(factor: float) -> bool:
        return acceptable(dial.at(factor, seeds), reference, dial.gauge.threshold)

    return _largest_passing(known_factors(dial.origin.model), passes)


def acceptable(reading: Reading, reference: Reading, threshold: float) -> bool:
    """Whether every variation is still like the photo, and as real as at factor 1 but for 20 %."""
    real = reading.realism.mean() >= REALISM_KEPT * reference.realism.mean()
    return bool(reading.likeness.min() >= threshold and real)


def factor_for_likeness(dial: Dial, seeds: Sequence[int], asked: float) -> float:
    """The factor at which the variations of these seeds have, in the mean, the asked likeness (1 … 0) to the photo.

    Raises UsageError for a likeness outside 0 … 1, where the reconstruction itself is no more like the photo than
    strangers are, and where no factor gets as far away as asked.
    """
    if not 0 <= asked <= 1:
        raise UsageError(
            f"a likeness lies between 0 (one stranger in a hundred) and 1 (the reconstruction), got {asked:g}."
        )
    _check_redrawn(dial)
    if asked == 1:
        return 0.0
    target = dial.cosine(asked)
    largest = max(known_factors(dial.origin.model))

    def surplus(factor: float) -> float:
        return float(dial.at(factor, seeds).likeness.mean()) - target

    low, high = (0.0, dial.redrawn - target), (start := _guess(dial, asked), surplus(start))
    while high[1] > 0:
        if high[0] >= FARTHEST * largest:
            raise UsageError(
                f"no factor makes variations of this photo as unlike as --likeness {asked:g}: even "
                f"{high[0]:.3g} leaves them at a cosine of {high[1] + target:.2f} with it."
            )
        low, high = high, (step := 1.5 * high[0], surplus(step))
    return _rounded(_crossing(surplus, low, high))


def _crossing(
    surplus: Callable[[float], float], low: tuple[float, float], high: tuple[float, float]
) -> float:
    """Where the surplus falls through zero between two points (factor, surplus): false position and halving in turn."""
    best = min((low, high), key=lambda point: abs(point[1]))
    for step in range(STEPS):
        if abs(best[1]) <= CLOSE:
            break
        share = low[1] / (low[1] - high[1]) if step % 2 == 0 else 0.5
        factor = low[0] + share * (high[0] - low[0])
        point = (factor, surplus(factor))
        low, high = (point, high) if point[1] > 0 else (low, point)
        best = min((best, point), key=lambda point: abs(point[1]))
    return best[0]


def _guess(dial: Dial, asked: float) -> float:
    """The factor that gives the asked likeness in the mean over the pictures the model was calibrated on."""
    model = dial.origin.model
    factors = np.array(known_factors(model))
    curve = model.extras[CURVES[dial.noise]].numpy()[:, 0]  # (F,) cosines
    threshold = dial.gauge.threshold
    falling = np.minimum.accumulate((curve - threshold) / max(curve[0] - threshold, 1e-6))
    return max(float(np.interp(-asked, -falling, factors)), 1e-3 * factors[-1])


def _largest_passing(factors: Sequence[float], passes: Callable[[float], bool]) -> float:
    low, high = 0.0, None
    for factor in sorted(factor for factor in factors if factor > 0):
        if not passes(factor):
            high = factor
            break
        low = factor
    if high is None:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return _rounded(low)


def _check_redrawn(dial: Dial) -> None:
    if dial.redrawn <= dial.gauge.threshold:
        raise UsageError(
            f"the model redraws this photo so unlike it (likeness {dial.redrawn:.2f}, strangers reach "
            f"{dial.gauge.threshold:.2f}) that no factor can keep the likeness: give --diversity a number."
        )


def _rounded(factor: float) -> float:
    """Few digits, so that a factor read off a sheet makes the same pictures again."""
    return float(f"{factor:.3g}")
