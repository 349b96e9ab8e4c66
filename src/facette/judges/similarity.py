"""How like one picture is to another, and how like a real face at all, in the eyes of the attribute network.

In: uint8 pictures, and a `WhitenedEmbedding`: what the network sees in faces on the whole. Out: cosines and shares. It
is blind to who somebody is: it knows hair, age, beard, glasses, expression, colouring, not identities.

The embedding (128) is centred and whitened, so that every direction in which faces differ counts alike, and cut to
length one; a similarity is a cosine there. Measured on CelebA (docs/dial.md): with the threshold that lets one stranger
in a hundred pass, the bundled model's redrawings pass in 99 of 100 cases with full whitening, in 87 when only centred.
Realism asks how near the nearest real faces are, in the same space: it fell sooner than Mahalanobis distances or
distances in the plain embedding when variations came to look wrong.

Legend: N pictures, M known faces, R faces kept apart from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.errors import UsageError
from facette.judges.attributes import extract

Embeddings = NDArray[np.float64]  # (N, 128), rows of length one

FEWEST = 200  # faces that an embedding can be made from: below, 128 directions cannot be told from noise
KNOWN = 2000  # faces that realism compares with, at most
NEIGHBOURS = 20  # of them, the nearest
APART = 1 / 3  # share of the faces that neither the whitening nor the known faces have seen
PAIRS = 50_000  # pairs of strangers
FALSE_ACCEPTS = 0.01
RIDGE = 1e-6  # of the mean variance
_CENTRE, _WHITENING, _KNOWN, _TYPICAL, _THRESHOLD = (
    f"dial.{name}" for name in ("centre", "whitening", "known", "typical", "threshold")
)


class Calibrated(Protocol):
    """A model whose file holds the tensors of an embedding."""

    @property
    def name(self) -> str: ...

    @property
    def extras(self) -> Mapping[str, Tensor]: ...


@dataclass(frozen=True, slots=True)
class WhitenedEmbedding:
    """What similarity and realism are measured with; made once from real faces, kept in the model file."""

    centre: NDArray[np.float64]  # (128,)
    whitening: NDArray[np.float64]  # (128, 128)
    known: Embeddings  # (M, 128)
    typical: NDArray[np.float64]  # (R,) sorted: how near real faces are to their nearest known ones
    threshold: float  # the similarity that one pair of strangers in a hundred exceeds

    def places(self, pictures: np.ndarray) -> Embeddings:
        """Where uint8 pictures (N, S, S, 3) stand: (N, 128), rows of length one."""
        return self.place(extract(pictures).features)

    def place(self, features: np.ndarray) -> Embeddings:
        """Where embeddings (N, 128) of the attribute network stand: (N, 128), rows of length one."""
        return _unit((features.astype(np.float64) - self.centre) @ self.whitening)

    def realism(self, places: Embeddings) -> NDArray[np.float64]:
        """The share of real faces that are no nearer to their like than each of N is: (N,) in [0, 1].

        Real faces give 0.5 on average; 0 is like no real face. Nearness is the mean cosine with the 20 nearest of
        the known faces (after density measures by nearest neighbours, Naeem et al., arXiv 2002.09797).
        """
        return np.searchsorted(self.typical, _nearness(places, self.known), side="right") / len(self.typical)

    def extras(self) -> dict[str, Tensor]:
        """The embedding as tensors for a model file."""
        return {
            _CENTRE: torch.from_numpy(self.centre).float(),
            _WHITENING: torch.from_numpy(self.whitening).float(),
            _KNOWN: torch.from_numpy(self.known).half(),
            _TYPICAL: torch.from_numpy(self.typical),
            _THRESHOLD: torch.tensor([self.threshold], dtype=torch.float64),
        }


def similarity(photo: Embeddings, others: Embeddings) -> NDArray[np.float64]:
    """Cosine of each of N places (N, 128) with the photo's (128,) or (1, 128): (N,) in [−1, 1].

    1 is the photo itself, 0 an average stranger.
    """
    return others @ photo.reshape(-1)


def embedding_spread(places: Embeddings) -> float:
    """How unlike N ≥ 2 pictures are to each other: 1 − the mean similarity of every two, in [0, 2]; 0 when all are one.

    Strangers give 1 on average.
    """
    pairs = np.triu_indices(len(places), k=1)
    return float(1 - (places @ places.T)[pairs].mean())


def fit_embedding(features: np.ndarray, seed: int = 0) -> WhitenedEmbedding:
    """The embedding from features (N, 128) of real pictures, no two of them of the same shot.

    Two thirds give the mean, the whitening and the known faces; the last third, which those have not seen, gives the
    threshold over random pairs and how near real faces are to known ones. Raises UsageError for fewer than 200.
    """
    if len(features) < FEWEST:
        raise UsageError(
            f"calibrating takes at least {FEWEST} pictures to compare with, there are {len(features)}."
        )
    draws = np.random.default_rng(seed)
    mixed = features[draws.permutation(len(features))].astype(np.float64)
    apart = round(APART * len(mixed))
    rest, kept = mixed[apart:], mixed[:apart]
    centre = rest.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(rest.T))
    whitening = directions / np.sqrt(np.maximum(variances, 0) + RIDGE * variances.mean())
    known = _unit((rest[:KNOWN] - centre) @ whitening)
    strangers = _unit((kept - centre) @ whitening)
    first, second = draws.integers(len(strangers), size=(2, PAIRS))
    pairs = np.einsum("nd,nd->n", strangers[first], strangers[second])[first != second]
    return WhitenedEmbedding(
        centre=centre,
        whitening=whitening,
        known=known,
        typical=np.sort(_nearness(strangers, known)),
        threshold=float(np.quantile(pairs, 1 - FALSE_ACCEPTS)),
    )


def embedding_of(model: Calibrated) -> WhitenedEmbedding:
    """The embedding a model carries. Raises UsageError for one that was never calibrated."""
    if _THRESHOLD not in model.extras:
        raise UsageError(
            f"model {model.name!r} has no measure of similarity yet: run `facette calibrate MODEL DATA` once."
        )
    centre, whitening, known, typical, threshold = (
        model.extras[name].double().numpy() for name in (_CENTRE, _WHITENING, _KNOWN, _TYPICAL, _THRESHOLD)
    )
    return WhitenedEmbedding(centre, whitening, _unit(known), typical, float(threshold[0]))


def _nearness(places: Embeddings, known: Embeddings) -> NDArray[np.float64]:
    """Mean cosine with the nearest known faces, (N,)."""
    count = max(1, min(NEIGHBOURS, len(known) // 10))
    cosines = places @ known.T  # (N, M)
    return np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float64).tiny)
