"""Plane geometry of alignment: 3×3 matrices that move, turn and scale points given as (x, y).

Coordinates are continuous: a picture W pixels wide reaches from 0 to W, and its first pixel's middle is 0.5.
Knows nothing of pictures.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

Point = tuple[float, float]


def similarity(a: float, b: float, tx: float, ty: float) -> np.ndarray:
    """(3, 3): (x, y) goes to (a·x − b·y + tx, b·x + a·y + ty)."""
    return np.array([[a, -b, tx], [b, a, ty], [0.0, 0.0, 1.0]])


def similarity_between(source: tuple[Point, Point], target: tuple[Point, Point]) -> np.ndarray:
    """The only similarity without mirroring that takes two points to two others. Source points differ."""
    s1, s2, t1, t2 = (complex(*point) for point in (*source, *target))
    turn = (t2 - t1) / (s2 - s1)
    shift = t1 - turn * s1
    return similarity(turn.real, turn.imag, shift.real, shift.imag)


def rotation_of(matrix: np.ndarray) -> float:
    """Degrees by which the matrix turns, clockwise as seen in a picture (y points down), −180 to 180."""
    return math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))


def scale_of(matrix: np.ndarray) -> float:
    """By how much lengths grow; for an affine matrix, the geometric mean over directions."""
    return math.sqrt(abs(np.linalg.det(matrix[:2, :2])))


def apply(matrix: np.ndarray, points: ArrayLike) -> np.ndarray:
    """Moves points (…, 2)."""
    moved = np.asarray(points, dtype=np.float64)
    return moved @ matrix[:2, :2].T + matrix[:2, 2]


def box_to_picture(box: tuple[float, float, float, float], shape: tuple[int, int]) -> np.ndarray:
    """(3, 3), from a picture of (height, width) pixels to the box (left, top, right, bottom) it was cut from."""
    left, top, right, bottom = box
    high, wide = shape
    return np.array([[(right - left) / wide, 0, left], [0, (bottom - top) / high, top], [0, 0, 1.0]])


def box_corners(box: tuple[float, float, float, float]) -> np.ndarray:
    """(4, 2), clockwise from the left top."""
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)
