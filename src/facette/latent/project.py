"""Many latents on one page: projections to two dimensions, and new latents on a projection that exists.

Enters: posterior means and σ (N, Z) and a method. Leaves: a `Projection`: points (N, 2), and all that is needed to
place more. The methods are the field's libraries': openTSNE, umap-learn, and a singular value decomposition. The
same latents with the same seed are the same map. Knows nothing of pictures, labels or drawing.

Distances are measured in units of each latent's mean posterior σ: steps that the encoder can tell apart. A latent
that says little (σ near 1) then hardly moves a point, and one that says much (σ near 0) does.

Legend: N latents on the map, M latents to be placed, Z dimensions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facette.data.arrays import read_arrays
from facette.errors import DataError, UsageError, import_extra
from facette.images.sheets.file import write_whole

if TYPE_CHECKING:
    from torch import Tensor

Method = Literal["tsne", "umap", "pca"]
PERPLEXITY = 30.0  # of t-SNE, or a quarter of N where that is less
UMAP_NEIGHBOURS = 15  # or N − 1 where that is less
FEWEST = 4  # latents; fewer make no map
SAME = 1e-2  # posterior σ: a latent this near to one on the map is that one, met again
FORMAT = 2  # of the saved file


@dataclass(frozen=True, slots=True)
class Projection:
    """Where every latent lies on the map, and what places others."""

    points: NDArray[np.float32]  # (N, 2)
    latents: NDArray[np.float32]  # (N, Z) posterior means, in units of `unit`
    unit: NDArray[np.float32]  # (Z,) mean posterior σ
    names: tuple[str, ...]  # (N,) of the pictures, or their numbers
    method: Method
    seed: int
    model: str
    encoder: str = ""  # a digest of the encoder's weights, where the caller knows it

    def place(self, means: Tensor | NDArray[Any]) -> NDArray[np.float32]:
        """Points (M, 2) for posterior means (M, Z) of the same model; nothing on the map moves.

        A latent that is on the map lies where it lay. Others: `pca` projects them on the same plane; `tsne` and
        `umap` put each between its neighbours and let it settle, as openTSNE and umap-learn do.
        Raises DataError for latents of another shape.
        """
        means = np.asarray(means, dtype=np.float32)
        if means.ndim != 2 or means.shape[1] != self.latents.shape[1]:
            raise DataError(f"this map takes latents N×{self.latents.shape[1]}, got shape {means.shape}.")
        values = (means / self.unit).astype(np.float32)
        places = np.empty((len(values), 2), np.float32)
        known, where = self._met_again(values)
        places[known] = self.points[where[known]]
        if not known.all():
            places[~known] = _PLACERS[self.method](self, values[~known])
        return places

    def _met_again(self, values: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """For each latent whether it is on the map already, and the number of the nearest one there."""
        from sklearn.neighbors import NearestNeighbors

        if not len(values):
            return np.zeros(0, bool), np.zeros(0, np.intp)
        far, where = NearestNeighbors(n_neighbors=1).fit(self.latents).kneighbors(values)
        return far[:, 0] < SAME, where[:, 0]

    def save(self, path: str | Path) -> Path:
        """Write everything as an .npz without pickled objects; returns the path."""
        return write_whole(Path(path), self.write)

    def write(self, file: IO[bytes]) -> None:
        """The same into an open file."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["names"] = np.array(self.names)
        np.savez_compressed(file, allow_pickle=False, format=FORMAT, **values)

    @classmethod
    def load(cls, path: str | Path) -> Projection:
        """Read a saved map back. Raises DataError for anything else."""
        try:
            file = read_arrays(path)
        except DataError as error:
            raise DataError(f"{path} is not a saved map: {error}") from None
        try:
            if "format" in file and int(file["format"]) > FORMAT:
                raise DataError(f"{path} is a map of a newer Facette: update, or draw the map again.")
            arrays = {name: np.asarray(file[name], np.float32) for name in ("points", "latents", "unit")}
            texts = {name: str(file[name]) for name in ("method", "model", "encoder")}
            loaded = cls(**arrays, **texts, names=tuple(file["names"].tolist()), seed=int(file["seed"]))  # type: ignore[arg-type]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not a saved map: {error}") from None
        shapes = (loaded.points.shape, loaded.latents.shape)
        count, size = len(loaded.names), len(loaded.unit)
        if shapes != ((count, 2), (count, size)) or loaded.method not in get_args(Method):
            raise DataError(f"{path} is not a saved map: its parts do not belong together")
        return loaded


