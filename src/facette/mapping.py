"""Where pictures lie in a model's latent space: encoded, projected, measured, ready to be drawn.

Enters: a model, data, a method and a seed; photos to be put on the map; a saved map to be used again. Leaves: a
`LatentMap`, which can be saved as a picture or as a page to walk in, and shows itself in a notebook.
How a projection is made is decided in `facette.latent.project`, how a map looks in `facette.plots`.

Legend: N pictures, M placed photos, Z latents, S side of a picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facette.data.selection import Selection, Split, choose_data
from facette.errors import UsageError
from facette.latent.inputs import resolve_model
from facette.latent.photo import resolve_picture
from facette.latent.project import FEWEST, Method, Projection, fit_projection
from facette.measures.neighbours import base_rate, nearest, neighbour_purity, trustworthiness
from facette.plots.interactive_map import save_map_page
from facette.plots.maps import UNKNOWN, Chart, Column, plot_chart
from facette.plots.style import check_figure_path, save_figure
from facette.progress import Advance, unheard
from facette.text import readable

if TYPE_CHECKING:
    from facette.model.trained import TrainedModel

LISTED = 12  # neighbours that a click on the page shows
COUNT = 2000  # pictures on a map, where nothing else is said


@dataclass(frozen=True, slots=True)
class LatentMap:
    """A map: the chart that is drawn, the projection that places more, and how much to believe it."""

    chart: Chart
    projection: Projection
    figures: Mapping[str, float]  # trustworthiness; base rate and purities of the attribute it is coloured by

    @property
    def points(self) -> NDArray[np.float32]:
        """(N + M, 2): the pictures' places, then the placed photos'."""
        return self.chart.points

    def save(self, path: str | Path, faces_only: bool = False) -> Path:
        """Write the map; the ending decides: .html is the page to walk in, .npz the projection, others a figure."""
        path = check_map_path(path)
        match path.suffix.lower():
            case ".html":
                return save_map_page(self.chart, path)
            case ".npz":
                return self.projection.save(path)
        return save_figure(plot_chart(self.chart, faces_only), path)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        from io import BytesIO

        buffer = BytesIO()
        plot_chart(self.chart).savefig(buffer, format="png")
        return buffer.getvalue()


def map_latents(
    model: TrainedModel | str | Path,
    data: Any,
    *,
    method: Method = "tsne",
    color: str = "",
    split: Split = "all",
    count: int | None = COUNT,
    seed: int = 0,
    place: Mapping[str, Any] | Sequence[str | Path] = (),
    onto: Projection | str | Path | None = None,
    reconstructions: bool = True,
    label: str | None = None,
    progress: Advance = unheard,
) -> LatentMap:
    """Map the latent space of a model over data.

    `data` is a store, a source that `open_dataset` understands, or an array, as `evaluate` takes them; of it, `count`
    are drawn by the seed. `color` names an attribute or a category (or "component" of a mixture). `place`: photos to be
    put on the map afterwards, files or a mapping of names to pictures. `onto`: a map drawn before, of the same model;
    nothing is fitted then, and all data are placed on it. `reconstructions`: decode them too, for the page. `progress`
    is called after every batch with the number of data in it.

    Raises UsageError for an unknown attribute, a map of another model, or photos for a model of vectors.
    """
    model = resolve_model(model)
    if isinstance(data, str | Path):
        from facette.data import open_dataset

        label, data = label or Path(data).name, open_dataset(data, model.input)
    selection = choose_data(model, data, split, count, seed, label=label)
    columns = _columns(data, selection, color)
    mark = _digest(model)
    known = None if onto is None else _known_map(onto, model, mark)
    extra = _photos(model, place)
    encoded = _encode(model, selection, _names(data, selection), reconstructions, progress)
    projection = known or fit_projection(
        encoded.means, encoded.scales, method, seed, encoded.names, model.name, mark
    )
    points = projection.place(encoded.means)
    column = next((column for column in columns if column.name == color), None)
    figures = _measure(encoded.means / projection.unit, points, column)
    if extra is not None:
        added = _encode(model, extra, tuple(place_names(place)), reconstructions, unheard)
        points, encoded = np.concatenate([points, projection.place(added.means)]), encoded.with_(added)
    chart = Chart(
        title=f"{len(selection.indices):,} of {readable(selection.label)} in the latent space of {model.name}",
        subtitle=_subtitle(projection, known is not None),
        points=points,
        names=encoded.names,
        neighbours=nearest(encoded.means / projection.unit, LISTED),
        columns=columns,
        shown=color,
        pictures=encoded.pictures,
        reconstructions=encoded.reconstructions,
        placed=0 if extra is None else len(extra.indices),
        remarks=in_words(figures, column),
        ground=None if known is None else known.points,
    )
    return LatentMap(chart, projection, figures)


def check_map_path(path: str | Path) -> Path:
    """The path, if a map can be written under this name."""
    path = Path(path)
    return path if path.suffix.lower() in (".html", ".npz") else check_figure_path(path)


def open_projection(path: str | Path, model: TrainedModel) -> Projection:
    """A saved map. Raises DataError for anything else, UsageError for a map of another model."""
    return _known_map(path, model, _digest(model))


def place_names(photos: Mapping[str, Any] | Sequence[str | Path]) -> list[str]:
    """What photos that are put on a map are called there."""
    names = photos if isinstance(photos, Mapping) else [Path(photo).name for photo in photos]
    return [readable(name) for name in names]


def in_words(figures: Mapping[str, float], column: Column | None) -> str:
    """The figures of a map as sentences for people."""
    sentences = []
    if "trustworthiness" in figures:
        sentences.append(
            f"Trustworthiness {figures['trustworthiness']:.3f} (1: neighbours here are neighbours there)."
        )
    if "base_rate" in figures and column is not None:
        here, there = figures["purity_on_the_map"], figures["purity_in_latent_space"]
        sentences.append(
            f"Of the 15 nearest of a point with {_rarest(column)}, {here:.0%} on the map and {there:.0%} in latent "
            f"space have it too; by chance {figures['base_rate']:.0%}."
        )
    return " ".join(sentences)


# ── what the model makes of data ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Encoded:
    names: tuple[str, ...]
    means: NDArray[np.float32]  # (N, Z)
    scales: NDArray[np.float32]  # (N, Z)
    pictures: NDArray[np.uint8] | None  # (N, S, S, 3)
    reconstructions: NDArray[np.uint8] | None

    def with_(self, other: _Encoded) -> _Encoded:
        """Both, one after the other."""
        return _Encoded(
            self.names + other.names,
            np.concatenate([self.means, other.means]),
            np.concatenate([self.scales, other.scales]),
            _joined([self.pictures, other.pictures]),
            _joined([self.reconstructions, other.reconstructions]),
        )


def _joined(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """The parts, one after the other; None where one of them, or all, are missing."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there and len(there) == len(parts) else None


