"""One latent, or one main axis of the data, at a time: what each of them draws.

Enters: a model, its data's `Cloud`, and a photo or none. Leaves: a `Traversal`, a row of pictures for each latent,
those that say most about a picture first, or for each main axis, the widest first.

Legend: R rows, T steps, Z latents, W side of the pictures.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from facette.errors import UsageError, check_count
from facette.latent.cloud import Cloud, Doubles, known_cloud
from facette.latent.details import Details
from facette.latent.directions import FIGURES, known_directions
from facette.latent.drawing import Drawing, draw, plan_drawing, shown
from facette.latent.inputs import Picture, image_size, resolve_drawer
from facette.latent.photo import PhotoSource, take_photo
from facette.latent.points import Latents
from facette.latent.sheets import Result, footer, signed
from facette.model.interface import DrawingModel

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet

Along = Literal["latents", "axes"]

TELLING = 0.2  # correlation from which an attribute is named beside a direction


@dataclass(frozen=True, slots=True)
class TraversalRow:
    """One direction that is walked along."""

    direction: Doubles  # (Z,): one standard deviation of the data along it
    name: str  # "latent 17" or "axis 1"
    figure: float  # nats of the latent, or the axis's share (0…1) of the data's variance
    attribute: str  # the attribute most correlated with it, where one is known and tells enough; else ""
    correlation: float  # with that attribute's score over the data, −1…1

    @property
    def label(self) -> str:
        figure = f"{self.figure:.1f} nats" if self.name.startswith("latent") else f"{100 * self.figure:.1f} %"
        known = [f"{self.attribute.replace('_', ' ')} {self.correlation:+.2f}"] if self.attribute else []
        return " · ".join([self.name, figure, *known])


@dataclass(frozen=True, slots=True)
class Traversal(Result):
    """A row for each direction, all from the same place."""

    photo: Picture | None  # (W, W, 3), or None when the middle of the data was taken
    pictures: Picture  # (R·T, W, W, 3), row after row
    latents: Latents  # (R·T, Z)
    rows: tuple[TraversalRow, ...]
    strengths: tuple[float, ...]  # T of them, in standard deviations of the data
    along: Along
    model: str
    drawing: Drawing
    remark: str = ""  # a line under the sheet, such as what was done to the photo

    def sheet(self) -> "Sheet":
        """One labelled row for each direction, under the steps."""
        from facette.images.sheets.grid import Cell, SheetRow, contact_sheet

        steps = len(self.strengths)
        rows = [
            SheetRow([Cell(p) for p in self.pictures[i * steps : (i + 1) * steps]], row.label)
            for i, row in enumerate(self.rows)
        ]
        start = "the photo" if self.photo is not None else "the middle of the data"
        title = "Latent by latent" if self.along == "latents" else "Along the main axes of the data"
        return contact_sheet(
            rows,
            title=title,
            subtitle=f"from {start}, in standard deviations of the data · {self.model}",
            footer=footer(self.drawing, self.remark),
            columns=[signed(strength) for strength in self.strengths],
            photo=None if self.photo is None else Cell(self.photo, "photo", framed=True),
            wrap=steps,
        )

    def settings(self) -> dict[str, Any]:
        settings = {"made": "traverse", "model": self.model, "along": self.along}
        settings |= {"rows": [row.name for row in self.rows], "strengths": list(self.strengths)}
        return {**settings, **self.drawing.settings()}


def traverse(
    model: DrawingModel | str | Path,
    picture: PhotoSource | None = None,
    along: Along = "latents",
    rows: int = 8,
    steps: int = 7,
    reach: float = 3.0,
    cloud: Cloud | None = None,
    details: Details = "photo",
    side: int | None = None,
) -> Traversal:
    """Walk from −`reach` to `reach` standard deviations along each of `rows` directions, from a photo or the middle.

    `along`: "latents" sorted by the nats they spend on a picture (their mean KL divergence), or "axes", the principal
    directions of the aggregate posterior. `cloud`: where the data lie, if not what the model's file says. Rows carry
    the attribute most correlated with them where the model knows attributes. `details` and `side` as `vary` takes them,
    for a walk from a photo; one from the middle of the data is drawn by the model.

    Raises UsageError for an unknown `along`, fewer than 1 row or 2 steps, a reach that is not above 0, and where
    nothing is known of the data.
    """
    if along not in get_args(Along):
        raise UsageError(f"unknown directions {along!r}: use 'latents' or 'axes'.")
    check_count(rows, what="The number of rows")
    check_count(steps, least=2, what="The number of steps")
    if not 0 < reach < float("inf"):
        raise UsageError(f"reach must be a number above 0, got {reach!r}.")
    model = resolve_drawer(model)
    image_size(model)
    cloud = cloud or known_cloud(model)
    chosen = ranked(model, cloud, along)[:rows]
    inputs = [] if picture is None else [take_photo(model, picture)]
    drawing = plan_drawing(model, inputs, details if inputs else "model", side)
    start = inputs[0].mean[0].astype(np.float64) if inputs else cloud.mean  # (Z,)
    strengths = tuple(round(float(s), 9) for s in np.linspace(-reach, reach, steps))
    walked = [start + s * row.direction for row in chosen for s in strengths]
    latents = np.stack(walked).astype(np.float32)  # (R·T, Z)
    pictures = draw(model, latents, drawing, inputs)
    photo = shown(inputs[0], drawing) if inputs else None
    return Traversal(photo, pictures, latents, chosen, strengths, along, model.name, drawing)


def ranked(model: DrawingModel, cloud: Cloud, along: Along) -> tuple[TraversalRow, ...]:
    """All Z directions, the most telling first."""
    if along == "latents":
        order = np.argsort(-cloud.rate, kind="stable")
        units, figures = np.eye(len(cloud.mean))[order], cloud.rate[order]
        names = [f"latent {place}" for place in order.tolist()]
    else:
        variances, units = cloud.axes()
        figures, names = variances / variances.sum(), [f"axis {n}" for n in range(1, len(units) + 1)]
    spread = units @ cloud.covariance  # (Z, Z): covariance of each coordinate with the latents
    widths = np.sqrt((spread * units).sum(axis=1))  # (Z,)
    captions = _captions(model, spread / widths[:, None])
    return tuple(
        TraversalRow(unit * width, name, float(figure), *caption)
        for unit, width, name, figure, caption in zip(units, widths, names, figures, captions, strict=True)
    )


def _captions(model: DrawingModel, covariances: Doubles) -> list[tuple[str, float]]:
    """For each standardised coordinate the attribute whose score correlates most with it, and how much."""
    if FIGURES not in model.metrics:
        return [("", 0.0)] * len(covariances)
    directions = known_directions(model)
    correlations = covariances @ directions.normals.T  # (Z, A); scores have unit variance
    best = np.abs(correlations).argmax(axis=1)
    strongest = correlations[np.arange(len(best)), best].tolist()
    return [
        (directions.names[b], strength) if abs(strength) >= TELLING else ("", 0.0)
        for b, strength in zip(best.tolist(), strongest, strict=True)
    ]
