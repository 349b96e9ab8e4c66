"""Attributes as directions: how to read one off a latent, and which way to walk to change it.

Enters: posteriors and labels (−1, 0 unknown, 1), or a model whose file knows directions. Leaves: `Directions`, in
arrays. Knows nothing of pictures. Fitting takes scikit-learn; what is known takes NumPy alone.

All of it happens in whitened latents x = L⁻¹(z − mean), whose covariance over the data is 1, so that no latent
counts more because it is wider. An attribute's *score* is the projection of x on a unit vector u: the normal of a
logistic regression, or the difference of the two class means. Its mean over the data is 0, its standard deviation 1.
The *move* that raises the score by 1 is L·u, which is what the data themselves do on average when the score is 1
higher (Haufe et al., NeuroImage 2014): the shortest way when length is measured by how unusual a latent becomes.

Scores are correlated, so a move drags other scores along: that is its entanglement, uᵀu'. Orthogonalised moves are
the effects of each score when all the others are held, (R + λI)⁻¹U with R = U·Uᵀ: a ridge regression of the
latents on all scores at once. With λ = 0 no other score would move at all, but scores that are nearly the same to
the model (lipstick, make-up) would be told apart along directions that hardly show in pictures. λ is a share of
tr(R²)/A, which is 1 for scores that have nothing to do with each other and grows with what they have in common.

Legend: N pictures, A attributes, Z latents.
"""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facette.errors import DataError, UsageError
from facette.latent.cloud import Cloud, Doubles, cloud_tensors, known_cloud, measure_cloud
from facette.model.interface import DrawingModel
from facette.progress import Advance, unheard

if TYPE_CHECKING:
    from facette.model.posterior import DiagonalGaussian

Method = Literal["logistic", "difference", "both"]

RIDGE = 0.25  # of orthogonalised moves, as a share of the scores' joint spread; docs/editing.md compares
FOLDS = 5
FEWEST = 10  # pictures with, and as many without; fewer give no direction
MOVE, NORMAL, FIGURES = "directions.", "scores.", "directions"  # names in the model file
RATED = "edits"  # what `facette.latent.worth` knows of them there


@dataclass(frozen=True, slots=True)
class Quality:
    """How well an attribute can be read off the latents, measured on pictures the fit has not seen."""

    share: float  # of the labelled pictures that have it, 0…1
    count: int  # labelled pictures
    auc: float  # of the chosen method, 0.5 is guessing and 1 is perfect; mean over the folds
    auc_deviation: float  # standard deviation over the folds
    auc_other: float  # of the other method
    agreement: float  # cosine of the two methods' directions in whitened latents


@dataclass(frozen=True, slots=True)
class Directions:
    """One score and one move for each attribute, in units of the score's standard deviation over the data."""

    names: tuple[str, ...]
    normals: Doubles  # (A, Z): score = normals · (z − mean)
    moves: Doubles  # (A, Z): adding moves[a] raises score a by exactly 1
    cloud: Cloud
    quality: tuple[Quality, ...]
    method: Method
    orthogonal: bool
    data: str  # what it was fitted on

    def scores(self, latents: ArrayLike) -> Doubles:
        """(N, Z) latents to (N, A) scores: 0 is the average of the data, 1 its standard deviation."""
        return (np.asarray(latents, np.float64) - self.cloud.mean) @ self.normals.T

    @property
    def entanglement(self) -> Doubles:
        """(A, A): by how much a step of 1 along move a changes score b; 1 on the diagonal."""
        return self.moves @ self.normals.T

    def entangled(self, name: str, count: int = 3) -> list[tuple[str, float]]:
        """The other attributes that this one drags along most, strongest first."""
        row = self.entanglement[self.place(name)]
        order = [b for b in np.argsort(-np.abs(row), kind="stable").tolist() if b != self.place(name)]
        return [(self.names[b], float(row[b])) for b in order[:count]]

    def save(self, model: str | Path, out: str | Path | None = None) -> Path:
        """Keep them in the model file behind `model` (a name, folder or file), or in a copy in the folder `out`.

        Directions that were there before go, and what edits along them were worth; everything else in the file stays,
        to the bit. Returns the file.
        """
        from facette.checkpoint.extras import add_extras

        tensors, figures = direction_tensors(self)
        return add_extras(model, tensors, {**figures, RATED: {}}, out, replace=(MOVE, NORMAL))

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        lines = ["| attribute | have it | AUC | one step also changes |", "| --- | --- | --- | --- |"]
        for name, quality in zip(self.names, self.quality, strict=True):
            also = ", ".join(f"{other} {effect:+.2f}" for other, effect in self.entangled(name))
            lines.append(f"| {name} | {100 * quality.share:.1f} % | {quality.auc:.3f} | {also} |")
        return "\n".join(lines)

    def place(self, name: str) -> int:
        """The attribute's row; capitals, spaces and hyphens do not matter. Raises UsageError for an unknown one."""
        spelt = [_plain(known) for known in self.names]
        if _plain(name) in spelt:
            return spelt.index(_plain(name))
        near = difflib.get_close_matches(_plain(name), spelt, n=1)
        meant = (
            f"do you mean {self.names[spelt.index(near[0])]}?" if near else f"known: {', '.join(self.names)}"
        )
        raise UsageError(f"there is no attribute {name!r}: {meant}")


