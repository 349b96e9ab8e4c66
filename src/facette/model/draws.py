"""Draws of the priors, on arrays: the one place where a seed becomes latents, with torch and without it.

Enters: what a prior has learned, as arrays, and a NumPy generator. Leaves: latents (N, Z), float32. The modules of
`prior.py` and `flow.py` sample by these, and so does the model that needs no torch; one seed gives one sample on every
device. Densities and training are the modules' business.

A draw depends on its place in the sample alone: the first five of ten are the five of a sample of five.

Legend: N draws, Z latents, K components, L couplings of a flow, T latents that a coupling moves, B bins of a spline.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facette.errors import CheckpointError
from facette.runtime import derive_seed

Doubles = NDArray[np.float64]
Latents = NDArray[np.float32]
State = Mapping[str, NDArray[Any]]  # a module's parameters and buffers by name

# Of a flow's splines.
BOUND = 5.0  # they act inside [−BOUND, BOUND] and are the identity outside
SMALLEST = 1e-3  # width and height of a bin as a share of the whole, and slope at a knot
# softplus(FLAT) + SMALLEST = 1: with zero parameters every slope is one and the spline is the identity.
FLAT = math.log(math.expm1(1 - SMALLEST))


class PriorDraws(Protocol):
    """A prior that can be drawn from."""

    def sample(self, count: int, random: np.random.Generator) -> Latents:
        """(N, Z)."""
        ...

    def centres(self, z: Latents) -> Latents:
        """What each latent (N, Z) becomes where chance has no part: (N, Z), or (Z,) for all of them."""
        ...


def draw_latents(draws: PriorDraws, count: int, seed: int, temperature: float = 1.0) -> Latents:
    """The latents (N, Z) of a seed; `temperature` scales the distance of each from its centre."""
    latents = draws.sample(count, np.random.default_rng(derive_seed(seed, "prior")))
    if temperature == 1:
        return latents
    centres = draws.centres(latents)
    return (centres + temperature * (latents - centres)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class NormalDraws:
    """N(0, I)."""

    latent: int  # Z

    def sample(self, count: int, random: np.random.Generator) -> Latents:
        return random.standard_normal((count, self.latent)).astype(np.float32)

    def centres(self, z: Latents) -> Latents:
        return np.zeros(z.shape[1], np.float32)


class _Mixture(ABC):
    """Σ_k w_k N(μ_k, Σ_k), whatever the covariances are written as."""

    __slots__ = ()
    logits: Doubles  # (K,) unnormalised log weights
    means: Doubles  # (K, Z)

    @property
    def components(self) -> int:
        """K."""
        return len(self.logits)

    def sample(
        self, count: int, random: np.random.Generator, among: NDArray[np.bool_] | None = None
    ) -> Latents:
        """(N, Z); each of the components that `among` (N, K) allows it, of all where it is not said."""
        chances, noises = random.spawn(2)
        noise = noises.standard_normal((count, self.means.shape[1]))
        logits = self.logits[None] if among is None else np.where(among, self.logits, -np.inf)
        bounds = np.cumsum(_softmax(logits), axis=1)
        chance = chances.random((count, 1)) * bounds[:, -1:]
        component = np.minimum((chance >= bounds).sum(axis=1), self.components - 1)  # (N,)
        return (self.means[component] + self._offsets(component, noise)).astype(np.float32)

    def centres(self, z: Latents) -> Latents:
        """The mean of the component that is most responsible for each latent."""
        return self.means[self.most_responsible(z)].astype(np.float32)

    def most_responsible(self, z: NDArray[Any], among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """(N,): which component each latent (N, Z) is most probably of, among those that `among` (N, K) allows it."""
        scores = self.component_log_prob(z)
        most: NDArray[np.int64] = (scores if among is None else np.where(among, scores, -np.inf)).argmax(
            axis=1
        )
        return most

    @abstractmethod
    def component_log_prob(self, z: Latents) -> Doubles:
        """log w_k + log N(z; μ_k, Σ_k) for z (N, Z), but for what all components share: (N, K) nats."""

    @abstractmethod
    def covariance(self, component: int) -> Doubles:
        """Σ_k, (Z, Z)."""

    @abstractmethod
    def _offsets(self, component: NDArray[np.int64], noise: Doubles) -> Doubles:
        """Noise (N, Z) with the covariance of a component (N,) each, (N, Z)."""


@dataclass(frozen=True, slots=True, eq=False)
class MixtureDraws(_Mixture):
    """Σ_k w_k N(μ_k, Σ_k) with Σ_k⁻¹ = W_kᵀ W_k, W_k lower triangular: its diagonal is exp(−log scales), what is
    below it the shears'."""

    logits: Doubles  # (K,) unnormalised log weights
    means: Doubles  # (K, Z)
    log_scales: Doubles  # (K, Z)
    shears: Doubles | None = None  # (K, Z, Z), of which the strictly lower triangle counts; None: diagonal

    @classmethod
    def of_state(cls, state: State, latent: int) -> MixtureDraws:
        """From the state of a `GaussianMixturePrior`. Raises CheckpointError for one that is none."""
        count = _components(state)
        shears = _shaped(state, "shears", count, latent, latent) if "shears" in state else None
        means, log_scales = (_shaped(state, name, count, latent) for name in ("means", "log_scales"))
        return cls(_shaped(state, "logits", count), means, log_scales, shears)

    def _offsets(self, component: NDArray[np.int64], noise: Doubles) -> Doubles:
        if self.shears is None:
            return np.exp(self.log_scales[component]) * noise
        offsets = np.empty_like(noise)
        for k in np.unique(component).tolist():  # one solve a component: memory stays at K·Z²
            rows = component == k
            offsets[rows] = np.linalg.solve(self._whitening(k), noise[rows].T).T
        return offsets

    def covariance(self, component: int) -> Doubles:
        if self.shears is None:
            return np.diag(np.exp(2 * self.log_scales[component]))
        factor = np.linalg.inv(self._whitening(component))
        return factor @ factor.T

    def _whitening(self, component: int) -> Doubles:
        """W_k, (Z, Z)."""
        assert self.shears is not None
        return np.tril(self.shears[component], -1) + np.diag(np.exp(-self.log_scales[component]))

    def component_log_prob(self, z: Latents) -> Doubles:
        scores = np.empty((len(z), self.components))
        for k, (mean, log_scale) in enumerate(zip(self.means, self.log_scales, strict=True)):
            offset = z - mean  # (N, Z)
            white = offset * np.exp(-log_scale)
            if self.shears is not None:
                white = white + offset @ np.tril(self.shears[k], -1).T
            scores[:, k] = self.logits[k] - log_scale.sum() - 0.5 * np.square(white).sum(axis=1)
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class FactorMixtureDraws(_Mixture):
    """Σ_k w_k N(μ_k, Σ_k) with Σ_k = C S_k Cᵀ: the matrix C is common to all, and S_k has variances of its own along R
    directions and one variance along all others, a mixture of probabilistic principal component analysers."""

    logits: Doubles  # (K,) unnormalised log weights
    means: Doubles  # (K, Z)
    common: Doubles  # (Z, Z), C
    # (K, R, Z), orthonormal; rows of zeros where there are fewer; as they came
    directions: NDArray[np.floating[Any]]
    variances: Doubles  # (K, R) along them
    rest: Doubles  # (K,) along all others

    @classmethod
    def of_state(cls, state: State, latent: int) -> FactorMixtureDraws:
        """From the state of a `FactorMixturePrior`. Raises CheckpointError for one that is none."""
        count = _components(state)
        rank = state["variances"].shape[-1] if "variances" in state and state["variances"].ndim else 0
        variances, rest = _shaped(state, "variances", count, rank), _shaped(state, "rest", count)
        if not (variances > 0).all() or not (rest > 0).all():
            raise CheckpointError("its prior has variances that are not positive")
        return cls(
            _shaped(state, "logits", count),
            _shaped(state, "means", count, latent),
            _shaped(state, "common", latent, latent),
            _checked(state, "directions", count, rank, latent),  # large, and used a component at a time
            variances,
            rest,
        )

    def _offsets(self, component: NDArray[np.int64], noise: Doubles) -> Doubles:
        spread = np.empty_like(noise)
        for k in np.unique(component).tolist():
            rows, others = component == k, np.sqrt(self.rest[k])
            along = noise[rows] @ self.directions[k].T  # (n, R)
            stretched = (along * (np.sqrt(self.variances[k]) - others)) @ self.directions[k]
            spread[rows] = others * noise[rows] + stretched
        return spread @ self.common.T

    def covariance(self, component: int) -> Doubles:
        directions, rest = self.directions[component], self.rest[component]
        own = (
            rest * np.eye(len(self.common)) + (directions.T * (self.variances[component] - rest)) @ directions
        )
        return self.common @ own @ self.common.T

    def component_log_prob(self, z: Latents) -> Doubles:
        points = np.linalg.solve(self.common, z.T).T  # (N, Z), where the common covariance is I
        means = np.linalg.solve(self.common, self.means.T).T
        scores = np.empty((len(z), self.components))
        for k, (mean, variances, rest) in enumerate(zip(means, self.variances, self.rest, strict=True)):
            offset = points - mean
            along = np.square(offset @ self.directions[k].T)  # (N, R)
            squares = np.square(offset).sum(axis=1) / rest + along @ (1 / variances - 1 / rest)
            volume = np.log(variances).sum() + (offset.shape[1] - len(variances)) * np.log(rest)
            scores[:, k] = self.logits[k] - 0.5 * (volume + squares)
        return scores


