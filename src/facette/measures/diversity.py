"""How much a handful of pictures differ from each other.

Enters: pictures `(N, H, W, C)` as floats in [0, 1], or points `(N, D)`. Leaves: one number.
Knows nothing of models; whether the variety is *good* is for other measures to say.
"""

import numpy as np

from facette.errors import UsageError
from facette.measures.reconstruction import Floats


def spread(pictures: Floats) -> float:
    """Mean distance between every two pictures: root of the mean squared difference, averaged over all pairs.

    In units of the values, so pictures in [0, 1] give [0, 1]; 0 when all are alike. Being a mean over pairs it
    does not grow with the number of pictures.
    """
    pictures = np.asarray(pictures)
    if len(pictures) < 2:
        raise UsageError(
            f"a spread needs at least 2 pictures, there is {len(pictures)}: make more variations."
        )
    distances = pairwise_distances(pictures)
    return float(distances[np.triu_indices(len(pictures), k=1)].mean())


def vendi_score(features: Floats) -> float:
    """How many different points there are, in effect: exp of the entropy of the similarity matrix's eigenvalues.

    1 when all (N, D) point the same way, N when all are orthogonal; at most min(N, D) here, for the similarity is the
    cosine. It grows with N, so compare equal counts, with the real data as the floor. Source: Friedman and Dieng
    (arXiv 2210.02410). Centre the features first, or what all pictures share makes all of them alike.

    Raises UsageError for no points, or a point without a direction.
    """
    features = np.asarray(features, np.float64)
    lengths = np.linalg.norm(features, axis=1) if features.ndim == 2 else np.zeros(1)
    if not len(features) or not (lengths > 0).all() or not np.isfinite(lengths).all():
        raise UsageError("a Vendi score needs points (N, D) that are finite and not zero.")
    unit = features / lengths[:, None]
    # XᵀX / N (D × D) has the eigenvalues of the similarities XXᵀ / N (N × N), but for zeros.
    small = unit.T @ unit if len(unit) > unit.shape[1] else unit @ unit.T
    values = np.maximum(np.linalg.eigvalsh(small / len(unit)), 0)
    values = values[values > 0]
    return float(np.exp(-(values * np.log(values)).sum()))


def pairwise_distances(pictures: Floats) -> Floats:
    """Root mean squared difference of every two pictures: (N, N), symmetric, zero on the diagonal."""
    pictures = np.asarray(pictures)
    if not np.issubdtype(pictures.dtype, np.floating):
        raise UsageError(
            f"measures take floats in [0, 1], got {pictures.dtype}: divide uint8 pictures by 255."
        )
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)  # (N, D)
    # Row by row and not by |a|² + |b|² − 2ab: the latter loses all digits for near-identical pictures.
    return np.stack([np.sqrt(np.square(flat - row).mean(axis=1)) for row in flat])
