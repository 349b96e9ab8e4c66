"""Many latents on one page: projections to two dimensions.

Enters: latents (N, Z) and a method. Leaves: points (N, 2). The methods are scikit-learn's; a projection with the same
seed is the same projection. Knows nothing of pictures, labels or drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from torch import Tensor

from facette.errors import DataError, UsageError

Method = Literal["tsne", "pca"]
PERPLEXITY = 30.0
FEWEST = 4  # latents; fewer make no map


@dataclass(frozen=True, slots=True)
class Projection:
    """Where every latent lies on the map."""

    points: np.ndarray  # (N, 2) float32
    names: tuple[str, ...]  # (N,) of the pictures, or their numbers
    method: Method
    seed: int
    model: str

    def save(self, path: str | Path) -> Path:
        """Write points, names, method and seed as an .npz without pickled objects."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                points=self.points,
                names=np.array(self.names),
                method=self.method,
                seed=self.seed,
                model=self.model,
            )
        return path

    @classmethod
    def load(cls, path: str | Path) -> Projection:
        """Read a saved map back. Raises DataError for anything else."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(
                    file["points"],
                    tuple(file["names"].tolist()),
                    str(file["method"]),  # type: ignore[arg-type]
                    int(file["seed"]),
                    str(file["model"]),
                )
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{path} is not a saved map: {error}") from None


def project_latents(latents: Tensor | np.ndarray, method: Method = "tsne", seed: int = 0) -> np.ndarray:
    """Points (N, 2) float32 for latents (N, Z).

    `pca`: the two principal directions, each turned so that its largest loading is positive. `tsne`: t-SNE (van
    der Maaten and Hinton, JMLR 2008) from the principal plane, perplexity 30 or a quarter of N where that is less.
    Raises UsageError for an unknown method and DataError for fewer than four latents.
    """
    if method not in get_args(Method):
        raise UsageError(f"unknown method {method!r}: use one of {', '.join(get_args(Method))}.")
    values = np.asarray(latents, dtype=np.float64)
    if values.ndim != 2 or len(values) < FEWEST:
        raise DataError(f"a map needs at least {FEWEST} latents (N, Z), got shape {values.shape}.")
    if method == "pca":
        return _principal_plane(values)
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, len(values) / 4)
    return TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(values).astype(np.float32)


def _principal_plane(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    plane = directions[:2]
    signs = np.sign(plane[np.arange(len(plane)), np.abs(plane).argmax(1)])
    return (centred @ (plane * signs[:, None]).T).astype(np.float32)
