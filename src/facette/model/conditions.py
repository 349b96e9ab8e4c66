"""What a model is told beside a picture: labels of classes and numbers, and where they stand among the latents.

Enters: the conditions of a resolved recipe, as values or as plain JSON, and words such as `digit=7`. Leaves: codes,
latents and draws as arrays; needs no torch. Inferring a label from a picture is the encoder's business
(`facette.model.inference`), reading labels that of facette.data.

A latent vector is (z, c): Z latents that are inferred of a picture, then K numbers for the conditions, one for each
class (1 or 0) and one for a number (in standard deviations from its mean). What z has in common with c over the data
is linear, B·c, measured once after training: a draw of the prior given c is one of the prior plus B·c, and a picture
told something else keeps what is its own, z' = z + B·(c' − c) (abduction, action, prediction: arXiv 2006.06485).

Legend: N rows, Z latents, K numbers of the conditions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facette.condition import YES_NO, Condition, slices, width
from facette.errors import UsageError
from facette.model.draws import Latents, PriorDraws

SHIFT = "condition.shift"  # of the tensor in the model file: B (Z, K)
_YES, _NO = ("1", "true"), ("0", "-1", "false")  # other spellings of them

Values = Mapping[str, str | float | bool]


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """The conditions of one model."""

    conditions: tuple[Condition, ...]
    latent: int  # Z
    shift: NDArray[np.float64] | None = None  # B (Z, K)

    @property
    def size(self) -> int:
        """K."""
        return sum(map(width, self.conditions))

    def told(self, latents: Latents, values: Values) -> Latents:
        """Latents (N, Z + K) told these values: what they say is replaced, what is the picture's own stays.

        Raises UsageError for a name or class that the model does not know, and for no number where it needs one.
        """
        before = latents[:, self.latent :].astype(np.float64)
        after = before.copy()
        places = {
            c.name: (c, place) for c, place in zip(self.conditions, slices(self.conditions), strict=True)
        }
        for name, value in values.items():
            if name not in places:
                raise UsageError(
                    f"the model is not told {name!r}; it is told {', '.join(places) or 'nothing'}."
                )
            condition, place = places[name]
            after[:, place] = code_of(condition, value)
        own = latents[:, : self.latent] + self._shifted(after - before)
        return np.concatenate([own, after], axis=1).astype(np.float32)

    def words(self, latent: NDArray[np.floating[Any]]) -> dict[str, str | float]:
        """What a latent (Z + K,) says, by name: the class that weighs most, or the number."""
        told: dict[str, str | float] = {}
        for condition, place in zip(self.conditions, slices(self.conditions), strict=True):
            code = latent[self.latent :][place]
            if condition.classes:
                told[condition.name] = condition.classes[int(code.argmax())]
            else:
                told[condition.name] = round(condition.mean + float(code[0]) * (condition.spread or 1.0), 6)
        return told

    def draws(self, prior: PriorDraws, values: Values | None = None) -> ConditionDraws:
        """Draws of (z, c): c as often as the data have it, or as `values` say; z of the prior given c."""
        self.told(np.zeros((0, self.latent + self.size), np.float32), values or {})  # refuses early
        return ConditionDraws(self, prior, values or {})

    def fitted(self, latents: NDArray[np.floating[Any]]) -> Conditioning:
        """With B measured by least squares on draws (N, Z + K) of the posteriors of the data."""
        centred = latents.astype(np.float64) - latents.mean(axis=0, dtype=np.float64)
        solution = np.linalg.lstsq(centred[:, self.latent :], centred[:, : self.latent], rcond=1e-6)[0]
        return replace(self, shift=solution.T)

    def own(self, latents: NDArray[np.floating[Any]]) -> Latents:
        """z − B·c of latents (N, Z + K), which the prior is fitted to: (N, Z)."""
        z, c = np.split(latents.astype(np.float64), [self.latent], axis=1)
        return (z - self._shifted(c)).astype(np.float32)

    def _shifted(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        return codes @ self.shift.T if self.shift is not None else np.zeros((len(codes), self.latent))


@dataclass(frozen=True, slots=True, eq=False)
class ConditionDraws:
    """A prior of (z, c)."""

    conditioning: Conditioning
    prior: PriorDraws  # of z − B·c
    values: Values

    def sample(self, count: int, random: np.random.Generator) -> Latents:
        """(N, Z + K)."""
        conditioning = self.conditioning
        own, chance = random.spawn(2)
        uniform = chance.random((count, len(conditioning.conditions)))
        codes = np.concatenate(
            [_drawn(c, column) for c, column in zip(conditioning.conditions, uniform.T, strict=True)], axis=1
        )
        blank = np.concatenate([np.zeros((count, conditioning.latent)), codes], axis=1).astype(np.float32)
        z, c = np.split(conditioning.told(blank, self.values), [conditioning.latent], axis=1)
        z = self.prior.sample(count, own) + conditioning._shifted(c.astype(np.float64))
        return np.concatenate([z, c], axis=1).astype(np.float32)

    def centres(self, z: Latents) -> Latents:
        """(N, Z + K): each with the conditions that it was drawn with."""
        conditioning = self.conditioning
        own, c = conditioning.own(z), z[:, conditioning.latent :]
        centre = np.broadcast_to(self.prior.centres(own), own.shape) + conditioning._shifted(
            c.astype(np.float64)
        )
        return np.concatenate([centre, c], axis=1).astype(np.float32)


def conditioning_of(
    conditions: Sequence[Condition], latent: int, extras: Mapping[str, Any]
) -> Conditioning | None:
    """That of a model with these extras; None where it is told nothing."""
    if not conditions:
        return None
    shift = np.asarray(extras[SHIFT], np.float64) if SHIFT in extras else None
    return Conditioning(tuple(conditions), latent, shift)


def conditioned(draws: PriorDraws, conditioning: Conditioning | None, values: Values | None) -> PriorDraws:
    """A prior of z as one of whole latents. Raises UsageError for values that the model is not told."""
    if conditioning is not None:
        return conditioning.draws(draws, values)
    if values:
        raise UsageError(f"the model is not told {', '.join(map(repr, values))}; it is told nothing.")
    return draws


def code_of(condition: Condition, value: str | float | bool) -> NDArray[np.float64]:
    """The numbers of a value, (K of the condition,). Raises UsageError for a class or number it cannot be."""
    if condition.classes:
        code = np.zeros(len(condition.classes))
        code[_place(condition, value)] = 1
        return code
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{condition.name} is a number, got {value!r}.")
    return np.array([(number - condition.mean) / (condition.spread or 1.0)])


def parse_values(texts: Iterable[str]) -> dict[str, str]:
    """`name=value` each. Raises UsageError for another form."""
    pairs = [text.partition("=") for text in texts]
    for (name, sign, value), text in zip(pairs, texts, strict=True):
        if not (name.strip() and sign and value.strip()):
            raise UsageError(f"{text!r} is not of the form NAME=VALUE, such as digit=7.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _place(condition: Condition, value: str | float | bool) -> int:
    """Which class a value names."""
    word = (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
    if condition.classes == YES_NO:
        word = "yes" if word in _YES else "no" if word in _NO else word.lower()
    if word not in condition.classes:
        raise UsageError(f"{condition.name} is one of {', '.join(condition.classes)}, not {value!r}.")
    return condition.classes.index(word)


def _drawn(condition: Condition, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Codes (N, K of the condition) as often as the data have them, from one uniform number each."""
    if not condition.classes:
        from statistics import NormalDist

        inverse = NormalDist().inv_cdf
        return np.array([[inverse(min(max(u, 1e-12), 1 - 1e-12))] for u in uniform.tolist()]).reshape(-1, 1)
    bounds = np.cumsum(condition.shares)
    place = np.searchsorted(bounds / bounds[-1], uniform, side="right")
    return np.eye(len(condition.classes))[place]
