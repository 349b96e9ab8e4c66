"""How far relatives go, in terms of the person: levels and likeness, read off a curve in the model file.

Enters: a loaded model, and what is asked: a level, a likeness, a number, or nothing. Leaves: a `Setting`, the noise
and the strength to draw with. Nothing is searched and nothing measured, for `facette.dial.calibrate` did that once;
no torch.

    distance     of two pictures of a face, to a network that knows people (`facette.judges.identity`): 0 the same
                 picture, 0.44 another photo of the same person, in the median
    strangers    the distance that 1 % of all pairs of different people are below
    likeness     1 − distance / strangers: 1 the photo itself, 0 as far as the nearest strangers

A curve holds the median distance of relatives to their photo, and the share of them that are nearer than strangers,
at growing strengths: shares of people noise, factors of posterior noise. One for each noise and for whose details are
kept.

Legend: F strengths.
"""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.latent.noise import Noise, knows_people
from facette.model.interface import DrawingModel

Level = Literal["subtle", "medium", "auto", "bold"]
Mode = Literal["factor", "variance"]

AUTO = 0.41  # almost as different as another photo of the same person, which is at 0.44
DISTANCE: dict[Level, float] = {"subtle": AUTO / 3, "medium": AUTO * 2 / 3, "auto": AUTO, "bold": 0.5}
# Where no network knows who is in the pictures: shares of how the pictures differ, and factors of σ.
SHARE: dict[Level, float] = {"subtle": 0.35, "medium": 0.7, "auto": 1.0, "bold": 1.3}
FACTOR: dict[Level, float] = {"subtle": 2.0, "medium": 4.5, "auto": 7.0, "bold": 10.0}
TENTH = 0.01  # of the variance, that is a tenth of σ: what mode "variance" takes where nothing is said

CURVE = "dial.curve."  # and the noise, and whose details: (F, 3) strength, median distance, share nearer than strangers
STRANGERS = "dial.strangers"  # (1,): the distance that 1 % of pairs of different people are below
DIGITS = 3  # of a strength, so that one read off a sheet draws the same pictures again


@dataclass(frozen=True, slots=True)
class Curve:
    """What strengths do to who a relative is; (F,) each, strengths ascending from 0, distances never falling."""

    strength: NDArray[np.float64]
    distance: NDArray[np.float64]  # the median over photos and seeds
    same: NDArray[np.float64]  # share of relatives nearer to their photo than `strangers`
    strangers: float

    def distance_at(self, strength: float) -> float:
        return float(np.interp(strength, self.strength, self.distance))

    def likeness_at(self, strength: float) -> float:
        return self.likeness_of(self.distance_at(strength))

    def same_at(self, strength: float) -> float:
        return float(np.interp(strength, self.strength, self.same))

    def likeness_of(self, distance: float) -> float:
        return 1 - distance / self.strangers

    def strength_at(self, distance: float) -> float | None:
        """The strength whose relatives are so far away; None where even no change is farther, or the curve ends."""
        if not self.distance[0] <= distance <= self.distance[-1]:
            return None
        return float(f"{np.interp(distance, self.distance, self.strength):.{DIGITS}g}")


@dataclass(frozen=True, slots=True)
class Setting:
    """The noise and the strength that relatives are drawn with, and what they stand for."""

    noise: Noise
    strength: float  # a share of people noise, a factor of posterior noise
    mode: Mode = "factor"
    asked: str = ""  # "auto", "likeness 0.5"; nothing for a number
    note: str = ""  # one sentence for people, where there is something to say


def known_curve(model: DrawingModel, noise: Noise, details: str = "photo") -> Curve | None:
    """The curve in the model's file; None where there is none."""
    name = f"{CURVE}{noise}.{details}"
    if name not in model.extras or STRANGERS not in model.extras:
        return None
    rows = np.asarray(model.extras[name], np.float64)
    return Curve(*rows.T, strangers=float(np.asarray(model.extras[STRANGERS])[0]))


def measured_curve(model: DrawingModel, noise: Noise, details: str) -> Curve:
    """The same. Raises UsageError where there is none."""
    curve = known_curve(model, noise, details)
    if curve is None:
        raise UsageError(
            f"model {model.name!r} has no measure of likeness yet: run `facette calibrate MODEL DATA` once."
        )
    return curve


