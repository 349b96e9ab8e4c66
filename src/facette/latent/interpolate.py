"""From one photo to another through the latent space, or through several, or across the field between four.

Enters: a model (or its name) and photos. Leaves: an `Interpolation`, whose stations are the photos, or a `Field`.
Knows nothing of attributes or of how realistic the places on the way are.

Legend: P photos, T steps, R rows, C columns, Z latents, W side of the pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.errors import UsageError, check_count
from facette.latent.details import Details
from facette.latent.drawing import Drawing, draw, plan_drawing, shown
from facette.latent.inputs import Picture, gradient_model, resolve_drawer
from facette.latent.paths import (
    Curve,
    Decode,
    Floats,
    Method,
    check_method,
    curve,
    equal_places,
    polyline,
    step_lengths,
    unevenness,
)
from facette.latent.photo import PhotoInput, PhotoSource, take_photo
from facette.latent.points import Latents
from facette.latent.sheets import Film, Result, footer
from facette.model.interface import DrawingModel
from facette.progress import Advance, unheard

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet
    from facette.latent.paths import Geodesic

CORNERS = 4


@dataclass(frozen=True, slots=True)
class Interpolation(Film):
    """A path of pictures; its stations, the first and the last among them, are the photos, or what the model makes of
    them."""

    photos: Picture  # (P, W, W, 3)
    pictures: Picture  # (T, W, W, 3)
    latents: Latents  # (T, Z)
    stations: tuple[int, ...]  # which of the pictures are at the photos' own latents, P of them
    method: Method
    equal_steps: bool
    geodesics: "tuple[Geodesic, ...]"  # P − 1 of them for method "geodesic", else none
    model: str
    drawing: Drawing
    remark: str = ""  # a line under the sheet, such as what was done to the photos

    @property
    def step_lengths(self) -> np.ndarray:
        """Root mean squared difference of neighbouring pictures in steps of 255, (T − 1,)."""
        return step_lengths(self.pictures)

    @property
    def unevenness(self) -> float:
        """Coefficient of variation of the steps' lengths: 0 when every step looks equally long."""
        return unevenness(self.step_lengths)

    def sheet(self) -> "Sheet":
        """A row for each two photos, which stand framed around the path between them."""
        from facette.images.sheets.grid import Cell, SheetRow, contact_sheet

        rows = []
        for leg, (first, last) in enumerate(pairwise(self.stations)):
            steps = [
                Cell(self.pictures[place], f"{(place - first) / (last - first):.2f}")
                for place in range(first, last + 1)
            ]
            before, after = Cell(self.photos[leg], "from", True), Cell(self.photos[leg + 1], "to", True)
            rows.append(SheetRow([before, *steps, after]))
        count, legs = len(self.pictures), len(rows)
        title = (
            f"{count} steps from one photo to another"
            if legs == 1
            else f"{count} steps through {legs + 1} photos"
        )
        even = ["equal steps"] if self.equal_steps else []
        subtitle = " · ".join([self.method, *even, self.model])
        widest = max(len(row.cells) for row in rows)
        return contact_sheet(
            rows,
            title=title,
            subtitle=subtitle,
            footer=footer(self.drawing, self.remark),
            wrap=min(widest, 14),
        )

    def settings(self) -> dict[str, Any]:
        settings = {"made": "interpolate", "model": self.model, "photos": len(self.photos)}
        settings |= {"steps": len(self.pictures), "method": self.method, "equal_steps": self.equal_steps}
        return {**settings, **self.drawing.settings()}


@dataclass(frozen=True, slots=True)
class Field(Result):
    """Pictures between four photos, which, or whose reconstructions, are the corners."""

    photos: Picture  # (4, W, W, 3): top left, top right, bottom left, bottom right
    pictures: Picture  # (R·C, W, W, 3), row after row
    latents: Latents  # (R·C, Z)
    rows: int
    columns: int
    method: Method
    model: str
    drawing: Drawing
    remark: str = ""

    def sheet(self) -> "Sheet":
        """The field, its corners framed."""
        from facette.images.sheets.grid import Cell, SheetRow, contact_sheet

        ends = {0, self.columns - 1, (self.rows - 1) * self.columns, self.rows * self.columns - 1}
        cells = [Cell(picture, framed=place in ends) for place, picture in enumerate(self.pictures)]
        rows = [SheetRow(cells[i : i + self.columns]) for i in range(0, len(cells), self.columns)]
        subtitle = f"{self.method} · {self.model}"
        return contact_sheet(
            rows,
            title="Between four photos",
            subtitle=subtitle,
            footer=footer(self.drawing, self.remark),
            wrap=self.columns,
        )

    def settings(self) -> dict[str, Any]:
        settings = {"made": "field", "model": self.model, "method": self.method}
        return {**settings, "rows": self.rows, "columns": self.columns, **self.drawing.settings()}


