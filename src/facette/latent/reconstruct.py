"""What a model makes of photos, and of nothing at all: reconstructions and samples.

Enters: a model (or its name), photos or a seed. Leaves: `Reconstructions` or `Samples`.

Legend: N pictures, Z latents, S side of a picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from facette.errors import UsageError, check_count
from facette.latent.drawing import Drawing, enlarge, plan_drawing, reconstruction_of, shown
from facette.latent.inputs import Picture, resolve_drawer
from facette.latent.photo import PhotoSource, take_photo
from facette.latent.points import Latents
from facette.latent.sheets import Result, even_columns, footer, save_pictures, save_points
from facette.model.conditions import Values
from facette.model.interface import DrawingModel, PriorName

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet


@dataclass(frozen=True, slots=True)
class Reconstructions(Result):
    """Photos and what the model keeps of them: the decoded posterior means."""

    photos: Picture  # (N, S, S, 3)
    pictures: Picture  # (N, S, S, 3)
    latents: Latents  # (N, Z) posterior means
    scales: Latents  # (N, Z) posterior σ
    model: str
    drawing: Drawing
    remark: str = ""  # a line under the sheet, such as what was done to the photos

    def sheet(self) -> "Sheet":
        """Each photo above its reconstruction."""
        from facette.images.sheets.grid import pair_sheet

        labels = ("photo", "reconstruction")
        line = footer(self.drawing, self.remark)
        texts = {"title": "Reconstructions", "subtitle": self.model, "footer": line}
        return pair_sheet(list(self.photos), list(self.pictures), labels, **texts)

    def settings(self) -> dict[str, Any]:
        settings = {"made": "reconstruct", "model": self.model, "count": len(self.pictures)}
        return {**settings, **self.drawing.settings()}


@dataclass(frozen=True, slots=True)
class Samples(Result):
    """Pictures of nobody, or points of a model of vectors, decoded from draws of a prior."""

    pictures: Picture  # (N, S, S, 3), or float32 points (N, D)
    latents: Latents  # (N, Z)
    prior: PriorName
    temperature: float
    seed: int
    model: str
    drawing: Drawing | None = None  # of points there is none

    def sheet(self) -> "Sheet":
        """All samples in a block; UsageError for points."""
        from facette.images.sheets.grid import wall_sheet

        if not self.are_pictures:
            raise UsageError("points have no sheet: save them to a file that ends in .csv")
        warmth = "" if self.temperature == 1 else f" · temperature {self.temperature:g}"
        subtitle = f"{self.prior} prior · {self.model} · seed {self.seed}{warmth}"
        title, columns = f"{len(self.pictures)} samples", even_columns(len(self.pictures))
        line = "" if self.drawing is None else self.drawing.words
        return wall_sheet(list(self.pictures), title=title, subtitle=subtitle, wrap=columns, footer=line)

    def settings(self) -> dict[str, Any]:
        settings = {"made": "sample", "model": self.model, "count": len(self.pictures)}
        drawn = {} if self.drawing is None else self.drawing.settings()
        return {**settings, "prior": self.prior, "temperature": self.temperature, "seed": self.seed, **drawn}

    def save(self, path: str | Path) -> Path:
        """Write the sheet, or points as CSV, one row each; returns the path."""
        if not self.are_pictures:
            return save_points(self.pictures, path)
        return Result.save(self, path)

    def save_each(self, directory: str | Path) -> list[Path]:
        """Write every picture by itself; UsageError for points."""
        if not self.are_pictures:
            raise UsageError("points are not written one by one: leave `each` away")
        return save_pictures(self.pictures, directory, self.settings_of)

    @property
    def are_pictures(self) -> bool:
        return self.pictures.ndim == 4


def reconstruct(
    model: DrawingModel | str | Path,
    pictures: PhotoSource | Sequence[PhotoSource],
    side: int | None = None,
) -> Reconstructions:
    """What the model keeps of one photo or of several.

    `model` is a loaded model or its name; each picture a file, a Pillow image or a uint8 RGB array. `side`: pixels that
    the pictures are enlarged to. Raises UsageError for no picture, and a side below the model's own or above 1,024.
    """
    model = resolve_drawer(model)
    several = isinstance(pictures, list | tuple) or (isinstance(pictures, np.ndarray) and pictures.ndim == 4)
    many = cast(Sequence[PhotoSource], pictures if several else [pictures])
    photos = [take_photo(model, picture) for picture in many]
    if not photos:
        raise UsageError("no picture was given: name at least one.")
    drawing = plan_drawing(model, photos, "model", side)
    return Reconstructions(
        np.stack([shown(photo, drawing) for photo in photos]),
        np.stack([reconstruction_of(model, photo, drawing) for photo in photos]),
        np.concatenate([photo.mean for photo in photos]),
        np.concatenate([photo.scale for photo in photos]),
        model.name,
        drawing,
    )


def sample(
    model: DrawingModel | str | Path,
    count: int = 20,
    seed: int = 0,
    prior: PriorName | None = None,
    temperature: float = 1.0,
    condition: Values | None = None,
    side: int | None = None,
) -> Samples:
    """Pictures of nobody: draws of the prior, decoded.

    `prior` is "fitted" (the Gaussian mixture fitted to the latents after training), "normal" (the one the model
    was trained with) or None: fitted where the model has it. `temperature` scales the distance of every draw
    from its centre (zero, or the mean of the mixture component most responsible for it): below 1 the pictures
    become more ordinary, above 1 bolder; 1 is the prior itself.

    `condition`: values by the names of the model's conditions, such as {"digit": 7}; what is not said of a draw is as
    frequent as in the data. `side`: pixels that the pictures are enlarged to.

    Raises UsageError for a count below 1, a temperature that is negative or infinite, an unknown prior, a fitted prior
    where the model has none, a condition that the model is not told, or a side below the model's own or above 1,024.
    """
    check_count(count)
    if prior not in (None, "fitted", "normal"):
        raise UsageError(f"unknown prior {prior!r}: use 'fitted' or 'normal'.")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise UsageError(f"temperature must be a number of at least 0, got {temperature!r}.")
    model = resolve_drawer(model)
    vectors = model.input.kind == "vector"
    drawing = None if vectors else plan_drawing(model, (), "model", side)
    chosen: PriorName = prior or ("fitted" if model.fitted_prior is not None else "normal")
    latents = np.asarray(model.sample_latents(count, seed, chosen, temperature, condition))  # (N, Z)
    # A picture is shown as the mean of p(x|z); a point is a draw of it, or the points' density would be another.
    if drawing is None:
        points = cast(Any, model).draw(latents, seed)
        return Samples(points, latents, chosen, float(temperature), seed, model.name)
    pictures = enlarge(model.decode(latents), drawing.side)
    return Samples(pictures, latents, chosen, float(temperature), seed, model.name, drawing)
