"""The judge of who a face is: dlib's recognition network, which knows people, where the extra `identity` is installed.

In: uint8 pictures (N, S, S, 3) of faces in a frame whose eyes are known. Out: descriptors (N, 128) float32; two of one
person lie close. It measures only: no loss ever uses it, or what it says of a model would be worth nothing.

Its weights lie inside the package face_recognition_models, CC0, and nothing is downloaded. That package's own import
needs a library that new Pythons lack, so that its files are found by their place. The recognition network and the
predictor of five landmarks are read; the predictor of 68 is not, which is not for every use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.errors import MissingExtraError, import_extra
from facette.progress import Advance, unheard

if TYPE_CHECKING:
    from facette.recipe import Frame

EXTRA = "identity"
NAME = "dlib face recognition ResNet v1"
DESCRIPTOR = 128
SIDE = 256  # px of the picture that the landmarks are looked for in
CHIP = 150  # px that the network takes, turned and scaled by the landmarks
PADDING = 0.25  # of the chip around the face, as the network was trained
FACE = (50, 62, 206, 218)  # left, top, right, bottom of the face in the picture of 256 px
EYES = ((52 / 144, 62 / 144), (90 / 144, 63 / 144))  # of that picture's side: x, y, the eye on its left first
BATCH = 32
RECOGNITION = "dlib_face_recognition_resnet_model_v1.dat"
LANDMARKS = "shape_predictor_5_face_landmarks.dat"


def available() -> bool:
    """Whether the extra is installed."""
    return all(find_spec(name) is not None for name in ("dlib", "face_recognition_models"))


def require() -> None:
    """Raises MissingExtraError, which names the extra, where it is not installed."""
    if not available():
        missing = "dlib" if find_spec("dlib") is None else "face_recognition_models"
        raise MissingExtraError(
            f'the judge of who a face is needs {missing}, which is not installed: pip install "facette[{EXTRA}]"'
        )


@dataclass(frozen=True, slots=True)
class FaceBox:
    """Where the judge's square lies in a square picture, in shares of its sides: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float


def speaks_for(frame: Frame | None) -> FaceBox | None:
    """The judge's square in pictures of this frame; None where it has no word to say.

    It speaks for faces whose eyes are where the frame says, upright, and whose face lies within the picture; it is
    silent on pictures without a frame, which may be anything.
    """
    if frame is None:
        return None
    left, top, right, bottom = frame.box
    (x1, y1), (x2, y2) = frame.eyes
    (u1, v1), (u2, v2) = EYES
    side = (x2 - x1) / (u2 - u1)  # of the judge's square, in pixels of the frame
    start_x, start_y = x1 - u1 * side, (y1 + y2) / 2 - (v1 + v2) / 2 * side
    wide, high = right - left, bottom - top
    box = FaceBox(
        (start_x - left) / wide,
        (start_y - top) / high,
        (start_x + side - left) / wide,
        (start_y + side - top) / high,
    )
    return box if _face_within(box) else None


def _face_within(box: FaceBox) -> bool:
    """Whether the face itself, not all of the square, lies inside the picture, up to a hundredth."""
    wide, high = box.right - box.left, box.bottom - box.top
    left, top, right, bottom = (edge / SIDE for edge in FACE)
    return (
        box.left + left * wide > -0.01
        and box.top + top * high > -0.01
        and box.left + right * wide < 1.01
        and box.top + bottom * high < 1.01
    )


def describe(pictures: NDArray[np.uint8], box: FaceBox, advance: Advance = unheard) -> NDArray[np.float32]:
    """Descriptors (N, 128) of uint8 pictures (N, S, S, 3) whose face lies in `box`.

    Distances are Euclidean: 0 the same picture, about 0.4 another photo of the same person, about 0.9 a stranger. A
    tenth of a second a face on one core. Raises MissingExtraError without the extra.
    """
    require()
    parts = [np.zeros((0, DESCRIPTOR), np.float32)]
    for start in range(0, len(pictures), BATCH):
        chips = [_chip(picture, box) for picture in pictures[start : start + BATCH]]
        parts.append(np.array(_network().compute_face_descriptor(chips), np.float32))
        advance(len(chips))
    return np.concatenate(parts)


def _chip(picture: NDArray[np.uint8], box: FaceBox) -> NDArray[np.uint8]:
    """The face (150, 150, 3) in the pose that the network expects."""
    library = _library()
    face = _landmarks()(square := judge_square(picture, box), library.rectangle(*FACE))
    return library.get_face_chip(square, face, size=CHIP, padding=PADDING)


def judge_square(picture: NDArray[np.uint8], box: FaceBox) -> NDArray[np.uint8]:
    """The judge's square (256, 256, 3) of a picture (S, S, 3), enlarged; what lies outside repeats its border."""
    side_y, side_x = picture.shape[:2]
    edges = (box.left * side_x, box.top * side_y, box.right * side_x, box.bottom * side_y)
    beyond = max(0.0, -edges[0], -edges[1], edges[2] - side_x, edges[3] - side_y)
    border = int(np.ceil(beyond - 1e-6))
    if border:
        picture = np.pad(picture, ((border, border), (border, border), (0, 0)), mode="edge")
        edges = tuple(edge + border for edge in edges)  # type: ignore[assignment]
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=edges))


def _library() -> Any:
    return import_extra("dlib", EXTRA, "the judge of who a face is")


@cache
def _network() -> Any:
    return _library().face_recognition_model_v1(str(_models() / RECOGNITION))


@cache
def _landmarks() -> Any:
    return _library().shape_predictor(str(_models() / LANDMARKS))


def _models() -> Path:
    package = find_spec("face_recognition_models")
    assert package is not None, "`require` was asked"
    assert package.submodule_search_locations, "it is a folder"
    return Path(next(iter(package.submodule_search_locations))) / "models"
