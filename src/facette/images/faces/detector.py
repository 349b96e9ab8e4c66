"""Where faces may be in a picture, and how they lie: MediaPipe's full-range BlazeFace (arXiv 1907.05047, Apache-2.0).

Enters: an RGB picture of any size. Leaves: sightings, each a score and a rough place of the regressor's canonical
square. It sees faces of some 14 to 100 pixels from ear to ear; whoever asks shows it the photo at several sizes. Knows
nothing of photos larger than that, nor of what a sighting is worth in the end. How its file was written:
scripts/convert_face_detector.py. Legend: H, W the picture; h, w its cells of 4×4 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from facette.errors import MissingExtraError
from facette.images.similarity import similarity, similarity_between
from facette.onnx_graph import Graph, Unserved, open_graph

GRAPH = "face_detector.onnx"
KEY = "face detector 1"
CELL = 4  # pixels
SIDES_OF = 64  # pixels: what the network's picture is a multiple of
FAINT = -1.0  # logit: on 61 portraits, turned, blurred or dark, nine in ten and more are seen above it
# Medians over aligned portraits, in units of the regressor's canonical square.
EYES, MOUTH = ((-0.41, -0.23), (0.41, -0.23)), (0.0, 0.70)
BOX_SIDE, BOX_DOWN = 2.19, 0.146


@dataclass(frozen=True, slots=True)
class Sighting:
    """What may be a face: its place in the picture that was shown."""

    score: float  # logit
    middle: NDArray[np.float64]  # (2,) of the box, in pixels
    side: float  # of the box, in pixels
    place: NDArray[np.float64]  # (3, 3), the regressor's canonical square to pixels

    def within(self, to_photo: NDArray[np.float64], scale: float) -> Sighting:
        """The same in the pixels of another picture, `scale` times larger."""
        middle = to_photo[:2, :2] @ self.middle + to_photo[:2, 2]
        return Sighting(self.score, middle, self.side * scale, to_photo @ self.place)


def sightings(picture: NDArray[np.uint8]) -> list[Sighting]:
    """Sightings in an RGB picture (H, W, 3), the surest first, one for each place.

    Raises MissingExtraError where onnxruntime is not installed.
    """
    height, width = picture.shape[:2]
    # 0 is the middle grey it pads with
    padded = np.zeros((1, 3, _upwards(height), _upwards(width)), np.float32)
    np.divide(picture.transpose(2, 0, 1), np.float32(127.5), out=padded[0, :, :height, :width])
    padded[0, :, :height, :width] -= 1
    scores, places = (output[0] for output in _network()(padded))  # (1, h, w), (16, h, w)
    rows, columns = np.nonzero(scores[0] > FAINT)
    order = np.argsort(-scores[0, rows, columns], kind="stable")
    kept: list[Sighting] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        # middle, size, eyes, nose, mouth, ears
        points = places[:, row, column].reshape(8, 2).astype(np.float64)
        points += np.array([column + 0.5, row + 0.5]) * CELL
        side = float(np.mean(places[2:4, row, column]))
        if side > 0 and all(apart(points[0], side, other) for other in kept):
            score = float(scores[0, row, column])
            kept.append(Sighting(score, points[0], side, _place(points, side)))
    return kept


def apart(middle: NDArray[np.float64], side: float, other: Sighting) -> bool:
    """Whether a box of this middle and side is of another face than `other`."""
    gap = np.abs(middle - other.middle).max()
    return bool(gap > 0.5 * min(side, other.side) and gap > 0.3 * max(side, other.side))


def _place(points: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """The canonical square by the box's size and middle, turned as eyes and mouth say. A profile's eyes lie too close
    together to tell the size."""
    eyes, mouth = points[2:4].mean(axis=0), points[5]
    down = mouth - eyes
    known = (
        similarity_between(((0.0, EYES[0][1]), MOUTH), (tuple(eyes), tuple(mouth)))
        if down.any()
        else np.eye(3)
    )
    turn = known[:2, 0] / max(1e-9, float(np.hypot(*known[:2, 0])))
    half = side / BOX_SIDE
    a, b = (half * turn).tolist()
    x, y = points[0] - np.array([[a, -b], [b, a]]) @ (0, BOX_DOWN)
    return similarity(a, b, float(x), float(y))


def _upwards(length: int) -> int:
    return -(-length // SIDES_OF) * SIDES_OF


@cache
def _network() -> Graph:
    content = files("facette.images.faces").joinpath("weights", GRAPH).read_bytes()
    try:
        return open_graph(content, {}, KEY)
    except Unserved as error:
        raise MissingExtraError(
            f"Finding faces needs onnxruntime ({error}): pip install onnxruntime; or say where the eyes are."
        ) from None