def interpolate(
    model: DrawingModel | str | Path,
    *photos: PhotoSource,
    steps: int = 10,
    method: Method = "linear",
    equal_steps: bool = False,
    details: Details = "photo",
    side: int | None = None,
    progress: Advance = unheard,
) -> Interpolation:
    """From photo to photo, with `steps` pictures from each to the next, both ends included.

    "linear", "slerp" and "norm" as in `facette.latent.paths.curve`; "geodesic" as in `facette.latent.geodesic`, some
    seconds for each two photos. `equal_steps`: all steps look equally long (as root mean squared difference of
    pictures); the same number of pictures is then shared among the legs by their lengths.
    `details` and `side` as `vary` takes them: each photo's own details show near it, in between the model draws.
    `progress` is called at every step of the search for a geodesic; what it raises ends it.

    Raises UsageError for fewer than 2 photos or steps, or an unknown method.
    """
    check_count(steps, least=2, what="The number of steps")
    check_method(method)
    if len(photos) < 2:
        raise UsageError(f"a path needs at least 2 photos, got {len(photos)}.")
    model = gradient_model(model, "a geodesic") if method == "geodesic" else resolve_drawer(model)
    inputs = [take_photo(model, photo) for photo in photos]
    drawing = plan_drawing(model, inputs, details, side)
    means = np.concatenate([photo.mean for photo in inputs])  # (P, Z)
    geodesics = tuple(_geodesics(model, means, progress)) if method == "geodesic" else ()
    legs = [polyline(g.knots) for g in geodesics] or [curve(a, b, method) for a, b in pairwise(means)]
    legs = [_weighed(leg, number, len(inputs)) for number, leg in enumerate(legs)]
    way, stations = _walk(legs, _look(model, drawing, inputs), steps, equal_steps)
    latents, weights = way[:, : model.latent].copy(), way[:, model.latent :]
    for station, mean in zip(stations, means, strict=True):
        latents[station] = mean  # to the bit, whatever way led there
    pictures = draw(model, latents, drawing, inputs, weights)
    originals = np.stack([shown(photo, drawing) for photo in inputs])
    return Interpolation(
        originals, pictures, latents, stations, method, equal_steps, geodesics, model.name, drawing
    )


def field(
    model: DrawingModel | str | Path,
    photos: Sequence[PhotoSource],
    rows: int = 5,
    columns: int = 5,
    method: Method = "linear",
    details: Details = "photo",
    side: int | None = None,
) -> Field:
    """`rows` × `columns` pictures between four photos: top left, top right, bottom left, bottom right.

    The left and the right edge are paths, and every row is one between them. Raises UsageError for another number of
    photos, fewer than 2 rows or columns, and for method "geodesic", which has no way of its own inside a field.
    """
    for name, count in (("rows", rows), ("columns", columns)):
        check_count(count, least=2, what=f"The number of {name}")
    if len(photos) != CORNERS:
        raise UsageError(f"a field lies between exactly {CORNERS} photos, got {len(photos)}.")
    if method == "geodesic":
        raise UsageError("a field has no geodesic: use linear, slerp or norm.")
    check_method(method)
    model = resolve_drawer(model)
    inputs = [take_photo(model, photo) for photo in photos]
    drawing = plan_drawing(model, inputs, details, side)
    means = np.concatenate([photo.mean for photo in inputs])  # (4, Z)
    down, across = (np.linspace(0, 1, count, dtype=np.float32) for count in (rows, columns))
    left, right = curve(means[0], means[2], method)(down), curve(means[1], means[3], method)(down)
    # (R·C, Z)
    latents = np.concatenate([curve(a, b, method)(across) for a, b in zip(left, right, strict=True)])
    low, right_hand = (np.repeat(np.linspace(0, 1, rows), columns), np.tile(np.linspace(0, 1, columns), rows))
    weights = np.stack(
        [(1 - low) * (1 - right_hand), (1 - low) * right_hand, low * (1 - right_hand), low * right_hand], 1
    )
    pictures = draw(model, latents, drawing, inputs, weights)
    originals = np.stack([shown(photo, drawing) for photo in inputs])
    return Field(originals, pictures, latents, rows, columns, method, model.name, drawing)


def _geodesics(model: Any, means: Latents, progress: Advance) -> "list[Geodesic]":
    from facette.latent.geodesic import find_geodesic

    return [find_geodesic(model, a, b, progress=progress) for a, b in pairwise(means)]


def _weighed(leg: Curve, number: int, photos: int) -> Curve:
    """The leg, and beside each latent (Z,) the weight of every photo (P,): (T, Z + P)."""

    def at(along: Floats) -> Floats:
        weights = np.zeros((len(along), photos), np.float32)
        weights[:, number], weights[:, number + 1] = 1 - along, along
        return np.concatenate([leg(along), weights], axis=1)

    return at


def _look(model: DrawingModel, drawing: Drawing, photos: Sequence[PhotoInput]) -> Decode:
    """What is seen at places of a way (T, Z + P), at the model's own size."""
    small = replace(drawing, side=drawing.model_side)

    def seen(way: Floats) -> Picture:
        return draw(model, way[:, : model.latent].astype(np.float32), small, photos, way[:, model.latent :])

    return seen


def _walk(legs: list[Curve], look: Decode, steps: int, equal: bool) -> tuple[Floats, tuple[int, ...]]:
    """Latents and weights along the legs (T, Z + P), and the places of their ends."""
    counts = _shared(legs, look, steps) if equal else [steps] * len(legs)
    parts, stations = [], [0]
    for leg, count in zip(legs, counts, strict=True):
        places = equal_places(leg, look, count) if equal else np.linspace(0, 1, count, dtype=np.float32)
        parts.append(leg(places)[1 if parts else 0 :])
        stations.append(stations[-1] + count - 1)
    return np.concatenate(parts), tuple(stations)


def _shared(legs: list[Curve], look: Decode, steps: int) -> list[int]:
    """Pictures for each leg, both ends included: the same in all, shared by length, at least one step for each."""
    along = np.linspace(0, 1, steps, dtype=np.float32)
    lengths = np.array([step_lengths(look(leg(along))).sum() for leg in legs])
    total = len(legs) * (steps - 1)
    if lengths.sum() == 0:
        return [steps] * len(legs)
    spare = lengths / lengths.sum() * (total - len(legs))
    counts = np.floor(spare).astype(int) + 1
    # What rounding down has left goes to the legs that lost most by it.
    for leg in np.argsort(np.floor(spare) - spare, kind="stable")[: total - counts.sum()]:
        counts[leg] += 1
    return [int(count) + 1 for count in counts]
