"""A latent map for the browser: what is drawn, packed so that a script can draw it, and what a place on it means.

Enters: a model and what to map: data, a saved map, or nothing (then the model's own samples). Leaves: a `Walk`, which
knows the latent of every point, and the files that `assets/map.js` draws from. Knows nothing of Gradio.

Legend: N points, M placed photos, Z latents, S side of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.files import json_of
from facette.latent.directions import FIGURES, known_directions
from facette.latent.project import Method, Projection
from facette.model.interface import DrawingModel
from facette.plots.interactive_map.atlas import Atlas, pack_atlas, slots_by_place
from facette.plots.maps import Chart, Column, base64_of
from facette.studio.events import Tell, progress_by

if TYPE_CHECKING:
    from facette.model.trained import TrainedModel

SAMPLES_SEED = 1
SAMPLE = "sample"  # what one of them is called, with its number
SAVED = ".npz"  # ending of a saved map


@dataclass(frozen=True, slots=True)
class PlacedPhoto:
    """A photo that was put on a map."""

    name: str
    latent: NDArray[np.float32]  # (Z,)
    point: NDArray[np.float32]  # (2,)


@dataclass(frozen=True, slots=True)
class Walk:
    """A map to walk on: its points in the order of the page, then the photos that were put on it."""

    projection: Projection
    placed: tuple[PlacedPhoto, ...] = ()

    @property
    def settled(self) -> int:
        return len(self.projection.points)

    def latent(self, number: int) -> NDArray[np.float32]:
        """(1, Z) of a point. Raises UsageError for a number that no point has."""
        if 0 <= number < self.settled:
            latent = self.projection.latents[number] * self.projection.unit
        else:
            latent = self._photo(number).latent
        return np.asarray(latent, np.float32)[None]

    def name(self, number: int) -> str:
        """What a point is called. Raises UsageError as `latent` does."""
        known = 0 <= number < self.settled
        return self.projection.names[number] if known else self._photo(number).name

    def with_photo(self, name: str, latent: NDArray[np.float32], point: NDArray[np.float32]) -> Walk:
        """The same map with a photo put on it, its latent (Z,) where `Projection.place` says; nothing moves."""
        return replace(self, placed=(*self.placed, PlacedPhoto(name, latent, point)))

    def _photo(self, number: int) -> PlacedPhoto:
        if not self.settled <= number < self.settled + len(self.placed):
            raise UsageError(f"there is no point {number} on this map: it was drawn anew, pick another one.")
        return self.placed[number - self.settled]


def methods() -> tuple[Method, ...]:
    """The projections that are installed, the best first."""
    libraries: dict[Method, str] = {"tsne": "openTSNE", "umap": "umap"}
    return (*(method for method, library in libraries.items() if find_spec(library)), "pca")


def draw_map(
    model: TrainedModel, source: str, method: Method, count: int, seed: int, tell: Tell
) -> tuple[Walk, Chart]:
    """A map of what `source` names: what `facette map` takes, the path of a saved map, or "" for `count` samples.

    Raises as `facette.mapping.map_latents` and `facette.data.open_dataset` do.
    """
    from facette.mapping import map_latents, open_projection

    if source.endswith(SAVED):
        tell("reading the map")
        projection = open_projection(source, model)
        return Walk(projection), _read_chart(model, projection)
    plain = model.plain()  # a thumbnail needs no second stage
    if not source:
        tell("drawing samples")
        data: Any = plain.decode(model.sample_latents(count, SAMPLES_SEED))
        label = "samples"
    else:
        data, label = _opened(model, source, tell), source.rstrip("/").rpartition("/")[2]
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        share = min(done / count, 1.0)
        tell("placing them on the map" if share == 1 else "looking at the pictures", share)

    latent_map = map_latents(
        plain,
        data,
        method=method,
        count=count,
        seed=seed,
        reconstructions=False,
        label=label,
        progress=advance,
    )
    if source:
        return Walk(latent_map.projection), latent_map.chart
    names = tuple(f"{SAMPLE} {number}" for number in range(len(latent_map.points)))
    return Walk(replace(latent_map.projection, names=names)), replace(latent_map.chart, names=names)


def chart_files(model: DrawingModel, walk: Walk, chart: Chart) -> tuple[dict[str, Any], Atlas]:
    """What the page draws from: a description for JSON, and the sheets of thumbnails that it speaks of."""
    assert chart.pictures is not None, "the studio's models are of pictures"
    atlas = pack_atlas(chart.pictures, slots_by_place(chart.points))
    columns = chart.columns or read_columns(model, walk)
    described = {
        "points": base64_of(np.asarray(chart.points, "<f4")),
        "names": chart.names,
        "columns": [column.described(column.codes) for column in columns],
        "side": atlas.side,
        "across": atlas.columns,
        "down": atlas.rows,
        "slots": base64_of(np.asarray(atlas.slots, "<i4")),
    }
    return described, atlas


def read_columns(model: DrawingModel, walk: Walk) -> tuple[Column, ...]:
    """For points without labels: whether the model reads more of an attribute off each than is usual."""
    if FIGURES not in model.metrics:
        return ()
    directions = known_directions(model)
    means = walk.projection.latents * walk.projection.unit
    codes = (directions.scores(means) <= 0).astype(np.uint8)  # (N, A)
    return tuple(
        Column(name, (f"more {_spoken(name)} than usual", "less"), codes[:, place])
        for place, name in enumerate(directions.names)
    )


def packed(described: dict[str, Any]) -> bytes:
    """The description as a file."""
    return json_of(described).encode()


def _read_chart(model: DrawingModel, projection: Projection) -> Chart:
    """A chart of a saved map, whose pictures are what the model makes of its latents."""
    latents = projection.latents * projection.unit
    return Chart(
        title="",
        subtitle="",
        points=projection.points,
        names=projection.names,
        neighbours=np.empty((len(latents), 0), np.int32),
        pictures=model.plain().decode(latents),
    )


def _opened(model: TrainedModel, source: str, tell: Tell) -> Any:
    from facette.data import open_dataset

    return open_dataset(source, model.input, progress=progress_by(tell))


def _spoken(name: str) -> str:
    return name.replace("_", " ").lower()
