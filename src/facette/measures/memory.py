"""Whether a model draws pictures it was shown: the distance of its samples to the nearest training picture.

Enters: embeddings of samples, of training pictures and of held-out pictures. Leaves: a share and its threshold.
Held-out pictures cannot have been copied, so how near *they* come to the training set is what chance allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.measures.distances import Points
from facette.measures.manifold import nearest_distances

CHANCE = 0.01  # share of held-out pictures that lie nearer than the threshold
FEWEST = 100  # held-out pictures, so that the threshold has at least one below it


@dataclass(frozen=True, slots=True)
class Memorisation:
    """Samples that lie nearer to a training picture than 99 % of held-out pictures do."""

    share: float  # [0, 1]; the floor, for samples as free as held-out pictures, is 0.01
    threshold: float  # units of the embedding
    ratio: float  # median distance of samples over that of held-out pictures; 1 alike, 0 copies
    samples: NDArray[np.float64]  # (N,) distances to the nearest training picture, sorted
    held_out: NDArray[np.float64]  # (M,) the same for held-out pictures, sorted


def memorisation(samples: Points, training: Points, held_out: Points, chance: float = CHANCE) -> Memorisation:
    """Compare how near samples (N, D) and held-out pictures (M, D) come to the training pictures (T, D).

    After Meehan et al. 2020 (arXiv 2004.05675), who test the same two distances against each other. In an
    embedding, not in pixels: there every smooth picture is near to every other.

    Raises UsageError for fewer than 100 held-out pictures, other dimensions, or values that are not finite.
    """
    if len(held_out) < FEWEST:
        raise UsageError(
            f"a threshold for memorised samples needs at least {FEWEST} held-out pictures, got {len(held_out)}."
        )
    drawn = np.sort(nearest_distances(samples, training))
    chance_distances = np.sort(nearest_distances(held_out, training))
    threshold = float(np.quantile(chance_distances, chance))
    usual = float(np.median(chance_distances))
    if usual == 0:
        raise UsageError("the held-out pictures are themselves training pictures: choose others.")
    return Memorisation(
        share=float((drawn < threshold).mean()),
        threshold=threshold,
        ratio=float(np.median(drawn)) / usual,
        samples=drawn,
        held_out=chance_distances,
    )
