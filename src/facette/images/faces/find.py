"""Finds faces in a photo, however it is turned, and where exactly each one's eyes are.

In: an RGB picture. Out: faces, the largest first, each with the place of CelebA's aligned frame in the photo.
OpenCV's cascade proposes boxes in the photo turned by several angles; our regressor then puts each proposal
right in a few looks and says whether it is a face. Knows nothing of models or recipes.
"""

from dataclasses import dataclass
from functools import partial
from threading import local
from typing import Any

import numpy as np
from PIL import Image

from facette.errors import MissingExtraError
from facette.images.similarity import Point, apply, rotation_of, scale_of, similarity
from facette.images.warp import warp

PATCH = 64  # pixels a side of what the regressor sees
CELEBA_EYES = ((69.0, 111.0), (107.0, 112.0))  # in pixels of CelebA's aligned frame, 178×218

LEANING = (0.0, -30.0, 30.0)  # where the cascade looks first; it finds faces up to 20 degrees off
ANY_WAY = (-60.0, 60.0, 90.0, -90.0, 180.0, 120.0, -120.0, 150.0, -150.0)
LONG_SIDE = (320, 512)  # pixels that the searched picture's longer side is brought between
# A face that fills a good part of the photo is found in a picture so many times smaller, several times sooner.
COARSER = (4.0, 2.8, 2.0)
SMALLEST = 24  # pixels of the cascade's box
AMPLE = 1.4  # times that: from this size on the cascade misses no more faces in the smaller picture than in the whole
MARGIN = 0.12  # of the longer side, added all round: the cascade wants to see some room around a face
BOX_SIDE, BOX_DOWN = 2.18, -0.045  # of the cascade's boxes, in canonical units: medians over aligned faces
FACE = BOX_SIDE * 46.9  # pixels of CelebA's frame that such a box is wide
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
# Logits of the regressor from which on a proposal is a face. Well aligned faces have 7 and more, half hidden ones 4.5.
# Faces that lie or stand on their heads are rare, and what is no face has reached 6.5 in a photo's thousand proposals.
UPRIGHT = 60.0  # degrees
SURE, SURE_BEYOND_UPRIGHT = 4.25, 6.7


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

    Raises MissingExtraError when OpenCV is not installed.
    """
    grey = image.convert("L")
    search, to_photo = _searched(grey)
    searches = (partial(_by_cascade, angles=LEANING), _by_regressor, partial(_by_cascade, angles=ANY_WAY))
    for propose in searches:
        proposals = [to_photo @ proposal for proposal in propose(search)]
        faces = _distinct(_refine(grey, proposals)) if proposals else []
        if faces:
            return sorted(faces, key=lambda face: -face.scale)
    return []


def find_largest(image: Image.Image) -> list[FoundFace]:
    """As `find_faces`, but where one face alone fills a good part of the photo, smaller ones are not looked for.

    The first is the same face, found several times sooner.
    """
    grey = image.convert("L")
    search, to_photo = _searched(grey)
    for coarser in COARSER:
        side = [round(length / coarser) for length in search.shape[::-1]]
        small = np.asarray(Image.fromarray(search).resize(side, Image.Resampling.BICUBIC))
        to_search = to_photo @ np.diag([search.shape[1] / side[0], search.shape[0] / side[1], 1.0])
        proposals = [to_search @ proposal for proposal in _by_cascade(small, LEANING)]
        faces = _distinct(_refine(grey, proposals)) if proposals else []
        if len(faces) > 1:
            break  # a group, of which everybody is looked for
        if faces and scale_of(np.linalg.inv(to_search) @ faces[0].frame_to_photo) * FACE >= AMPLE * SMALLEST:
            return faces
    return find_faces(image)


def _searched(grey: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """The picture the cascade searches, uint8 (H, W), and the matrix from it to the photo."""
    longest = max(grey.size)
    shrink = np.clip(longest, *LONG_SIDE) / longest
    width, height = (max(1, round(side * shrink)) for side in grey.size)
    small = np.asarray(grey.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))
    margin = round(max(width, height) * MARGIN)
    to_photo = np.diag([grey.size[0] / width, grey.size[1] / height, 1.0]) @ similarity(
        1, 0, -margin, -margin
    )
    return np.pad(small, margin, mode="edge"), to_photo


def _by_cascade(search: np.ndarray, angles: tuple[float, ...]) -> list[np.ndarray]:
    """Rough places of the regressor's canonical square in `search`, from faces leaning by about these angles."""
    cv2 = _opencv()
    proposals = []
    for angle in angles:
        turned, to_search = _turned(search, angle)
        # Two neighbours are few, and some boxes are no faces: the regressor tells.
        boxes = _cascade().detectMultiScale(cv2.equalizeHist(turned), 1.1, 2, minSize=(SMALLEST, SMALLEST))
        for x, y, w, h in boxes:
            half = w / BOX_SIDE
            proposals.append(to_search @ similarity(half, 0, x + w / 2, y + h / 2 - BOX_DOWN * half))
    return proposals


