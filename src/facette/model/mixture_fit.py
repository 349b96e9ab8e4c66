"""Gaussian mixtures fitted to a model's latents after training, of all pictures alike or of each class.

Enters: latents as a matrix. Leaves: a prior. Sampling from where latents are closes the gap between them and N(0, I)
without touching a weight (ex-post density estimation, arXiv 1903.12436). Knows nothing of the model they are of.

Legend: N latents of Z numbers, M components, K numbers that say a class.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from facette.errors import DataError
from facette.model.prior import FactorMixturePrior, GaussianMixturePrior

CANDIDATES = (1, 2, 3, 5, 10, 20, 40)
REGULARISATION = 1e-6  # added to variances, in units of the latents' own (they are standardised first)
FEWEST_OF_A_CLASS = 10  # examples
FEWEST_OF_A_COMPONENT = 20  # examples, where a class has several
SHRINKAGE = 0.5  # examples for each latent that a component's covariance is worth before any are seen

LEADING = 96  # principal components in which examples are near to each other; the rest blurs what is near
WORTH = 0.02  # examples for each latent that a component's own directions are worth before any are seen
LEAST_REST = 0.05  # variance along other directions than a component's own, in units of the common one

# weights (M,), means (M, Z), covariances (M, Z, Z)
Moments: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]


def fit_gaussian_mixture(
    latents: Tensor,
    *,
    candidates: Sequence[int] = CANDIDATES,
    seed: int = 0,
    held_out: float = 0.1,
    starts: int = 1,
) -> GaussianMixturePrior:
    """The Gaussian mixture with full covariances that explains unseen latents best.

    A VAE's latents never quite fill N(0, I). Sampling from where they are closes that gap after training,
    without touching a weight (ex-post density estimation, arXiv 1903.12436).

    Args:
        latents: (N, Z), finite.
        candidates: numbers of components to try, in rising order; two in a row that are no better end it.
        seed: chooses the held-out part and the starts of expectation-maximisation.
        held_out: share of the latents, in (0, 1), that scores a candidate and is fitted on only at the end.
        starts: expectation-maximisation runs a candidate; the best likelihood wins.

    Raises:
        DataError: not a finite matrix, or fewer than 2 (Z + 1) latents.
    """
    scores = score_components(latents, candidates=candidates, seed=seed, held_out=held_out, starts=starts)
    best = max(scores, key=lambda components: scores[components])
    points, centre, scale = _standardise(latents)
    fitted = _expectation_maximisation(points, best, seed, starts)
    means = torch.from_numpy(fitted.means_ * scale + centre)
    covariances = torch.from_numpy(fitted.covariances_ * np.outer(scale, scale))
    return GaussianMixturePrior.from_moments(torch.from_numpy(fitted.weights_), means, covariances)


def fit_class_mixture(
    latents: Tensor,
    classes: np.ndarray,
    *,
    candidates: Sequence[int] = CANDIDATES,
    seed: int = 0,
    held_out: float = 0.1,
    starts: int = 1,
) -> tuple[GaussianMixturePrior, np.ndarray]:
    """A Gaussian mixture with components of their own for each class, and the class of each component.

    How many a class has is decided by how well unseen examples of it are explained. Each covariance is drawn towards
    the one that the class's components have in common, as if half as many examples as there are latents had been seen
    with that (an inverse-Wishart prior), so that few examples are enough for many components. Classes with fewer than
    2 (Z + 1) examples have one component, drawn towards the covariance that all classes have within; those with fewer
    than 10 have none.

    Args:
        latents: (N, Z), finite.
        classes: (N, K), of which equal rows are one class.
        candidates, seed, held_out, starts: as `fit_gaussian_mixture` takes them, for each class.

    Returns:
        The mixture of M components, and `classes` of each, (M, K).

    Raises:
        DataError: as `fit_gaussian_mixture`, and where no class has 10 examples.
    """
    points, centre, scale = _standardise(latents)
    kinds, kind_of, counts = np.unique(classes, axis=0, return_inverse=True, return_counts=True)
    groups = [points[kind_of.ravel() == kind] for kind in np.flatnonzero(counts >= FEWEST_OF_A_CLASS)]
    if not groups:
        raise DataError(f"no class has {FEWEST_OF_A_CLASS} examples")
    within = np.concatenate([group - group.mean(axis=0) for group in groups])
    latent, common = points.shape[1], within.T @ within / len(within)
    weights, means, covariances, owners = [], [], [], []
    for kind, group in zip(kinds[counts >= FEWEST_OF_A_CLASS], groups, strict=True):
        if len(group) < 2 * (latent + 1):
            offsets = group - group.mean(axis=0)
            spread = (offsets.T @ offsets + latent * common) / (len(group) + latent)
            parts = np.ones(1), group.mean(axis=0)[None], spread[None]
        else:
            parts = _best_shrunk(group, candidates, seed, held_out, starts)
        weights.append(parts[0] * len(group))
        means.append(parts[1])
        covariances.append(parts[2])
        owners.append(np.broadcast_to(kind, (len(parts[0]), len(kind))))
    mixture = GaussianMixturePrior.from_moments(
        torch.from_numpy(np.concatenate(weights) / len(within)),
        torch.from_numpy(np.concatenate(means) * scale + centre),
        torch.from_numpy(np.concatenate(covariances) * np.outer(scale, scale)),
    )
    return mixture, np.concatenate(owners)


def fit_factor_mixture(
    latents: Tensor, *, candidates: Sequence[int], rank: int, seed: int = 0
) -> FactorMixturePrior:
    """Many Gaussians, each with the few directions in which its own examples differ.

    Examples are grouped by k-means in their leading principal components; the covariance within groups is common to all
    components, and each has `rank` principal directions of its own beside it (as Richardson & Weiss, arXiv 1805.12462,
    begin). What several hundred neighbours have in common draws better pictures than a density of all of them does,
    though a held-out likelihood prefers fewer components: see docs/LOG.md.

    Args:
        latents: (N, Z), finite.
        candidates: numbers of components. Taken is the largest that leaves each 2 × rank examples on average, or
            else the smallest.
        rank: R, at most Z.
        seed: of the groups' first centres.

    Raises:
        DataError: not a finite matrix, or fewer than 2 (Z + 1) latents.
    """
    from sklearn.cluster import KMeans

    points, centre, scale = _standardise(latents)
    latent = points.shape[1]
    rank = min(rank, latent)
    variances, axes = np.linalg.eigh(np.cov(points.T).reshape(latent, latent))
    axes, lengths = axes[:, ::-1], np.sqrt(np.maximum(variances[::-1], REGULARISATION))
    white = points @ axes / lengths  # (N, Z), uncorrelated, the widest directions first
    enough = [count for count in candidates if count * 2 * rank <= len(white)]
    count = min(max(enough, default=min(candidates)), len(white))
    near = np.ascontiguousarray(white[:, :LEADING], np.float32)
    groups: Any = KMeans(count, max_iter=25, random_state=seed)  # one start: k-means++
    owner: np.ndarray = groups.fit_predict(near)
    sizes = np.bincount(owner, minlength=count)
    means = np.zeros((count, latent))
    np.add.at(means, owner, white)
    means /= np.maximum(sizes, 1)[:, None]
    offsets = white - means[owner]
    within = offsets.T @ offsets / len(offsets) + REGULARISATION * np.eye(latent)
    common = np.linalg.cholesky(within)
    offsets = np.linalg.solve(common, offsets.T).T  # what all components share is one unit in each direction
    prior = FactorMixturePrior(latent, count, rank)
    for k in range(count):
        directions, along, rest = _principal(offsets[owner == k], rank)
        prior.directions[k, : len(directions)] = torch.from_numpy(directions)
        prior.variances[k], prior.rest[k] = rest, rest
        prior.variances[k, : len(along)] = torch.from_numpy(along)
    to_latents = axes * lengths  # of white vectors as columns
    prior.logits.copy_(torch.from_numpy(np.log(np.maximum(sizes, 1e-3))))
    prior.means.copy_(torch.from_numpy(means @ to_latents.T * scale + centre))
    prior.common.copy_(torch.from_numpy(scale[:, None] * (to_latents @ common)))
    return prior


def _principal(offsets: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Directions (≤ R, Z) of offsets (n, Z) from their mean, the variances along them, and the one along all others:
    drawn towards one, the variance that all components have in common."""
    count, latent = offsets.shape
    known = WORTH * latent
    _, lengths, directions = np.linalg.svd(offsets, full_matrices=False)
    kept = min(rank, max(count - 1, 0))
    variances = (np.square(lengths) + known) / (count + known)
    total = (np.square(lengths).sum() + known * latent) / (count + known)
    others = latent - kept
    rest = (total - variances[:kept].sum()) / others if others else 1.0
    return directions[:kept], variances[:kept], float(np.clip(rest, LEAST_REST, 1.0))