FittedDraws: TypeAlias = MixtureDraws | FactorMixtureDraws


def fitted_mixture_of(state: State, latent: int) -> FittedDraws:
    """The mixture that was fitted after training, of either kind, from its state. Raises CheckpointError."""
    kind = FactorMixtureDraws if "directions" in state else MixtureDraws
    return kind.of_state(state, latent)


@dataclass(frozen=True, slots=True, eq=False)
class FlowDraws:
    """f⁻¹(u), u ~ N(0, I), with f a chain of spline couplings (`facette.model.flow`)."""

    turns: Doubles  # (L, Z, Z) orthogonal
    # L networks: the weight and bias of every layer
    couplings: tuple[tuple[tuple[Doubles, Doubles], ...], ...]
    log_scale: Doubles  # (Z,)
    shift: Doubles  # (Z,)

    @classmethod
    def of_state(cls, state: State, latent: int) -> FlowDraws:
        """From the state of a `FlowPrior`. Raises CheckpointError for one that is none."""
        count = len(state["turns"]) if "turns" in state else 0
        couplings = tuple(_network(state, f"couplings.{i}.network", latent) for i in range(count))
        log_scale, shift = (_shaped(state, name, latent) for name in ("log_scale", "shift"))
        return cls(_shaped(state, "turns", count, latent, latent), couplings, log_scale, shift)

    def sample(self, count: int, random: np.random.Generator) -> Latents:
        u = random.standard_normal((count, len(self.shift)))
        for turn, network in reversed(list(zip(self.turns, self.couplings, strict=True))):
            u = uncouple(u, network) @ turn.T
        return (u * np.exp(self.log_scale) + self.shift).astype(np.float32)

    def centres(self, z: Latents) -> Latents:
        return np.zeros(z.shape[1], np.float32)


