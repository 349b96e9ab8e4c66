"""Mixtures of Gaussians as data: a density that is known exactly, to measure a generative model against.

Enters: sizes and a seed, or a source such as "synthetic-mixture:seed=5". Leaves: a `Mixture` (weights, means,
covariances) with its exact log density, entropy and responsibilities, and a `VectorStore` of points drawn
from it. It knows no model and no file.

Legend: N points, D dimensions, K components. Everything is float64 but the stored points (float32).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from facette.data.split import TEST, VALID, rows_of
from facette.errors import DataError

ENTROPY_SAMPLES = 200_000
CHUNK = 20_000  # points whitened at once: CHUNK·K·D doubles stay small
SHARES = (0.05, 0.05)  # of the points set aside as valid and as test

# The mixture of the recipe mixture3d, and what "synthetic-mixture:key=value,…" may change about it.
SOURCE = "synthetic-mixture"
SOURCE_DEFAULTS = {"seed": 4, "components": 10, "count": 20_000}


@dataclass(frozen=True, slots=True)
class Draw:
    """Points of a mixture and where each came from."""

    points: np.ndarray  # (N, D) float64
    components: np.ndarray  # (N,) int64, in [0, K)


@dataclass(frozen=True, slots=True)
class Entropy:
    """A differential entropy in nats with its standard error (zero where it is exact)."""

    nats: float
    standard_error: float


@dataclass(frozen=True)
class Mixture:
    """Σ_k w_k N(x; μ_k, Σ_k), with weights that sum to one and positive definite covariances."""

    weights: np.ndarray  # (K,)
    means: np.ndarray  # (K, D)
    covariances: np.ndarray  # (K, D, D)

    @property
    def components(self) -> int:
        return self.means.shape[0]

    @property
    def dimensions(self) -> int:
        return self.means.shape[1]

    @cached_property
    def _factors(self) -> np.ndarray:
        """Lower Cholesky factors of the covariances, (K, D, D)."""
        return np.linalg.cholesky(self.covariances)

    def sample(self, count: int, seed: int | np.random.Generator) -> Draw:
        """`count` independent points; an integer seed gives the same points each time."""
        rng = np.random.default_rng(seed)
        chosen = rng.choice(self.components, size=count, p=self.weights)
        noise = rng.standard_normal((count, self.dimensions))
        points = self.means[chosen] + np.einsum("nij,nj->ni", self._factors[chosen], noise)
        return Draw(points, chosen)

    def mahalanobis(self, points: np.ndarray) -> np.ndarray:
        """Distance of points (N, D) to each component in its own standard deviations: (N, K)."""
        inverse = np.linalg.inv(self._factors)  # (K, D, D)
        parts = np.array_split(np.asarray(points, np.float64), max(1, math.ceil(len(points) / CHUNK)))
        return np.concatenate(
            [
                np.linalg.norm(np.einsum("kij,nkj->nki", inverse, part[:, None, :] - self.means), axis=2)
                for part in parts
            ]
        )

    def component_log_density(self, points: np.ndarray) -> np.ndarray:
        """log w_k + log N(x; μ_k, Σ_k) of points (N, D), in nats: (N, K)."""
        log_volume = np.log(self._factors.diagonal(axis1=1, axis2=2)).sum(axis=1)  # (K,)
        constant = np.log(self.weights) - log_volume - 0.5 * self.dimensions * math.log(2 * math.pi)
        return constant - 0.5 * self.mahalanobis(points) ** 2

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """log p(x) of points (N, D), in nats: (N,). Exact."""
        return np.logaddexp.reduce(self.component_log_density(points), axis=1)

    def responsibilities(self, points: np.ndarray) -> np.ndarray:
        """p(component | x) of points (N, D): (N, K), rows summing to one. Exact."""
        joint = self.component_log_density(points)
        return np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None])

    def entropy(self, samples: int = ENTROPY_SAMPLES, seed: int = 0) -> Entropy:
        """−E[log p(x)]: in closed form for one component, else by Monte Carlo over `samples` points."""
        if self.components == 1:
            log_volume = np.log(self._factors[0].diagonal()).sum()
            return Entropy(float(log_volume + 0.5 * self.dimensions * math.log(2 * math.pi * math.e)), 0.0)
        surprise = -self.log_density(self.sample(samples, seed).points)
        return Entropy(float(surprise.mean()), float(surprise.std(ddof=1) / math.sqrt(samples)))

    def marginal(self, axes: Sequence[int]) -> Mixture:
        """The exact density of the coordinates `axes` alone: again a mixture."""
        chosen = list(axes)
        return Mixture(self.weights, self.means[:, chosen], self.covariances[:, chosen][:, :, chosen])


def draw_mixture(
    dimensions: int,
    components: int,
    seed: int,
    *,
    spread: float = 5.0,
    deviations: tuple[float, float] = (0.2, 0.85),
    evenness: float = 5.0,
) -> Mixture:
    """A random mixture: uneven weights, spread means, covariances stretched and turned each in its own way.

    Args:
        dimensions: D ≥ 1.
        components: K ≥ 1.
        seed: the same seed gives the same mixture.
        spread: half the side of the cube the means are drawn from, uniformly.
        deviations: the standard deviations along a component's axes are log-uniform between these.
        evenness: concentration of the Dirichlet the weights come from; larger is more even.

    Raises:
        DataError: a size or width that is not positive.
    """
    if dimensions < 1 or components < 1:
        raise DataError(
            f"a mixture of {components} components in {dimensions} dimensions: both must be 1 or more"
        )
    low, high = deviations
    if not (0 < low <= high and spread >= 0 and evenness > 0):
        raise DataError(
            f"deviations {low}…{high}, spread {spread} and evenness {evenness} do not describe a mixture: "
            "all must be positive, the deviations in rising order"
        )
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(components, evenness))
    means = rng.uniform(-spread, spread, (components, dimensions))
    widths = np.exp(rng.uniform(math.log(low), math.log(high), (components, dimensions)))
    turns = np.stack([_rotation(dimensions, rng) for _ in range(components)])  # (K, D, D)
    axes = turns * widths[:, None, :]
    return Mixture(weights, means, axes @ axes.transpose(0, 2, 1))


def open_mixture(source: str, dimensions: int) -> VectorStore:
    """The points of a mixture named as a source.

    "synthetic-mixture" is the mixture of the recipe mixture3d, "synthetic-mixture:5000" so many points of
    it, and "synthetic-mixture:seed=5,components=10,count=20000" any other. The mixture comes from
    `draw_mixture(dimensions, components, seed)` and its points from the same seed, so that a source always
    names the same points. Raises DataError for a source that does not read like this.
    """
    name, _, settings = source.partition(":")
    values = dict(SOURCE_DEFAULTS)
    for setting in settings.split(",") if settings else []:
        key, _, value = setting.rpartition("=")
        key = key or "count"
        if key not in values or not (value.isascii() and value.isdigit()):
            raise DataError(
                f"{source!r}: {setting!r} should read key=number, with one of {', '.join(values)} as the key"
            )
        values[key] = int(value)
    if name != SOURCE:
        raise DataError(f"{source!r} is no mixture: its name is {SOURCE}")
    mixture = draw_mixture(dimensions, values["components"], values["seed"])
    return draw_store(mixture, values["count"], values["seed"])


def is_mixture(source: object) -> bool:
    """Whether a source names a mixture rather than a path."""
    return isinstance(source, str) and source.partition(":")[0] == SOURCE


def draw_store(mixture: Mixture, count: int, seed: int) -> VectorStore:
    """`count` points of a mixture, the last shares of them set aside as valid and test."""
    if count < 1:
        raise DataError(f"{count} points of a mixture: draw 1 or more")
    # Keyed apart from `draw_mixture`, which may have the same seed.
    drawn = mixture.sample(count, np.random.default_rng([seed, 1]))
    partition = np.zeros(count, np.int8)
    valid, test = SHARES
    partition[round(count * (1 - valid - test)) :] = VALID
    partition[round(count * (1 - test)) :] = TEST
    return VectorStore(drawn.points, partition, mixture=mixture, components=drawn.components)


class VectorStore:
    """Points in memory with the face of an image store: `read`, `indices`, `fingerprint`, `partition`.

    Args:
        points: (N, D), stored as float32.
        partition: (N,) int8: 0 train, 1 valid, 2 test.
        mixture: what the points were drawn from.
        components: (N,) which component each point came from.
    """

    def __init__(
        self,
        points: np.ndarray,
        partition: np.ndarray,
        *,
        mixture: Mixture,
        components: np.ndarray,
    ) -> None:
        self.points = np.ascontiguousarray(points, np.float32)
        self.partition = np.asarray(partition, np.int8)
        self.mixture, self.components = mixture, components
        self.attributes = None  # vectors have none; the face of an image store has the name
        self.fingerprint = hashlib.sha256(self.points.tobytes() + self.partition.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def names(self) -> list[str]:
        return [f"{index:06d}" for index in range(len(self))]

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Points (B, D) float32 at `indices` (B,)."""
        return self.points[indices]

    def indices(self, partition: str = "all") -> np.ndarray:
        """(K,) int64, ascending: the points of "train", "valid", "test" or "all"."""
        return rows_of(self.partition, partition)


def _rotation(dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """An orthogonal matrix drawn evenly from all of them (QR of a Gaussian matrix, signs fixed)."""
    q, r = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))
    return q * np.sign(r.diagonal())
