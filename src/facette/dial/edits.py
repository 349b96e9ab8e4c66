"""How strong an edit must be: tried on photos, looked at by the network of attributes and the judge of who.

Enters: a model that knows directions, and photos. Leaves: a `Worth` for each attribute and way, for the model file.
The judges only look on; no loss ever sees them. Knows nothing of model files.

Legend: P photos, Q of them that an edit can change, Z latents, W side of the photos.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from facette.dial.curves import EncodedPhotos, JudgedPhotos
from facette.judges.attributes import ATTRIBUTES, extract
from facette.judges.identity import available, describe, speaks_for
from facette.latent.directions import Directions
from facette.latent.drawing import change_frames
from facette.latent.edit import find_shift
from facette.latent.points import Latents
from facette.latent.worth import SEEN, SIGN, WAYS, Way, Worth
from facette.measures.identity import distances
from facette.model.interface import DrawingModel
from facette.progress import Advance, unheard

STRENGTHS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)
FEWEST = 10  # photos that an edit can change; fewer say nothing


@dataclass(frozen=True, slots=True)
class EditedPhotos:
    """Photos with what edits of them are drawn from and looked at with."""

    photos: EncodedPhotos  # judged, where somebody can say who they are
    logits: NDArray[np.float32]  # (P, 40), of the photos
    strangers: float  # the distance that 1 % of pairs of different people are below

    @classmethod
    def of(
        cls, model: DrawingModel, frames: NDArray[np.uint8], people: NDArray[np.integer] | None = None
    ) -> EditedPhotos:
        """From frames (P, W, W, 3) at the model's size or larger; `people` (P,): whose they are."""
        logits = extract(frames).logits
        if available() and speaks_for(model.input.frame) is not None:
            judged = JudgedPhotos.of(model, frames)
            return cls(judged, logits, judged.strangers(people))
        return cls(EncodedPhotos.of(model, frames), logits, 0.0)

    def changed(self, model: DrawingModel, rows: NDArray[np.integer], shift: Latents) -> NDArray[np.uint8]:
        """The photos of these rows, their latents moved by `shift` (Z,), with their own details: (Q, W, W, 3)."""
        photos = self.photos
        return change_frames(model, photos.frames[rows], photos.before[rows], photos.mean[rows] + shift)

    def same(self, rows: NDArray[np.integer], pictures: NDArray[np.uint8]) -> float | None:
        """The share of these rows that are still the same person in their pictures."""
        if not isinstance(self.photos, JudgedPhotos):
            return None
        apart = distances(describe(pictures, self.photos.box), self.photos.who[rows])
        return round(float((apart < self.strangers).mean()), 4)


def measure_edits(
    model: DrawingModel,
    directions: Directions,
    photos: EditedPhotos,
    strengths: Sequence[float] = STRENGTHS,
    advance: Advance = unheard,
) -> dict[str, dict[Way, Worth]]:
    """What every attribute that the network of attributes knows is worth, raised and lowered.

    Each is a `measure_edit`; a way that too few photos could go is left out. `advance(1)` is called after every
    attribute.
    """
    worth: dict[str, dict[Way, Worth]] = {}
    for name in directions.names:
        if name in ATTRIBUTES:
            worth[name] = {}
            for way in WAYS:
                figure = measure_edit(model, directions, photos, name, way, strengths)
                if figure is not None:
                    worth[name][way] = figure
        advance(1)
    return worth


def measure_edit(
    model: DrawingModel,
    directions: Directions,
    photos: EditedPhotos,
    name: str,
    way: Way,
    strengths: Sequence[float],
) -> Worth | None:
    """What one attribute is worth one way, tried on the photos in which the network sees the opposite; None for too
    few such. Kept is the least of the `strengths`, which rise, at which it sees the change in 80 of 100, or else the
    one at which it sees most."""
    place, sign = ATTRIBUTES.index(name), SIGN[way]
    rows = np.flatnonzero((photos.logits[:, place] > 0) != (sign > 0))
    if len(rows) < FEWEST:
        return None

    @cache
    def pictures(strength: float) -> NDArray[np.uint8]:
        shift = find_shift(directions, {name: sign * strength}).latent.astype(np.float32)
        return photos.changed(model, rows, shift)

    @cache
    def seen(strength: float) -> float:
        return float(((extract(pictures(strength)).logits[:, place] > 0) == (sign > 0)).mean())

    coarse = strengths[::-1][::3]
    strength = next((strength for strength in coarse if seen(strength) >= SEEN), None)
    if strength is None:
        strength = max(coarse, key=seen)
    else:  # the least below it that is seen as well, as far as more is seen more
        below = strengths[: strengths.index(strength) + 1]
        strength = below[bisect_left(below, SEEN, key=seen)]
    return Worth(strength, round(seen(strength), 4), photos.same(rows, pictures(strength)), len(rows))
