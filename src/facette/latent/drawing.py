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
from facette.latent.details import (
    Details,
    Values,
    add_change,
    check_details,
    enlarged,
    mix_changes,
    to_bytes,
)
from facette.latent.inputs import Picture
from facette.latent.photo import MOST_SIDE, PhotoInput, check_side, shape_at, unit_values
from facette.latent.points import Latents, means_each
from facette.model.interface import DrawingModel

BATCH = 32  # pictures that are changed at once where there are many
# Shares of the side, from what is hidden: the second stage begins to draw at the one, and draws alone from the other.
NEAR, FAR = 0.09, 0.16
MUCH = 0.4  # of the picture hidden: then the second stage does not draw at all


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
    shares = np.ones((len(latents), len(photos))) if weights is None else weights
    if drawing.details == "model":
        each = zip(latents, shares, strict=True)
        drawn = [drawn_by_model(model, z[None], hidden_of(photos, share)) for z, share in each]
        return enlarge(np.concatenate(drawn), drawing.side)
    canvas, pictures = Canvas.of(model, photos, drawing.side), []
    for latent, share in zip(latents, shares, strict=True):
        known = [photo.decoded for photo in photos if np.array_equal(photo.mean[0], latent)]
        mean = known[0] if known else means_each(model, latent[None])  # (1, 3, S, S)
        between = np.count_nonzero(share) > 1 and model.sharpener is not None
        drawn = drawn_by_model(model, latent[None], hidden_of(photos, share), mean) if between else None
        pictures.append(canvas.paint(unit_values(model, mean)[0], share, model.input.dtype, drawn))
    return np.stack(pictures)


def change_frames(
    model: DrawingModel,
    frames: Picture,
    before: NDArray[np.float32],
    latents: Latents,
    unseen: NDArray[np.bool_] | None = None,
) -> Picture:
    """Photos (N, W, W, C) with the changes from their means `before` (N, C, S, S) to latents (N, Z); `unseen`
    (N, W, W): what they do not show."""
    hidden = [None] * len(frames) if unseen is None else unseen
    changed = []
    for first in range(0, len(frames), BATCH):
        rows = slice(first, first + BATCH)
        changes = zip(
            as_unit(frames[rows], np.float32),
            unit_values(model, before[rows]),
            unit_values(model, model.decode_mean(latents[rows])),
            hidden[rows],
            strict=True,
        )
        changed += [to_bytes(add_change(*change), str(frames.dtype)) for change in changes]
    return np.stack(changed)


def hidden_of(photos: Sequence[PhotoInput], shares: NDArray[np.floating[Any]]) -> NDArray[np.bool_] | None:
    """What the encoder was not shown of those photos that have a share, (S, S); None: nothing."""
    return _joined_masks([photo.hidden for photo in photos], shares)


def _joined_masks(
    masks: Sequence[NDArray[np.bool_] | None], shares: NDArray[np.floating[Any]]
) -> NDArray[np.bool_] | None:
    """What any of the masks that have a share covers; None: nothing."""
    known = [mask for mask, share in zip(masks, shares, strict=True) if mask is not None and share]
    return np.any(known, axis=0) if known else None


def drawn_by_model(
    model: DrawingModel,
    latents: Latents,
    hidden: NDArray[np.bool_] | None = None,
    means: NDArray[np.float32] | None = None,
) -> Picture:
    """What the model makes of latents (N, Z) by itself, (N, S, S, C). `means`: theirs, where they are known.

    What the encoder was not shown, `hidden` (S, S), and what lies near it is the first stage's alone: no photo ever
    told the second one what belongs there, and it draws stripes. The more is hidden the less it knows of the rest.
    """
    means = means_each(model, latents) if means is None else means
    share = None if hidden is None or model.sharpener is None else _sharp_share(hidden)
    if share is not None and not share.any():
        return to_bytes(unit_values(model, means), model.input.dtype)
    pairs = zip(means, latents, strict=True)
    sharp = np.concatenate([model.finish(mean[None], latent[None]) for mean, latent in pairs])
    if share is None:
        return sharp
    plain = unit_values(model, means)
    mixed = (plain + share * (as_unit(sharp, np.float32) - plain)).astype(np.float32, copy=False)
    return to_bytes(mixed, str(sharp.dtype))


def _sharp_share(hidden: NDArray[np.bool_]) -> Values:
    """How much of each place the second stage draws, (S, S, 1), where the encoder was not shown what is `hidden`."""
    import cv2

    away = cv2.distanceTransform((~hidden).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near = np.clip((away / max(hidden.shape) - NEAR) / (FAR - NEAR), 0, 1)
    share: Values = (near * max(0.0, 1 - float(hidden.mean()) / MUCH)).astype(np.float32)
    return share[:, :, None]


def shown(photo: PhotoInput, drawing: Drawing) -> Picture:
    """The photo beside pictures that were drawn like this: (W, W, C)."""
    if drawing.side == max(photo.picture.shape[:2]):
        return photo.picture
    return to_bytes(photo.frame(drawing.side), str(photo.picture.dtype))


def reconstruction_of(model: DrawingModel, photo: PhotoInput, drawing: Drawing) -> Picture:
    """The photo's decoded mean (S, S, C): of the first stage alone where the photo's own details are kept."""
    if drawing.details == "photo":
        return to_bytes(unit_values(model, photo.decoded), model.input.dtype)[0]
    return enlarge(drawn_by_model(model, photo.mean, photo.hidden, photo.decoded), drawing.side)[0]


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

    def paint(
        self, after: Values, shares: NDArray[np.floating[Any]], dtype: str, drawn: Picture | None = None
    ) -> Picture:
        """(W, W, C): the photos, mixed by their shares (P,), changed from their drawings to `after` (S, S, C); between
        several of them the model draws, `drawn` (1, S, S, C)."""
        unseen = _joined_masks(self.unseen, shares)
        between = None if drawn is None else as_unit(drawn, np.float32)[0]
        return to_bytes(mix_changes(self.frames, self.before, after, shares, unseen, between), dtype)