def _by_regressor(search: np.ndarray) -> list[np.ndarray]:
    """The same from the regressor alone, which is shown a grid of places, sizes and angles.

    It sees what the cascade misses (a hand, a profile, hard light) in faces that fill a good part of the photo;
    small faces would need too fine a grid.
    """
    from facette.images.faces.frame_regressor import estimate

    small = Image.fromarray(search).reduce(2)  # the patches are coarse, and there are many
    width, height = small.size
    places = []
    for share in (0.13, 0.19, 0.28, 0.4):  # of the shorter side: half a canonical square
        half = share * min(width, height)
        columns, rows = (np.arange(half, length - half + 1, 0.8 * half) for length in (width, height))
        for turn in np.deg2rad(np.arange(-180, 180, 30)):
            a, b = half * np.cos(turn), half * np.sin(turn)
            places += [similarity(a, b, x, y) for y in rows for x in columns]
    changes, logits = estimate(np.stack([_patch(small, place) for place in places]))
    likely = [i for i in np.argsort(-logits)[:12] if logits[i] > 0]
    return [np.diag([2.0, 2.0, 1.0]) @ places[i] @ changes[i] for i in likely]


def _patch(grey: Image.Image, place: np.ndarray) -> np.ndarray:
    """What the regressor sees at a place, uint8 (64, 64)."""
    to_canonical = np.array([[2 / PATCH, 0, -1], [0, 2 / PATCH, -1], [0, 0, 1]])
    return warp(grey, place @ to_canonical, (PATCH, PATCH))


def _turned(search: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """`search` turned so that faces leaning by `angle` stand upright, and the matrix back to `search`."""
    if angle == 0:
        return search, np.eye(3)
    cv2 = _opencv()
    height, width = search.shape
    turn = np.deg2rad(angle)
    back = similarity(np.cos(turn), np.sin(turn), 0, 0)  # turned to search, both seen from their middles
    spans = np.abs(back[:2, :2]) @ (width, height)
    turned_width, turned_height = (int(np.ceil(span)) for span in spans)
    to_search = similarity(1, 0, width / 2, height / 2) @ back
    to_search = to_search @ similarity(1, 0, -turned_width / 2, -turned_height / 2)
    # OpenCV counts from pixel middles, hence the half pixels.
    half = similarity(1, 0, 0.5, 0.5)
    matrix = np.linalg.inv(half) @ to_search @ half
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned = cv2.warpAffine(
        search, matrix[:2], (turned_width, turned_height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return turned, to_search


def _refine(grey: Image.Image, proposals: list[np.ndarray]) -> list[FoundFace]:
    """Looks again and again through each proposal until the regressor has put it right; drops what is no face."""
    from facette.images.faces.frame_regressor import canonical_to_frame, estimate

    places = np.stack(proposals)  # (N, 3, 3), canonical square to photo
    logits = np.zeros(len(places))
    for _ in range(LOOKS):
        changes, logits = estimate(np.stack([_patch(grey, place) for place in places]))
        places = places @ changes
    frame_to_canonical = np.linalg.inv(canonical_to_frame())
    faces = []
    for reached, first, logit in zip(places, proposals, logits, strict=True):
        drift = np.abs(reached[:2, 2] - first[:2, 2]).max() / scale_of(first)
        if logit < 0 or drift > 1 or not 0.5 < scale_of(reached) / scale_of(first) < 2:
            continue
        place, score = _settled(grey, reached)
        if score < (SURE if abs(rotation_of(place)) <= UPRIGHT else SURE_BEYOND_UPRIGHT):
            continue
        frame_to_photo = place @ frame_to_canonical
        left, right = apply(frame_to_photo, CELEBA_EYES).tolist()
        rotation, scale = rotation_of(frame_to_photo), scale_of(frame_to_photo)
        faces.append(FoundFace((tuple(left), tuple(right)), rotation, scale, score, frame_to_photo))
    return faces


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
    changes = zip(views * 2, [*straight, *(mirror @ one @ mirror for one in mirrored)], strict=True)
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


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise MissingExtraError(
            'Finding faces needs OpenCV: pip install "facette[face]", or give the eyes with --eyes, '
            "or take the centre with --no-align."
        ) from None
    return cv2


_of_this_thread = local()  # a cascade keeps state while it searches, so threads must not share one


def _cascade() -> Any:
    if not hasattr(_of_this_thread, "cascade"):
        cv2 = _opencv()
        path = cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml"
        _of_this_thread.cascade = cv2.CascadeClassifier(path)
    return _of_this_thread.cascade