def _best_shrunk(
    points: np.ndarray, candidates: Sequence[int], seed: int, held_out: float, starts: int
) -> Moments:
    """Components fitted to points (N, Z): as many as explain unseen points no worse, within one standard error, than
    the number that does so best. Of numbers that likelihood cannot tell apart the largest keeps closest to the points.
    """
    train, test = _split(points, seed, held_out)
    scores: dict[int, np.ndarray] = {}
    for components in sorted(candidates):
        if scores and components * FEWEST_OF_A_COMPONENT > len(train):
            break
        fitted = (torch.from_numpy(moment) for moment in _shrunk(train, components, seed, starts))
        density = GaussianMixturePrior.from_moments(*fitted).log_prob(torch.from_numpy(test).float())
        scores[components] = density.detach().numpy()
    best = max(scores.values(), key=np.mean)

    def no_worse(components: int) -> bool:
        behind = best - scores[components]
        return bool(behind.mean() <= behind.std() / len(behind) ** 0.5)

    return _shrunk(points, max(filter(no_worse, scores)), seed, starts)


def _shrunk(points: np.ndarray, components: int, seed: int, starts: int) -> Moments:
    """Components with a common covariance, and then each with its own, drawn towards that."""
    fitted = _expectation_maximisation(points, components, seed, starts, "tied")
    responsibilities = fitted.predict_proba(points)  # (N, M)
    common, known = fitted.covariances_, SHRINKAGE * points.shape[1]
    covariances = []
    for share, mean in zip(responsibilities.T, fitted.means_, strict=True):
        offsets = points - mean
        covariances.append(((offsets.T * share) @ offsets + known * common) / (share.sum() + known))
    return fitted.weights_, fitted.means_, np.stack(covariances)