def fit_projection(
    means: Tensor | NDArray[Any],
    scales: Tensor | NDArray[Any],
    method: Method = "tsne",
    seed: int = 0,
    names: tuple[str, ...] | None = None,
    model: str = "",
    encoder: str = "",
) -> Projection:
    """A map of posteriors with these means and σ, (N, Z) each.

    `pca`: the two principal directions, each turned so that its largest loading is positive; needs no seed. `tsne`:
    t-SNE (van der Maaten and Hinton, JMLR 2008) from the principal plane, by openTSNE. `umap`: UMAP (arXiv
    1802.03426), by umap-learn. All of them on one core, since sums in another order are another map.
    Raises UsageError for an unknown method, DataError for fewer than four latents, MissingExtraError.
    """
    if method not in get_args(Method):
        raise UsageError(f"unknown method {method!r}: use one of {', '.join(get_args(Method))}.")
    means = np.asarray(means, dtype=np.float32)
    if means.ndim != 2 or len(means) < FEWEST:
        raise DataError(f"a map needs at least {FEWEST} latents (N, Z), got shape {means.shape}.")
    unit = np.asarray(scales, dtype=np.float64).mean(0).astype(np.float32)
    latents = (means / unit).astype(np.float32)
    points = _FITTERS[method](latents, seed).astype(np.float32)
    listed = names or tuple(str(number) for number in range(len(points)))
    return Projection(points, latents, unit, listed, method, seed, model, encoder)


# ── principal components ─────────────────────────────────────────────────────────────────────────────────


def _fit_pca(latents: NDArray[Any], seed: int) -> NDArray[Any]:
    return _on_plane(latents, latents)


def _place_pca(onto: Projection, values: NDArray[Any]) -> NDArray[Any]:
    return _on_plane(onto.latents, values)


def _on_plane(latents: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """`values` (M, Z) on the principal plane of `latents` (N, Z), whose mean is the origin."""
    latents = latents.astype(np.float64)
    middle = latents.mean(0)
    _, _, directions = np.linalg.svd(latents - middle, full_matrices=False)
    plane = directions[:2]
    signs = np.sign(plane[np.arange(len(plane)), np.abs(plane).argmax(1)])
    return (values - middle) @ (plane * signs[:, None]).T


# ── t-SNE ────────────────────────────────────────────────────────────────────────────────────────────────

BARNES_HUT_UP_TO = 5_000  # latents; beyond, interpolation by Fourier transform is faster


def _fit_tsne(latents: NDArray[Any], seed: int) -> NDArray[Any]:
    tsne = _opentsne()
    spread = _on_plane(latents, latents)
    start = spread / max(spread[:, 0].std(), 1e-12) * 1e-4  # as openTSNE scales what it begins from
    fitted = tsne.TSNE(n_jobs=1, random_state=seed, negative_gradient_method=_gradient(latents))
    return np.asarray(fitted.fit(affinities=_affinities(tsne, latents, seed), initialization=start))


def _place_tsne(onto: Projection, values: NDArray[Any]) -> NDArray[Any]:
    tsne = _opentsne()
    embedding = tsne.TSNEEmbedding(
        onto.points.astype(np.float64),
        _affinities(tsne, onto.latents, onto.seed),
        n_jobs=1,
        random_state=onto.seed,
        negative_gradient_method="bh",
    )
    fewer = min(5.0, _perplexity(onto.latents))  # neighbours that a newcomer listens to
    return np.asarray(embedding.transform(values.astype(np.float64), perplexity=fewer))


def _affinities(tsne: Any, latents: NDArray[Any], seed: int) -> Any:
    """Who is near whom, found by exact search: the same for every seed and version of a search tree."""
    return tsne.affinity.PerplexityBasedNN(
        latents.astype(np.float64),
        perplexity=_perplexity(latents),
        method="exact",
        n_jobs=1,
        random_state=seed,
    )


def _perplexity(latents: NDArray[Any]) -> float:
    return min(PERPLEXITY, len(latents) / 4)


def _gradient(latents: NDArray[Any]) -> str:
    return "bh" if len(latents) <= BARNES_HUT_UP_TO else "fft"


def _opentsne() -> Any:
    return import_extra("openTSNE", "map", "t-SNE (`method='pca'` needs nothing more)")


# ── UMAP ─────────────────────────────────────────────────────────────────────────────────────────────────


def _fit_umap(latents: NDArray[Any], seed: int) -> NDArray[Any]:
    return np.asarray(_umap(latents, seed, init="pca").fit_transform(latents))


def _place_umap(onto: Projection, values: NDArray[Any]) -> NDArray[Any]:
    """The neighbourhoods are found again and the layout is taken as it was saved: no epoch is run over it."""
    fitted = _umap(onto.latents, onto.seed, init=onto.points, n_epochs=0).fit(onto.latents)
    fitted.embedding_ = onto.points
    fitted.n_epochs = None  # its own choice of epochs for the newcomers
    return np.asarray(fitted.transform(values))


def _umap(latents: NDArray[Any], seed: int, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # it regrets a TensorFlow that nobody asked for
        umap = import_extra("umap", "map", "UMAP (`method='pca'` needs nothing more)")
    near = min(UMAP_NEIGHBOURS, len(latents) - 1)
    return umap.UMAP(n_neighbors=near, random_state=seed, n_jobs=1, **options)


_FITTERS = {"pca": _fit_pca, "tsne": _fit_tsne, "umap": _fit_umap}
_PLACERS = {"pca": _place_pca, "tsne": _place_tsne, "umap": _place_umap}
