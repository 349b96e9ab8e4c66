"""Finds faces in a photo, however it is turned, and where exactly each one's eyes are.

In: an RGB picture. Out: faces, the largest first, each with the place of CelebA's aligned frame in the photo. A
detector is shown the photo at several sizes and sights faces; our regressor then puts each sighting right in a few
looks and says whether it is a face. Knows nothing of models or recipes. What is found and what is not is measured by
benchmarks/faces.py and told in docs/photos.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.images.faces.detector import Sighting, apart, sightings
from facette.images.similarity import Point, apply, rotation_of, scale_of, similarity
from facette.images.warp import warp
from facette.runtime import give_back_freed_memory

PATCH = 64  # pixels a side of what the regressor sees
CELEBA_EYES = ((69.0, 111.0), (107.0, 112.0))  # in pixels of CelebA's aligned frame, 178×218

# The photo is searched with a longer side of LONG_SIDE pixels, larger ones LARGEST_STEP times smaller than they are: a
# face of 100 pixels then has 25, of which the detector needs 14. From one size to the next it becomes NEXT_STEP times
# smaller, down to a longer side of LAST_SIDE or less, where a face that fills the photo has no more than 100.
LONG_SIDE, LARGEST_STEP, NEXT_STEP, LAST_SIDE = 1024, 4.0, 3.0, 160
MARGIN = 0.15  # of the shorter side, added all round: the detector wants to see some room around a face
AS_IT_IS, OTHER_WAYS = (0,), (1, 3, 2)  # quarter turns; a face is seen up to 60 degrees off
PART = 900_000  # pixels that the detector is shown at once
OVERLAP = 96  # pixels: faces that are larger are as well seen at the next size
MOST = 300  # sightings that are looked at
LOOKS = 4
# Looks around the last place: (a, b, tx, ty) of small similarities in canonical units.
VIEWS = (
    (1, 0, 0, 0),
    (0.9, 0, 0, 0),
    (1.1, 0, 0, 0),
    (1, 0.09, 0.06, 0),
    (1, -0.09, -0.06, 0),
    (1, 0, 0, 0.08),
)

# Logits of the regressor from which on a sighting is a face. Well aligned faces have 7 and more, half hidden ones 4.5.
# Faces that lie or stand on their heads are rare, and what is no face has reached 6.5 in a photo's thousand patches.
UPRIGHT = 60.0  # degrees
SURE, SURE_BEYOND_UPRIGHT = 4.25, 6.7
# What the detector sees this clearly (a logit) may look that much less like a face to the regressor: blur, profiles.
CLEAR, ALLOWANCE = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class FoundFace:
    """A face in a photo, in pixels of the photo."""

    eyes: tuple[Point, Point]  # the one on the picture's left when the face is upright first
    rotation_degrees: float  # clockwise; 0 is upright
    scale: float  # pixels of the photo for each pixel of CelebA's aligned 178×218 frame
    score: float  # mean logit of being a face
    frame_to_photo: np.ndarray  # (3, 3), from that frame to the photo


def find_faces(image: Image.Image) -> list[FoundFace]:
    """Faces in an RGB picture, the largest first; empty when there is none.

    Raises MissingExtraError where the detector cannot be computed.
    """
    grey = image.convert("L")
    levels = _levels(image)
    for turns in (AS_IT_IS, OTHER_WAYS):
        seen = _sighted(levels, turns)
        give_back_freed_memory()  # the search takes more of it than all that follows
        faces = _distinct(_refine(grey, seen)) if seen else []
        if faces:
            return sorted(faces, key=lambda face: -face.scale)
    return []


def _levels(image: Image.Image) -> list[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """The picture at the sizes it is searched in, (H, W, 3) each, and the matrix from each to the photo."""
    longest = max(image.size)
    step = min(max(1.0, longest / LONG_SIDE), LARGEST_STEP)
    levels = []
    while not levels or longest / step > LAST_SIDE / NEXT_STEP:
        width, height = (max(1, round(side / step)) for side in image.size)
        small = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))
        margin = round(min(width, height) * MARGIN)
        framed = np.pad(small, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        to_photo = np.diag([image.width / width, image.height / height, 1.0]) @ similarity(
            1, 0, -margin, -margin
        )
        levels.append((framed, to_photo))
        step *= NEXT_STEP
    return levels


def _sighted(
    levels: list[tuple[NDArray[np.uint8], NDArray[np.float64]]], turns: tuple[int, ...]
) -> list[Sighting]:
    """What the detector sees at all sizes, the picture turned by so many quarters; in pixels of the photo."""
    seen = []
    for picture, to_photo in levels:
        for quarters in turns:
            turned = np.rot90(picture, quarters)
            back = to_photo @ _quarter_turned(quarters, picture.shape[1], picture.shape[0])
            for top, left, part in _parts(turned):
                place = back @ similarity(1, 0, left, top)
                seen += [sighting.within(place, scale_of(place)) for sighting in sightings(part)]
    kept: list[Sighting] = []
    for sighting in sorted(seen, key=lambda sighting: -sighting.score):
        if all(apart(sighting.middle, sighting.side, other) for other in kept):
            kept.append(sighting)
    return kept[:MOST]


def _parts(picture: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """Top, left and pixels of overlapping parts, cut across the longer side, so that memory stays bounded."""
    height, width = picture.shape[:2]
    longer, shorter = max(height, width), min(height, width)
    count = max(1, ceil((longer - OVERLAP) / max(PART / shorter - OVERLAP, OVERLAP)))
    side = ceil((longer + (count - 1) * OVERLAP) / count)
    for first in range(0, longer - OVERLAP if count > 1 else 1, max(1, side - OVERLAP)):
        top, left = (first, 0) if height >= width else (0, first)
        part = picture[top : top + side] if height >= width else picture[:, left : left + side]
        yield top, left, np.ascontiguousarray(part)


def _quarter_turned(quarters: int, width: int, height: int) -> NDArray[np.float64]:
    """(3, 3), from a picture turned by quarters against the clock (as np.rot90 does) to the picture itself."""
    match quarters % 4:
        case 0:
            return np.eye(3)
        case 1:
            return similarity(0, 1, width, 0)
        case 2:
            return similarity(-1, 0, width, height)
    return similarity(0, -1, 0, height)


def _patch(grey: Image.Image, place: np.ndarray) -> np.ndarray:
    """What the regressor sees at a place, uint8 (64, 64)."""
    to_canonical = np.array([[2 / PATCH, 0, -1], [0, 2 / PATCH, -1], [0, 0, 1]])
    return warp(grey, place @ to_canonical, (PATCH, PATCH))


def _refine(grey: Image.Image, seen: list[Sighting]) -> list[FoundFace]:
    """Looks again and again through each sighting until the regressor has put it right; drops what is no face."""
    from facette.images.faces.frame_regressor import canonical_to_frame, estimate

    places = np.stack([sighting.place for sighting in seen])  # (N, 3, 3), canonical square to photo
    logits = np.zeros(len(places))
    for _ in range(LOOKS):
        changes, logits = estimate(np.stack([_patch(grey, place) for place in places]))
        places = places @ changes
    frame_to_canonical = np.linalg.inv(canonical_to_frame())
    faces = []
    for reached, sighting, logit in zip(places, seen, logits.tolist(), strict=True):
        drift = np.abs(reached[:2, 2] - sighting.place[:2, 2]).max() / scale_of(sighting.place)
        astray = drift > 1 or not 0.5 < scale_of(reached) / scale_of(sighting.place) < 2
        place, score = (sighting.place, -np.inf) if astray or logit < 0 else _settled(grey, reached)
        if not _is_face(sighting.score, score, rotation_of(place)):
            continue
        frame_to_photo = place @ frame_to_canonical
        left, right = apply(frame_to_photo, CELEBA_EYES).tolist()
        rotation, scale = rotation_of(frame_to_photo), scale_of(frame_to_photo)
        faces.append(FoundFace((tuple(left), tuple(right)), rotation, scale, score, frame_to_photo))
    return faces


def _is_face(sighted: float, settled: float, rotation: float) -> bool:
    """What the detector and the regressor say together, both logits."""
    needed = SURE if abs(rotation) <= UPRIGHT else SURE_BEYOND_UPRIGHT
    return settled >= needed - (ALLOWANCE if sighted >= CLEAR else 0)


def _settled(grey: Image.Image, place: np.ndarray) -> tuple[np.ndarray, float]:
    """What the regressor says through slightly different looks, straight and mirrored: mean place, mean logit.

    One look errs by a pixel or two of the frame in its own way; the mean errs less, and hardly depends on where
    the search began. What is no face looks like one from few of them only.
    """
    from facette.images.faces.frame_regressor import estimate

    views = [similarity(*view) for view in VIEWS]
    patches = np.stack([_patch(grey, place @ view) for view in views])
    mirror = np.diag([-1.0, 1.0, 1.0])
    straight, logits = estimate(patches)
    mirrored, mirrored_logits = estimate(patches[:, :, ::-1])
    changes = zip(views * 2, [*straight, *(mirror @ change @ mirror for change in mirrored)], strict=True)
    score = float(np.mean([logits, mirrored_logits]))
    return np.mean([place @ view @ change for view, change in changes], axis=0), score


def _distinct(faces: list[FoundFace]) -> list[FoundFace]:
    """One of each group that overlaps: the surest."""
    kept: list[FoundFace] = []
    for face in sorted(faces, key=lambda face: -face.score):
        middle = np.mean(face.eyes, axis=0)
        apart = [np.linalg.norm(middle - np.mean(other.eyes, axis=0)) for other in kept]
        if all(gap > 40 * max(face.scale, other.scale) for gap, other in zip(apart, kept, strict=True)):
            kept.append(face)
    return kept
