"""Whether single latents stand for single causes: MIG, DCI and the FactorVAE score, where the causes are known.

Enters: latents (posterior means) and the true factors of the same data, as `synthetic-faces` has them. Leaves:
numbers in [0, 1], 1 best. A model need not be disentangled to be good; nothing in the usual objective asks for it, and
a rotation of the latents that changes neither pictures nor likelihood changes all three.

Legend: N data, Z latents, F factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

BINS = 20  # of a latent or a continuous factor, equally filled
TREES = 20
VOTES = 800  # of the FactorVAE score, half to learn from and half to test
BATCH = 32  # data that share a factor in one vote
ACTIVE = 0.05  # σ of a latent over all data, relative to the liveliest, below which it has no vote
FEWEST = 200


@dataclass(frozen=True, slots=True)
class Disentanglement:
    """All in [0, 1], 1 best; by chance near 0, but for `factor_score`, where it is 1/F."""

    mutual_information_gap: float
    disentanglement: float
    completeness: float
    informativeness: float
    factor_score: float


def measure_disentanglement(
    latents: NDArray, factors: NDArray, categorical: Sequence[bool], seed: int
) -> Disentanglement:
    """All of them for latents (N, Z) and factors (N, F); `categorical` (F,) says which factors are places of
    categories. UsageError: shapes that do not belong together, or fewer than 200 data."""
    latents, factors = np.asarray(latents, np.float64), np.asarray(factors, np.float64)
    if latents.ndim != 2 or factors.ndim != 2 or len(latents) != len(factors):
        raise UsageError(f"latents {latents.shape} and factors {factors.shape} must be of the same data.")
    if len(latents) < FEWEST or len(categorical) != factors.shape[1]:
        raise UsageError(
            f"{len(latents)} data with {len(categorical)} kinds for {factors.shape[1]} factors: disentanglement "
            f"needs at least {FEWEST} data and the kind of each factor."
        )
    importance, informativeness = factor_importance(latents, factors, categorical, seed)
    disentangled, complete = disentanglement_and_completeness(importance)
    return Disentanglement(
        mutual_information_gap=mutual_information_gap(latents, factors, categorical),
        disentanglement=disentangled,
        completeness=complete,
        informativeness=float(informativeness.mean()),
        factor_score=factor_score(latents, factors, categorical, seed),
    )


def mutual_information_gap(latents: NDArray, factors: NDArray, categorical: Sequence[bool]) -> float:
    """Mean over factors of (I of the best latent − I of the second best) / entropy of the factor: MIG.

    Source: Chen et al. (arXiv 1802.04942), with equally filled bins for what is continuous.
    """
    gaps = []
    codes = [_binned(column) for column in latents.T]
    for values, in_categories in zip(factors.T, categorical, strict=True):
        factor = values.astype(int) if in_categories else _binned(values)
        shared = np.sort([_mutual_information(code, factor) for code in codes])[::-1]
        second = shared[1] if len(shared) > 1 else 0.0
        gaps.append((shared[0] - second) / max(_mutual_information(factor, factor), 1e-12))
    return float(np.mean(gaps))


def factor_importance(
    latents: NDArray, factors: NDArray, categorical: Sequence[bool], seed: int
) -> tuple[NDArray, NDArray]:
    """How much each latent matters to telling each factor (Z, F), and how well it is told (F,).

    Random forests learn from one half of the data and are tested on the other. How well: R², or for categories the
    share of right answers beyond always naming the most frequent, over what is left beyond it; 0 when worse.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    half = len(latents) // 2
    order = np.random.default_rng(seed).permutation(len(latents))
    train, test = order[:half], order[half:]
    columns, told = [], []
    for values, in_categories in zip(factors.T, categorical, strict=True):
        kind: Any = RandomForestClassifier if in_categories else RandomForestRegressor
        forest = kind(TREES, min_samples_leaf=2, max_features=1.0, random_state=seed)
        score = float(forest.fit(latents[train], values[train]).score(latents[test], values[test]))
        if in_categories:
            usual = np.unique(values[test], return_counts=True)[1].max() / len(test)
            score = (score - usual) / max(1 - usual, 1e-12)
        columns.append(forest.feature_importances_)
        told.append(max(score, 0.0))
    return np.stack(columns, axis=1), np.array(told)


def disentanglement_and_completeness(importance: NDArray) -> tuple[float, float]:
    """From importances (Z, F) ≥ 0: does each latent serve one factor, is each factor served by one latent?

    1 − entropy of a latent's row (base F), weighted by the row's share of all importance; 1 − entropy of a factor's
    column (base Z), weighted likewise. Source: Eastwood and Williams 2018, "A framework for the quantitative
    evaluation of disentangled representations".
    """
    return _concentration(importance), _concentration(importance.T)


def factor_score(
    latents: NDArray, factors: NDArray, categorical: Sequence[bool], seed: int, votes: int = VOTES
) -> float:
    """How often the latent that varies least among data sharing one factor names that factor.

    Source: Kim and Mnih (arXiv 1802.05983), section 4. Data that share a factor are drawn from those at hand: of
    one category, or, for a continuous factor, the nearest in value to a chosen one. In [0, 1]; chance is 1/F.
    """
    draws = np.random.default_rng(seed)
    spread = latents.std(axis=0)
    alive = np.flatnonzero(spread > ACTIVE * spread.max())
    unit = latents[:, alive] / spread[alive]
    batch = min(BATCH, len(latents) // 4)
    named = np.empty((votes, 2), int)  # the factor that was shared, the latent that varied least
    for vote in range(votes):
        factor = int(draws.integers(factors.shape[1]))
        rows = _sharing(factors[:, factor], categorical[factor], batch, draws)
        named[vote] = factor, unit[rows].var(axis=0).argmin()
    learn, test = named[: votes // 2], named[votes // 2 :]
    counts = np.zeros((len(alive), factors.shape[1]), int)
    np.add.at(counts, (learn[:, 1], learn[:, 0]), 1)
    return float((counts.argmax(axis=1)[test[:, 1]] == test[:, 0]).mean())


def _sharing(values: NDArray, in_categories: bool, batch: int, draws: np.random.Generator) -> NDArray:
    """Rows of data that agree in one factor with a datum drawn at random."""
    chosen = values[draws.integers(len(values))]
    if in_categories:
        same = np.flatnonzero(values == chosen)
        return draws.choice(same, min(batch, len(same)), replace=False)
    return np.argpartition(np.abs(values - chosen), batch)[:batch]


def _concentration(importance: NDArray) -> float:
    rows = importance.sum(axis=1, keepdims=True)
    share = np.divide(importance, rows, out=np.zeros_like(importance, dtype=float), where=rows > 0)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=1) / np.log(importance.shape[1])
    return float(((1 - entropy) * rows[:, 0]).sum() / max(rows.sum(), 1e-12))


def _binned(values: NDArray) -> NDArray:
    """Places 0 … BINS − 1 of equal filling."""
    edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, values, side="right")


def _mutual_information(a: NDArray, b: NDArray) -> float:
    """Of two rows of whole numbers, in nats."""
    from sklearn.metrics import mutual_info_score

    return float(mutual_info_score(a, b))