def fit_directions(
    posterior: DiagonalGaussian,
    labels: np.ndarray,
    names: tuple[str, ...],
    *,
    method: Method = "logistic",
    orthogonal: bool = False,
    data: str = "",
    seed: int = 0,
    progress: Advance = unheard,
) -> tuple[Directions, tuple[str, ...]]:
    """Directions of the labels (N, A), and the names of attributes left out for having too few pictures either way.

    `posterior`: of the same N pictures. `seed`: of the folds. `progress(1)` is called after each attribute. Raises
    DataError when no attribute has at least ten pictures with and ten without it, UsageError for an unknown method.
    """
    if method not in get_args(Method):
        raise UsageError(f"unknown method {method!r}: use one of {', '.join(get_args(Method))}.")
    cloud = measure_cloud(posterior)
    whitening = cloud.whitening()  # (Z, Z)
    centred = (np.asarray(posterior.mean, np.float64) - cloud.mean).T
    x = np.linalg.solve(whitening, centred).T.astype(np.float32)  # (N, Z)
    units, ways, quality, kept, left_out = [], [], [], [], []
    for name, column in zip(names, labels.T, strict=True):
        if min((column > 0).sum(), (column < 0).sum()) < FEWEST:
            left_out.append(name)
        else:
            known = column != 0
            unit, measured = _fit(x[known], column[known] > 0, method, seed)
            units.append(unit)
            ways.append(_unit(x[known], column[known] > 0, "difference") if method == "both" else unit)
            quality.append(measured)
            kept.append(name)
        progress(1)
    if not kept:
        raise DataError(f"no attribute has at least {FEWEST} pictures with it and {FEWEST} without.")
    u, way = np.stack(units), np.stack(ways)  # (A, Z), unit rows
    normals = np.linalg.solve(whitening.T, u.T).T
    moves = _moves(way, RIDGE if orthogonal else None)
    moves = moves / (moves * u).sum(axis=1, keepdims=True) @ whitening.T  # each raises its own score by 1
    directions = Directions(tuple(kept), normals, moves, cloud, tuple(quality), method, orthogonal, data)
    return directions, tuple(left_out)


def direction_tensors(directions: Directions) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Directions as named arrays and figures for a model file; `directions.NAME` is the move of one deviation."""
    tensors = cloud_tensors(directions.cloud)
    for name, normal, move in zip(directions.names, directions.normals, directions.moves, strict=True):
        tensors |= {MOVE + name: move.astype(np.float32), NORMAL + name: normal.astype(np.float32)}
    figures = {
        "method": directions.method,
        "orthogonal": directions.orthogonal,
        "data": directions.data,
        "attributes": {n: asdict(q) for n, q in zip(directions.names, directions.quality, strict=True)},
    }
    return tensors, {FIGURES: figures}


def known_directions(model: DrawingModel) -> Directions:
    """The directions in the model's file. Raises UsageError for a model that has none."""
    figures = model.metrics.get(FIGURES)
    if not figures:
        raise UsageError(
            f"{model.name!r} knows no attributes: run `facette attributes fit MODEL DATA` on labelled data."
        )
    names = tuple(figures["attributes"])
    normals, moves = (
        np.stack([np.asarray(model.extras[prefix + n], np.float64) for n in names])
        for prefix in (NORMAL, MOVE)
    )
    quality = tuple(Quality(**measured) for measured in figures["attributes"].values())
    how = figures["method"], figures["orthogonal"], figures["data"]
    return Directions(names, normals, moves, known_cloud(model), quality, *how)


def _fit(x: np.ndarray, has: np.ndarray, method: Method, seed: int) -> tuple[np.ndarray, Quality]:
    """The unit vector of one attribute, and its quality; x (N, Z) whitened, has (N,) bool."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    method = "logistic" if method == "both" else method  # what is read, where reading and moving differ
    other = "difference" if method == "logistic" else "logistic"
    areas = []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, has):
        fitted = [_unit(x[train], has[train], way) for way in (method, other)]
        areas.append([roc_auc_score(has[test], x[test] @ unit) for unit in fitted])
    unit, second = _unit(x, has, method), _unit(x, has, other)
    (auc, auc_other), deviation = np.mean(areas, axis=0), np.std(areas, axis=0)[0]
    figures = (has.mean(), len(has), auc, deviation, auc_other, unit @ second)
    share, count, *rest = (round(float(figure), 4) for figure in figures)
    return unit, Quality(share, int(count), *rest)


def _unit(x: np.ndarray, has: np.ndarray, method: Method) -> np.ndarray:
    if method == "difference":
        vector = x[has].mean(0) - x[~has].mean(0)
    else:
        from sklearn.linear_model import LogisticRegression

        # In whitened latents a loose tolerance is enough: the angle changes by less than a thousandth below it.
        vector = LogisticRegression(tol=1e-3, max_iter=500).fit(x, has).coef_[0]
    vector = vector.astype(np.float64)
    return vector / np.linalg.norm(vector)


def _moves(u: Doubles, ridge: float | None) -> Doubles:
    """(A, Z) in whitened latents, each raising its own score by 1; `ridge` None leaves the scores' correlations in."""
    if ridge is None:
        return u
    correlations = u @ u.T  # (A, A)
    joint = np.square(correlations).sum() / len(u)
    held = np.linalg.solve(correlations + ridge * joint * np.eye(len(u)), u)
    return held / (held * u).sum(axis=1, keepdims=True)


def _plain(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")
