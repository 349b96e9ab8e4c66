"""What a strength does to who a relative is: the curves that `facette.latent.levels` reads off, measured.

Enters: a model, photos of faces in its frame at one size, a noise, and whose details are kept. Leaves: a `Curve`.
The judge of who a face is looks on; it chooses nothing and no loss ever sees it. Knows nothing of model files.

Legend: P photos, N relatives of each, F strengths, Z latents, S side of the model's pictures, W of the photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.images.warp import at_side
from facette.judges.identity import FaceBox, describe, speaks_for
from facette.latent.details import Details
from facette.latent.drawing import change_frames, enlarge
from facette.latent.levels import Curve
from facette.latent.noise import Noise
from facette.latent.points import Latents
from facette.latent.vary import latents_beside, variation_seeds
from facette.measures.identity import accept_threshold, distances
from facette.model.interface import DrawingModel
from facette.progress import Advance, unheard

JUDGED = 128  # side of the pictures that distances are measured at, whatever the model's and the photo's
FARTHEST = 0.6  # median distance, where the strengths end
SEARCHED = 8  # photos that the last strength is found with
STRENGTHS = 8  # beside 0
CLOSER = 1.5  # power of their spacing
LARGEST = 64.0  # strength, where they end at the latest
STEP = 1.5  # from one strength that is tried as the last to the next
FIRST = {"people": 0.75, "posterior": 4.0}  # strengths that the search begins with


@dataclass(frozen=True, slots=True)
class EncodedPhotos:
    """Photos with everything that others are drawn from."""

    frames: NDArray[np.uint8]  # (P, W, W, 3)
    mean: Latents  # (P, Z)
    scale: Latents  # (P, Z)
    before: NDArray[np.float32]  # (P, 3, S, S): D(μ)

    @classmethod
    def of(cls, model: DrawingModel, frames: NDArray[np.uint8]) -> EncodedPhotos:
        """From frames (P, W, W, 3), W no less than S."""
        posterior = model.encode(at_side(frames, model.input.size))
        mean, scale = (np.asarray(moment, np.float32) for moment in (posterior.mean, posterior.scale))
        return EncodedPhotos(frames, mean, scale, model.decode_mean(mean))


@dataclass(frozen=True, slots=True)
class JudgedPhotos(EncodedPhotos):
    """The same, and who is in them, which others are measured against."""

    who: NDArray[np.float32]  # (P, 128): descriptors
    box: FaceBox

    @classmethod
    def of(cls, model: DrawingModel, frames: NDArray[np.uint8]) -> JudgedPhotos:
        """From frames (P, W, W, 3), W no less than S. Raises UsageError for pictures that the judge does not speak for,
        and MissingExtraError where it is not installed."""
        box = speaks_for(model.input.frame)
        if box is None:
            raise UsageError(
                f"no judge knows who is in the pictures of {model.name!r}: they are not of faces."
            )
        photos = EncodedPhotos.of(model, frames)
        return cls(frames, photos.mean, photos.scale, photos.before, describe(frames, box), box)

    def first(self, count: int) -> JudgedPhotos:
        """The first so many of them."""
        names = ("frames", "mean", "scale", "before", "who")
        return replace(self, **{name: getattr(self, name)[:count] for name in names})

    def strangers(self, people: NDArray[np.integer] | None = None) -> float:
        """The distance that 1 % of pairs of different people are below; without `people` (P,), everybody is another."""
        return accept_threshold(self.who, np.arange(len(self.who)) if people is None else people)


def relatives(
    model: DrawingModel,
    photos: JudgedPhotos,
    noise: Noise,
    details: Details,
    strength: float,
    seeds: Sequence[int],
) -> NDArray[np.uint8]:
    """One relative of each photo, of a seed each: (P, W, W, 3); with the model's own details too, they are enlarged."""
    z = latents_beside(model, photos.mean, photos.scale, seeds, strength, noise)  # (P, Z)
    if details == "model":
        return enlarge(model.decode(z), max(photos.frames.shape[1:3]))
    return change_frames(model, photos.frames, photos.before, z)


def distances_at(
    model: DrawingModel,
    photos: JudgedPhotos,
    noise: Noise,
    details: Details,
    strength: float,
    seeds: Sequence[int],
) -> NDArray[np.float64]:
    """How far one relative of each photo is from it, (P,)."""
    return distances(
        describe(relatives(model, photos, noise, details, strength, seeds), photos.box), photos.who
    )


def measure_curve(
    model: DrawingModel,
    photos: JudgedPhotos,
    noise: Noise,
    details: Details,
    strengths: Sequence[float],
    strangers: float,
    count: int,
    seed: int = 0,
    advance: Advance = unheard,
) -> Curve:
    """The curve over P photos, with N = `count` relatives of each at every strength; the same seeds at all of them.

    `advance(1)` is called after every strength.
    """
    seeds = variation_seeds(seed, count * len(photos.frames))
    medians, shares = [], []
    for strength in strengths:
        rows = [
            distances_at(model, photos, noise, details, strength, seeds[i::count])
            for i in range(count if strength else 1)
        ]
        medians.append(np.median(rows))
        shares.append(np.mean(np.array(rows) < strangers))
        advance(1)
    # Medians of a few hundred relatives rise but for chance, and a strength is read off where they rise.
    return Curve(np.array(strengths), np.maximum.accumulate(medians), np.array(shares), strangers)


def spaced_strengths(
    model: DrawingModel, photos: JudgedPhotos, noise: Noise, seed: int = 0
) -> tuple[float, ...]:
    """0 and eight strengths, up to where relatives with the photo's details are hardly the person any more."""
    some = photos.first(SEARCHED)
    seeds = variation_seeds(seed, len(some.frames))
    last = FIRST[noise]
    while last < LARGEST and np.median(distances_at(model, some, noise, "photo", last, seeds)) < FARTHEST:
        last *= STEP
    steps = np.linspace(0, 1, STRENGTHS + 1) ** CLOSER  # closer where distances grow fastest
    return tuple(round(float(strength), 4) for strength in min(last, LARGEST) * steps)
