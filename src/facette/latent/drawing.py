"""Latents become pictures: with the details of the photos that they started from, or as the model draws by itself.

Enters: a model, photos that were taken in, latents. Leaves: pictures of one size, and a `Drawing` that says how they
came about. The sum that keeps details is written in `details`; here is decided what goes into it. Knows nothing of
how latents were found.

Legend: N pictures, P photos, Z latents, C channels; S × S pixels of the model's pictures and W × W of the result's. Of
pictures that are no squares, these sides are the longer ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facette.images.convert import as_unit
from facette.latent.details import Details, Values, add_change, check_details, enlarged, to_bytes
from facette.latent.inputs import Picture
from facette.latent.photo import MOST_SIDE, PhotoInput, check_side, shape_at, unit_values
from facette.latent.points import Latents, decode_each, means_each
from facette.model.interface import DrawingModel


@dataclass(frozen=True, slots=True)
class Drawing:
    """Whose details the pictures of a result have, and at which size."""

    details: Details
    side: int  # W
    model: str
    model_side: int  # S

    @property
    def words(self) -> str:
        """As sheets and files say it."""
        if self.details == "model":
            larger = "" if self.side == self.model_side else f", enlarged to {self.side}"
            return f"drawn by {self.model} at {self.model_side} pixels{larger}; synthetic"
        change = f"the change drawn by {self.model} at {self.model_side} pixels"
        return f"the photo's own details; {change}; synthetic"

    def settings(self) -> dict[str, Any]:
        return {"details": self.details, "side": self.side, "synthetic": True, "drawn": self.words}


def plan_drawing(
    model: DrawingModel,
    photos: Sequence[PhotoInput],
    details: Details = "photo",
    side: int | None = None,
    most: int = MOST_SIDE,
) -> Drawing:
    """At which size to draw: of several photos the smallest decides. What the model draws by itself has its own size,
    unless a larger one is wished.

    Raises UsageError for unknown details, and for a side that cannot be drawn.
    """
    check_details(details)
    size = model.input.longest
    if details == "photo":
        return Drawing(details, min(photo.side(side, most) for photo in photos), model.name, size)
    return Drawing(details, size if side is None else check_side(side, size), model.name, size)


def draw(
    model: DrawingModel,
    latents: Latents,
    drawing: Drawing,
    photos: Sequence[PhotoInput],
    weights: NDArray[np.floating[Any]] | None = None,
) -> Picture:
    """The picture of every latent (N, Z): (N, W, W, C).

    `weights` (N, P): the share of each photo's details in each picture; not needed for a single photo.
    """
    if drawing.details == "model":
        return enlarge(decode_each(model, latents), drawing.side)
    shares = np.ones((len(latents), 1)) if weights is None else weights
    canvas, pictures = Canvas.of(model, photos, drawing.side), []
    for latent, share in zip(latents, shares, strict=True):
        known = [photo.decoded for photo in photos if np.array_equal(photo.mean[0], latent)]
        mean = known[0] if known else means_each(model, latent[None])  # (1, 3, S, S)
        pictures.append(canvas.paint(unit_values(model, mean)[0], share, model.input.dtype))
    return np.stack(pictures)


def change_frames(
    model: DrawingModel,
    frames: Picture,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    unseen: NDArray[np.bool_] | None = None,
) -> Picture:
    """Photos (N, W, W, C) with the changes from means to means, (N, C, S, S) each, in the same places; `unseen`
    (N, W, W): what they do not show."""
    values = as_unit(frames, np.float32)
    hidden = [None] * len(frames) if unseen is None else unseen
    changes = zip(values, unit_values(model, before), unit_values(model, after), hidden, strict=True)
    return np.stack([to_bytes(add_change(*change), str(frames.dtype)) for change in changes])


def shown(photo: PhotoInput, drawing: Drawing) -> Picture:
    """The photo beside pictures that were drawn like this: (W, W, C)."""
    if drawing.side == max(photo.picture.shape[:2]):
        return photo.picture
    return to_bytes(photo.frame(drawing.side), str(photo.picture.dtype))


def reconstruction_of(model: DrawingModel, photo: PhotoInput, drawing: Drawing) -> Picture:
    """The photo's decoded mean (S, S, C): of the first stage alone where the photo's own details are kept."""
    if drawing.details == "photo":
        return to_bytes(unit_values(model, photo.decoded), model.input.dtype)[0]
    return enlarge(model.finish(photo.decoded, photo.mean), drawing.side)[0]


def enlarge(pictures: Picture, side: int) -> Picture:
    """Pictures (N, H, W, C) with a longer side of so many pixels, bicubic; the very same where they have that."""
    shape = shape_at(pictures.shape[1:3], side)
    if shape == pictures.shape[1:3]:
        return pictures
    values = as_unit(pictures, np.float32)
    return np.stack([to_bytes(enlarged(picture, shape), str(pictures.dtype)) for picture in values])


@dataclass(frozen=True, slots=True)
class Canvas:
    """Photos at one size, and the model's mean drawings of them."""

    frames: Values  # (P, W, W, C)
    before: Values  # (P, S, S, C)
    unseen: tuple[NDArray[np.bool_] | None, ...]  # P of (W, W)

    @classmethod
    def of(cls, model: DrawingModel, photos: Sequence[PhotoInput], side: int) -> "Canvas":
        frames = np.stack([photo.frame(side) for photo in photos])
        before = np.concatenate([unit_values(model, photo.decoded) for photo in photos])
        return cls(frames, before, tuple(photo.unseen(side) for photo in photos))

    def paint(self, after: Values, shares: NDArray[np.floating[Any]], dtype: str) -> Picture:
        """(W, W, C): the photos, mixed by their shares (P,), changed from the mixed drawings to `after` (S, S, C)."""
        if len(self.frames) == 1:
            return to_bytes(add_change(self.frames[0], self.before[0], after, self.unseen[0]), dtype)
        weights = np.asarray(shares, np.float32)
        frame, before = (np.tensordot(weights, values, axes=1) for values in (self.frames, self.before))
        hidden = [
            mask for mask, weight in zip(self.unseen, weights, strict=True) if mask is not None and weight
        ]
        return to_bytes(add_change(frame, before, after, np.any(hidden, axis=0) if hidden else None), dtype)
