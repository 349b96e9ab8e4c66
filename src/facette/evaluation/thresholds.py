"""From where on a model is judged, each limit once and with its reason: evaluation, doctor and training read them here.

In: nothing. Out: limits; and the one verdict that three rooms pass, on the latent units. What is held against a limit
is said beside it; how, where it is measured. It knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit of judgement."""

    name: str
    limit: float
    of: str  # what is held against it, with its unit
    reason: str


NOTHING_LEARNT = Threshold(
    "nothing learnt",
    1.0,
    "unexplained variance of reconstructions, at least",
    "the mean picture, shown every time, has 1: such a model is of no use to anybody",
)
COLLAPSED_RATE = Threshold(
    "posterior collapse",
    1.0,
    "rate in nats a datum, below",
    "latents that say less than a nat cannot tell three data apart, so that all are decoded alike",
)
COLLAPSED_SHARE = Threshold(
    "posterior collapse",
    0.9,
    "share of unused latent units, at least",
    "what a tenth of the units carries is what a far smaller model would give",
)
UNUSED_UNIT = Threshold(
    "unused unit",
    0.01,
    "mean rate of a latent unit in nats, at most",
    "a hundredth of a nat changes no value that anybody sees; the idlest of the bundled model carries 1.5",
)
UNUSED_SHARE = Threshold(
    "unused units",
    0.05,
    "share of unused latent units, above",
    "one idle unit in twenty is chance of training, more is a latent space too large or a rate too dear",
)
BLURRED = Threshold(
    "blurred",
    0.5,
    "sharpness of what is drawn over that of the photos, below",
    "half of the fine detail gone is seen at once; a decoder's mean is blurred by nature, a second stage mends it",
)
SMEARED = Threshold(
    "smeared",
    0.08,
    "the same at as many pixels as the decoder draws, below",
    "the mean that the bundled decoder draws keeps 0.2, that of a textbook model of 50 latents 0.08: less is a fault",
)
SOFTENED = Threshold(
    "softened",
    0.1,
    "share of the squared error that an unsharp mask takes away, above",
    "no filter brings the mean of what a decoder cannot know nearer to the photos: one that does undoes another filter",
)
OVERFITTED = Threshold(
    "over-fitting",
    1.5,
    "unexplained variance of held-out over that of training pictures, at least",
    "training pictures are always drawn a little better; half as much error again is learning by heart",
)
KNOWN_BY_HEART = Threshold(
    "memorised",
    0.5,
    "share of held-out pictures drawn nearer to a training picture than to themselves, above",
    "where most others become training pictures, there is nothing else in the latents",
)
COPIED_SAMPLES = Threshold(
    "copied samples",
    0.05,
    "share of samples nearer to a training picture than 99 % of other real pictures are, above",
    "chance gives 0.01; five times that is no chance in 200 samples",
)
PAST_THE_BEST = Threshold(
    "past the best",
    0.02,
    "share of the bound's whole gain that is lost again since its best, above",
    "a run that has settled moves by less",
)
SCALE_AT_LIMIT = Threshold(
    "σ at its limit",
    0.001,
    "share of posterior σ at the end of their range, above",
    "there the gradient is zero, and a unit cannot come back by itself",
)
WEIGHT_DISGUISED = Threshold(
    "KL weight",
    1.5,
    "factor between the σ that likelihood and β imply and the errors that are made, at least",
    "at the maximum of the likelihood both are equal (arXiv 2006.13202)",
)
READ_OTHERWISE = Threshold(
    "wrong range",
    0.7,
    "unexplained variance under another reading of the values over that under the declared one, at most",
    "a model is worse on values that it was not trained on; a third less error is no chance",
)
UNMIRRORED = Threshold(
    "pictures with a left and a right",
    1.1,
    "median distance of mirrored pictures to the nearest training picture over that of pictures as they are, above",
    "mirrored faces are as near as faces (0.99 to 1.02), mirrored digits are not (1.6): only the former may be flipped",
)


@dataclass(frozen=True, slots=True)
class UnitsVerdict:
    """What the mean rates of the latent units say."""

    kind: Literal["alive", "unused units", "posterior collapse"]
    unused: tuple[int, ...]  # units that carry nothing
    rate: float  # nats of all units together


def judge_units(rate_per_unit: Sequence[float], rate: float | None = None) -> UnitsVerdict:
    """The verdict on mean rates (Z,) in nats, from a standard normal; `rate`: of all units from the model's own prior,
    where that is another."""
    unused = tuple(unit for unit, rate in enumerate(rate_per_unit) if rate <= UNUSED_UNIT.limit)
    share, rate = len(unused) / len(rate_per_unit), float(sum(rate_per_unit)) if rate is None else rate
    if share >= COLLAPSED_SHARE.limit or rate < COLLAPSED_RATE.limit:
        return UnitsVerdict("posterior collapse", unused, rate)
    return UnitsVerdict("unused units" if share > UNUSED_SHARE.limit else "alive", unused, rate)