def _encode(
    model: TrainedModel,
    selection: Selection,
    names: tuple[str, ...],
    redraw: bool,
    advance: Advance,
) -> _Encoded:
    pictured = model.input.kind == "image"
    means, scales, pictures, redrawn = [], [], [], []
    for _, batch in selection.batches(256):
        posterior = model.encode(batch)
        means.append(posterior.mean.numpy())
        scales.append(posterior.scale.numpy())
        if pictured:
            pictures.append(batch)
            redrawn += [model.decode(posterior.mean)] if redraw else []
        advance(len(batch))
    return _Encoded(names, np.concatenate(means), np.concatenate(scales), _joined(pictures), _joined(redrawn))


def _photos(model: TrainedModel, place: Mapping[str, Any] | Sequence[str | Path]) -> Selection | None:
    if not place:
        return None
    photos = np.stack(
        [resolve_picture(model, photo) for photo in (place.values() if isinstance(place, Mapping) else place)]
    )
    return Selection(photos.__getitem__, np.arange(len(photos)), "photos", "all")


def _names(data: Any, selection: Selection) -> tuple[str, ...]:
    names = getattr(data, "names", None)
    return tuple(str(i) if names is None else readable(names[int(i)]) for i in selection.indices)


def _digest(model: TrainedModel) -> str:
    """What tells one encoder from another of the same name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.vae.encoder.state_dict().items()):
        digest.update(name.encode() + tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _known_map(onto: Projection | str | Path, model: TrainedModel, mark: str) -> Projection:
    known = onto if isinstance(onto, Projection) else Projection.load(onto)
    if known.model != model.name or known.encoder not in ("", mark):
        other = "another version of it" if known.model == model.name else repr(known.model)
        raise UsageError(f"that map was drawn of {other}, not of this {model.name!r}: draw it again.")
    return known


# ── what is known about the data ─────────────────────────────────────────────────────────────────────────


def _columns(data: Any, selection: Selection, color: str) -> tuple[Column, ...]:
    """Every attribute, yes before no before unknown; for a mixture its components. UsageError: not `color`."""
    columns = []
    components = getattr(data, "components", None)
    if components is not None:
        codes = np.asarray(components)[selection.indices]
        labels = tuple(f"component {k + 1}" for k in range(int(codes.max()) + 1))
        columns.append(Column("component", labels, codes.astype(np.uint8)))
    attributes = getattr(data, "attributes", None)
    for category in getattr(attributes, "categories", ()):
        codes, known = category.codes[selection.indices], len(category.labels)
        labels = (*category.labels, UNKNOWN) if (codes < 0).any() else category.labels
        columns.append(Column(category.name, labels, np.where(codes < 0, known, codes).astype(np.uint8)))
    for name in getattr(attributes, "names", ()):
        if any(name == column.name for column in columns):
            continue  # numbers, whose bands say more than above or below the middle
        values = data.attributes.column(name)[selection.indices]
        codes = np.select([values == 1, values == -1], [0, 1], 2).astype(np.uint8)
        labels = (name, f"not {name}", UNKNOWN) if (codes == 2).any() else (name, f"not {name}")
        columns.append(Column(name, labels, codes))
    names = [column.name for column in columns]
    if color and not names:
        raise UsageError(
            f"nothing to colour by {color!r}: this data set has no attributes; put a CSV beside it."
        )
    if color and color not in names:
        raise UsageError(f"no attribute {color!r}; this data set has {', '.join(names)}")
    return tuple(columns)


def _measure(latents: NDArray[Any], points: NDArray[Any], column: Column | None) -> dict[str, float]:
    """How well neighbourhoods survive, and how pure those of the column's rarest label are."""
    figures = {"trustworthiness": trustworthiness(latents, points)} if len(points) >= FEWEST else {}
    if column is None:
        return figures
    labels = np.array(column.labels)[column.codes]
    known = labels != UNKNOWN
    if known.sum() < FEWEST or len(set(labels[known])) < 2:
        return figures
    return figures | {
        "base_rate": base_rate(labels[known]),
        "purity_in_latent_space": neighbour_purity(latents[known], labels[known]),
        "purity_on_the_map": neighbour_purity(points[known], labels[known]),
    }


def _rarest(column: Column) -> str:
    counts = np.bincount(column.codes, minlength=len(column.labels))
    present = [place for place, name in enumerate(column.labels) if name != UNKNOWN and counts[place]]
    return column.labels[min(present, key=lambda place: counts[place])]


def _subtitle(projection: Projection, known: bool) -> str:
    ways = {"tsne": "t-SNE", "umap": "UMAP", "pca": "principal components"}
    drawn = f"{ways[projection.method]} of posterior means, in units of their σ · seed {projection.seed}"
    return f"{drawn} · placed on a map of {len(projection.points):,}" if known else drawn