def choose_setting(
    model: DrawingModel,
    diversity: float | str | None = None,
    likeness: float | None = None,
    noise: Noise | None = None,
    mode: Mode = "factor",
    details: str = "photo",
) -> Setting:
    """What `vary` draws with.

    A level speaks of people noise where the model knows how people differ, unless posterior noise is asked for; a
    number is the factor of posterior noise, unless people noise is. Nothing at all is "auto", and in mode "variance" a
    hundredth. Raises UsageError for what cannot be drawn, and for a likeness that no strength gives.
    """
    if mode not in get_args(Mode):
        raise UsageError(f"unknown mode {mode!r}: use 'factor' (times σ) or 'variance' (times σ²).")
    if noise not in (None, *get_args(Noise)):
        raise UsageError(f"unknown noise {noise!r}: use 'posterior' or 'people'.")
    if noise == "people" and not knows_people(model):
        raise UsageError(
            f"model {model.name!r} does not know how people differ: run `facette calibrate MODEL DATA` once."
        )
    if likeness is not None and diversity is not None:
        raise UsageError("a likeness and a diversity both say how far to go: give one of them.")
    if mode == "variance":
        return _variance(diversity, likeness, noise)
    if likeness is None and diversity is not None and not isinstance(diversity, str):
        return Setting(noise or "posterior", check_strength(diversity))
    wanted: Noise = noise or ("people" if knows_people(model) else "posterior")
    unshaped = wanted == "posterior" and noise is None
    setting = (
        _by_level(model, str(diversity or "auto"), wanted, details)
        if likeness is None
        else _by_likeness(model, likeness, wanted, details)
    )
    if not unshaped:
        return setting
    note = f"{model.name} does not know how people differ: noise of the photo's own posterior"
    return Setting(setting.noise, setting.strength, asked=setting.asked, note=_joined(note, setting.note))


def check_strength(value: object) -> float:
    """The number back, when it is one. Raises UsageError for others, and for negative and infinite ones."""
    if not (isinstance(value, Real) and math.isfinite(value) and float(value) >= 0):
        raise UsageError(f"diversity must be a number of at least 0, got {value!r}: 0 changes nothing.")
    return float(value)


def _variance(diversity: float | str | None, likeness: float | None, noise: Noise | None) -> Setting:
    if likeness is not None or isinstance(diversity, str) or noise == "people":
        raise UsageError("levels, likeness and people noise go with factors, not with mode 'variance'.")
    return Setting("posterior", TENTH if diversity is None else check_strength(diversity), "variance")


def _by_level(model: DrawingModel, level: str, noise: Noise, details: str) -> Setting:
    if level not in DISTANCE:
        raise UsageError(f"a diversity is a number or one of {', '.join(DISTANCE)}, got {level!r}.")
    # A level is a step of the same length whoever draws the details: what a photo keeps is what says how long.
    curve = known_curve(model, noise, "photo")
    strength = None if curve is None else curve.strength_at(DISTANCE[level])
    if curve is None:
        fixed = SHARE if noise == "people" else FACTOR
        share = _unit(noise, fixed[level])
        note = f"nothing has measured how far this model's relatives go: {level} is a fixed {share}"
        return Setting(noise, fixed[level], asked=level, note=note)
    if strength is None:
        strength = float(curve.strength[-1])
        note = f"{level}: as far as this model was measured"
        return Setting(noise, strength, asked=level, note=note)
    drawn = known_curve(model, noise, details) or curve
    note = _meaning(level, drawn, strength) if details == "photo" else _as_a_step(level, drawn, strength)
    return Setting(noise, strength, asked=level, note=note)


def _by_likeness(model: DrawingModel, likeness: float, noise: Noise, details: str) -> Setting:
    if not (isinstance(likeness, Real) and 0 <= likeness <= 1):
        raise UsageError(
            f"a likeness lies between 0 (a stranger) and 1 (the photo itself), got {likeness!r}."
        )
    curve = measured_curve(model, noise, details)
    strength = curve.strength_at((1 - likeness) * curve.strangers)
    if strength is None:
        least, most = (curve.likeness_of(float(distance)) for distance in curve.distance[[-1, 0]])
        further = "" if details == "photo" else "; `details='photo'` keeps more of the person"
        raise UsageError(
            f"{noise} noise of {model.name!r} gives likeness {least:.2f} to {most:.2f}, not {likeness:g}{further}."
        )
    return Setting(noise, strength, asked=f"likeness {likeness:g}")


def _meaning(level: str, curve: Curve, strength: float) -> str:
    """What a level comes to, in a sentence."""
    likeness, same = curve.likeness_at(strength), curve.same_at(strength)
    words = {
        "auto": "almost as different as another photo of the same person",
        "bold": f"still the same person in {same:.0%}",
    }
    return _joined(f"{level}: likeness {likeness:.2f}", words.get(level, ""))


def _as_a_step(level: str, curve: Curve, strength: float) -> str:
    """The same where the model draws by itself: who is lost in the redrawing is lost at every level."""
    step = f"{level}: as long a step as with the photo's details"
    redrawn, likeness = curve.likeness_at(0), curve.likeness_at(strength)
    return f"{step}; likeness {likeness:.2f}, {redrawn:.2f} by redrawing alone"


def _unit(noise: Noise, strength: float) -> str:
    return f"{strength:g} of how people differ" if noise == "people" else f"factor {strength:g} of σ"


def _joined(*sentences: str) -> str:
    return "; ".join(sentence for sentence in sentences if sentence)