def uncouple(v: Doubles, network: tuple[tuple[Doubles, Doubles], ...]) -> Doubles:
    """The vectors (N, Z) that a coupling with this network makes `v` of: the inverse of `SplineCoupling`.

    What a spline gives at ξ of a bin is a quotient of quadratics in ξ, so that ξ is the root of one (arXiv 1906.04032,
    section 3.1).
    """
    kept, moved = np.split(v, [v.shape[1] // 2], axis=1)
    raw = kept
    for place, (weight, bias) in enumerate(network):
        raw = (
            raw if place == 0 else raw * (1 + np.tanh(raw / 2)) / 2
        ) @ weight.T + bias  # SiLU between layers
    raw = raw.reshape(*moved.shape, -1)  # (N, T, 3B − 1)
    bins = (raw.shape[2] + 1) // 3
    x, y = _edges(raw[..., :bins]), _edges(raw[..., bins : 2 * bins])  # (N, T, B + 1)
    inner = np.logaddexp(0, raw[..., 2 * bins :] + FLAT) + SMALLEST
    slope = np.pad(inner, ((0, 0), (0, 0), (1, 1)), constant_values=1.0)
    place = (moved[..., None] >= y[..., 1:-1]).sum(axis=2)[..., None]  # (N, T, 1): the bin

    def at(knots: Doubles, step: int = 0) -> Doubles:
        return np.take_along_axis(knots, place + step, axis=2)[..., 0]

    left, bottom, low, high = at(x), at(y), at(slope), at(slope, 1)
    width, height = at(x, 1) - left, at(y, 1) - bottom
    mean = height / width
    offset = np.maximum(moved - bottom, 0)
    bend = offset * (low + high - 2 * mean)
    a, b, c = height * (mean - low) + bend, height * low - bend, -mean * offset
    root = np.sqrt(np.maximum(np.square(b) - 4 * a * c, 0))
    inside = np.abs(moved) < BOUND
    share = np.divide(2 * c, -b - root, out=np.zeros_like(c), where=inside)
    return np.concatenate([kept, np.where(inside, left + np.clip(share, 0, 1) * width, moved)], axis=1)


def _edges(raw: Doubles) -> Doubles:
    """Rising edges from −BOUND to BOUND, (N, T, B + 1), from unconstrained bin sizes (N, T, B)."""
    share = SMALLEST + (1 - SMALLEST * raw.shape[2]) * _softmax(raw)
    inner = 2 * BOUND * np.cumsum(share, axis=2)[..., :-1] - BOUND
    return np.concatenate(
        [np.full_like(inner[..., :1], -BOUND), inner, np.full_like(inner[..., :1], BOUND)], 2
    )


def _softmax(logits: Doubles) -> Doubles:
    """Along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _network(state: State, name: str, latent: int) -> tuple[tuple[Doubles, Doubles], ...]:
    """The layers of a coupling's network, whose sizes follow from one another."""
    layers, size = [], latent // 2
    for place in sorted(
        int(n.split(".")[3]) for n in state if n.startswith(f"{name}.") and n.endswith(".weight")
    ):
        shape = state[f"{name}.{place}.weight"].shape
        outputs = shape[0] if shape else 0
        weight = _shaped(state, f"{name}.{place}.weight", outputs, size)
        layers.append((weight, _shaped(state, f"{name}.{place}.bias", outputs)))
        size = outputs
    moved = latent - latent // 2
    if not layers or size % moved or (size // moved + 1) % 3 or size // moved < 5:
        raise CheckpointError(f"its prior has no network {name!r} that fits {latent} latents")
    return tuple(layers)


def _components(state: State) -> int:
    logits = state.get("logits")
    if logits is None or logits.ndim != 1 or not len(logits):
        raise CheckpointError("its prior has no weights of components")
    return len(logits)


def _shaped(state: State, name: str, *shape: int) -> Doubles:
    """The array of this name, in float64. Raises CheckpointError where it is missing or has another shape."""
    return _checked(state, name, *shape).astype(np.float64)


def _checked(state: State, name: str, *shape: int) -> NDArray[Any]:
    """The same as it came, not copied."""
    array = state.get(name)
    if array is None or array.shape != shape:
        told = "not there" if array is None else "×".join(map(str, array.shape)) or "a single number"
        raise CheckpointError(f"its prior's {name[:80]!r} is {told}, not {'×'.join(map(str, shape))}")
    return array