def _split(points: np.ndarray, seed: int, held_out: float) -> tuple[np.ndarray, np.ndarray]:
    """What is fitted to, and what scores it."""
    order = np.random.default_rng(seed).permutation(len(points))
    cut = max(1, round(held_out * len(points)))
    return points[order[cut:]], points[order[:cut]]


def score_components(
    latents: Tensor,
    *,
    candidates: Sequence[int] = CANDIDATES,
    seed: int = 0,
    held_out: float = 0.1,
    starts: int = 1,
) -> dict[int, float]:
    """Mean held-out log density in nats of each number of components tried; arguments as above."""
    points, _, scale = _standardise(latents)
    train, test = _split(points, seed, held_out)
    scores: dict[int, float] = {}
    for components in sorted(candidates):
        # A component needs Z + 1 points to have a covariance at all; one is always tried.
        if scores and components * (points.shape[1] + 1) > len(train):
            break
        fitted = _expectation_maximisation(train, components, seed, starts)
        scores[components] = float(fitted.score(test) - np.log(scale).sum())
        if len(scores) > 2 and max(list(scores.values())[-2:]) < max(scores.values()):
            break
    return scores


def _standardise(latents: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points with unit deviation in each latent, their former centre and scale; all float64."""
    points = latents.detach().cpu().double().numpy()
    if points.ndim != 2 or not np.isfinite(points).all():
        raise DataError(f"latents of shape {tuple(points.shape)} are not a finite matrix (N, Z)")
    if len(points) < 2 * (points.shape[1] + 1):
        raise DataError(
            f"{len(points)} latents are too few for a Gaussian in {points.shape[1]} dimensions: "
            f"give at least {2 * (points.shape[1] + 1)}"
        )
    centre = points.mean(axis=0)
    scale = points.std(axis=0)
    scale[scale == 0] = 1.0
    return (points - centre) / scale, centre, scale


def _expectation_maximisation(
    points: np.ndarray, components: int, seed: int, starts: int, covariance: Literal["full", "tied"] = "full"
) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    # A step that gains less than a ten-thousandth of a nat per dimension changes no sample anyone could tell.
    least_gain = max(1e-3, 1e-4 * points.shape[1])
    mixture = GaussianMixture(
        components,
        covariance_type=covariance,
        tol=least_gain,
        reg_covar=REGULARISATION,
        n_init=starts,
        max_iter=300,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # A fit stopped at its last iteration is still a density: the held-out score judges it like the rest.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(points)
