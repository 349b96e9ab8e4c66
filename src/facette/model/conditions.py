"""What a model is told beside a picture: labels of classes and numbers, and where they stand among the latents.

Enters: the conditions of a resolved recipe, as values or as plain JSON, and words such as `digit=7`. Leaves: codes,
latents and draws as arrays; needs no torch. Inferring a label from a picture is the encoder's business
(`facette.model.inference`), reading labels that of facette.data.

A latent vector is (z, c): Z latents that are inferred of a picture, then K numbers for the conditions, one for each
class (1 or 0) and one for a number (in standard deviations from its mean). What z has in common with c over the data
is measured once after training. On average it is linear, B·c. What is left, e = z − B·c, is a mixture of Gaussians with
components of their own for each class (or each combination of classes) that the data have. So a draw of the prior
given c is B·c and one of those components; and a picture told something else keeps its place in the distribution: it is
taken from the component that is most responsible for it to the one that lies most alike among those of the new class,
by the linear map that takes the one Gaussian to the other with the least movement (optimal transport: Dowson and
Landau, 1982; between mixtures Delon and Desolneux, arXiv 1907.05254). That is abduction, action and prediction (arXiv
2006.06485). A number, and a model whose mixture knows no classes, moves by B·(c' − c) alone.

Legend: N rows, Z latents, K numbers of the conditions, M components of the fitted mixture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facette.condition import YES_NO, Condition, slices, width
from facette.errors import UsageError
from facette.model.draws import Doubles, FittedDraws, Latents, MixtureDraws, PriorDraws

# Of the tensors in the model file.
SHIFT = "condition.shift"  # B (Z, K)
COMPONENTS = "condition.components"  # (M, K): the classes of each component of the fitted mixture
_YES, _NO = ("1", "true"), ("0", "-1", "false")  # other spellings of them

Values = Mapping[str, str | float | bool]


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """The conditions of one model."""

    conditions: tuple[Condition, ...]
    latent: int  # Z
    shift: Doubles | None = None  # B (Z, K)
    mixture: Callable[[], FittedDraws] | None = None  # of z − B·c
    components: Doubles | None = None  # (M, K): the classes of each of its components

    @property
    def size(self) -> int:
        """K."""
        return sum(map(width, self.conditions))

    def told(self, latents: Latents, values: Values) -> Latents:
        """Latents (N, Z + K) told these values: what they say is replaced, what is the picture's own stays.

        Raises UsageError for a name or class that the model does not know, and for no number where it needs one.
        """
        after = self.coded(latents[:, self.latent :].astype(np.float64), values)
        return np.concatenate([self._moved(latents, after), after], axis=1).astype(np.float32)

    def coded(self, codes: Doubles, values: Values) -> Doubles:
        """Codes (N, K) with these values in their places. Raises as `told` does."""
        after = codes.copy()
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
        return after

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
        self.coded(np.zeros((0, self.size)), values or {})  # refuses early
        return ConditionDraws(self, prior, values or {})

    def near(self, codes: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """(N, M): the components of the class that each code (N, K) says, or of the combination that differs from it
        in the fewest classes."""
        assert self.components is not None
        classes = self._class_columns()
        shared = codes[:, classes] @ self.components[:, classes].T  # how many classes they have in common
        nearest: NDArray[np.bool_] = shared > shared.max(axis=1, keepdims=True) - 0.5
        return nearest

    def classes_of(self, latents: NDArray[np.floating[Any]]) -> Doubles:
        """The classes that latents (N, Z + K) say, (N, K); nothing of numbers."""
        codes = latents[:, self.latent :].astype(np.float64)
        classes = np.zeros_like(codes)
        columns = self._class_columns()
        classes[:, columns] = codes[:, columns]
        return classes

    def fitted(self, latents: NDArray[np.floating[Any]]) -> Conditioning:
        """With B measured by least squares on draws (N, Z + K) of the posteriors of the data."""
        centred = latents.astype(np.float64) - latents.mean(axis=0, dtype=np.float64)
        solution = np.linalg.lstsq(centred[:, self.latent :], centred[:, : self.latent], rcond=1e-6)[0]
        return replace(self, shift=solution.T)

    def own(self, latents: NDArray[np.floating[Any]]) -> Latents:
        """e = z − B·c of latents (N, Z + K), which the prior is fitted to: (N, Z)."""
        z, c = np.split(latents.astype(np.float64), [self.latent], axis=1)
        return (z - self._shifted(c)).astype(np.float32)

    def _class_columns(self) -> list[int]:
        """Which of the K numbers say classes."""
        places = zip(self.conditions, slices(self.conditions), strict=True)
        return [column for c, place in places if c.classes for column in range(place.start, place.stop)]

    def _moved(self, latents: Latents, after: Doubles) -> Doubles:
        """z (N, Z) of latents (N, Z + K) that are told codes (N, K)."""
        z, before = np.split(latents.astype(np.float64), [self.latent], axis=1)
        moved = z + self._shifted(after - before)
        if self.mixture is None or self.components is None or not len(z):
            return moved
        here, there = self.near(before), self.near(after)
        rows = np.flatnonzero((here != there).any(axis=1))
        if len(rows):
            own = z[rows] - self._shifted(before[rows])
            carried = _transported(self.mixture(), own, here[rows], there[rows])
            moved[rows] = carried + self._shifted(after[rows])
        return moved

    def _shifted(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        return codes @ self.shift.T if self.shift is not None else np.zeros((len(codes), self.latent))


@dataclass(frozen=True, slots=True, eq=False)
class ConditionDraws:
    """A prior of (z, c)."""

    conditioning: Conditioning
    prior: PriorDraws  # of z − B·c
    values: Values
    knows_classes: bool = False  # whether the prior is the mixture whose components have classes

    def sample(self, count: int, random: np.random.Generator) -> Latents:
        """(N, Z + K)."""
        conditioning = self.conditioning
        own, chance = random.spawn(2)
        uniform = chance.random((count, len(conditioning.conditions)))
        codes = np.concatenate(
            [_drawn(c, column) for c, column in zip(conditioning.conditions, uniform.T, strict=True)], axis=1
        )
        c = conditioning.coded(codes, self.values)
        if self.knows_classes and isinstance(self.prior, MixtureDraws):
            rest = self.prior.sample(count, own, conditioning.near(c))
        else:
            rest = self.prior.sample(count, own)
        return np.concatenate([rest + conditioning._shifted(c), c], axis=1).astype(np.float32)

    def centres(self, z: Latents) -> Latents:
        """(N, Z + K): each with the conditions that it was drawn with."""
        conditioning = self.conditioning
        own, c = conditioning.own(z), z[:, conditioning.latent :]
        if self.knows_classes and isinstance(self.prior, MixtureDraws):
            centre = self.prior.means[self.prior.most_responsible(own, conditioning.near(c))]
        else:
            centre = np.broadcast_to(self.prior.centres(own), own.shape)
        centre = centre + conditioning._shifted(c.astype(np.float64))
        return np.concatenate([centre, c], axis=1).astype(np.float32)


def conditioning_of(
    conditions: Sequence[Condition],
    latent: int,
    extras: Mapping[str, Any],
    mixture: Callable[[], FittedDraws] | None = None,
) -> Conditioning | None:
    """That of a model with these extras and this fitted mixture; None where it is told nothing."""
    if not conditions:
        return None
    shift, components = (
        np.asarray(extras[name], np.float64) if name in extras else None for name in (SHIFT, COMPONENTS)
    )
    return Conditioning(tuple(conditions), latent, shift, mixture, None if mixture is None else components)


def conditioned(
    draws: PriorDraws, conditioning: Conditioning | None, values: Values | None, fitted: bool = False
) -> PriorDraws:
    """A prior of z as one of whole latents; `fitted`: it is the mixture that was fitted after training. Raises
    UsageError for values that the model is not told."""
    if conditioning is not None:
        knows = fitted and conditioning.components is not None
        return replace(conditioning.draws(draws, values), knows_classes=knows)
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


def _transported(
    mixture: FittedDraws, own: Doubles, here: NDArray[np.bool_], there: NDArray[np.bool_]
) -> Doubles:
    """Points (N, Z) of the components `here` (N, M) as ones of the components `there`."""
    sources = mixture.most_responsible(own.astype(np.float32), here)
    carried, maps = np.empty_like(own), {}
    for row, source in enumerate(sources.tolist()):
        key = (source, there[row].tobytes())
        if key not in maps:
            target = _most_alike(mixture, source, np.flatnonzero(here[row]), np.flatnonzero(there[row]))
            maps[key] = (target, _optimal_map(mixture.covariance(source), mixture.covariance(target)))
        target, linear = maps[key]
        carried[row] = mixture.means[target] + linear @ (own[row] - mixture.means[source])
    return carried


def _most_alike(mixture: FittedDraws, source: int, here: NDArray[np.int64], there: NDArray[np.int64]) -> int:
    """Which component of `there` lies beside their common mean most as the source does beside that of `here`."""

    def centred(components: NDArray[np.int64]) -> Doubles:
        weights = np.exp(mixture.logits[components] - mixture.logits[components].max())
        means = mixture.means[components]
        return means - weights @ means / weights.sum()

    offset = centred(here)[int(np.flatnonzero(here == source)[0])]
    return int(there[np.square(centred(there) - offset).sum(axis=1).argmin()])


def _optimal_map(before: Doubles, after: Doubles) -> Doubles:
    """A (Z, Z) with A·S·A = S' for covariances S and S', symmetric: the map of least movement between the Gaussians."""
    root, inverse = _root(before)
    return inverse @ _root(root @ after @ root)[0] @ inverse


def _root(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """The square root of a covariance, and its inverse."""
    values, vectors = np.linalg.eigh(matrix)
    scale = np.sqrt(np.maximum(values, values[-1] * 1e-12))
    return (vectors * scale) @ vectors.T, (vectors / scale) @ vectors.T


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
