"""One face from back to front: wall, hair behind, neck and jumper, head, features, hair, hat.

Enters: `FaceFactors` and a side length. Leaves: uint8 (size, size, 3). Nothing here is random.
"""

import numpy as np

from facette.data.portrait import features, hair
from facette.data.portrait.easel import Easel, ellipse, lch, mix, ribbon, spline
from facette.data.portrait.factors import FaceFactors
from facette.data.portrait.head import NECK, Head


def draw_portrait(face: FaceFactors, size: int) -> np.ndarray:
    """A picture of `face`: uint8 (size, size, 3), RGB, the same for the same factors."""
    easel, head = Easel(size), Head.of(face)
    hue = hair.hair_colour(face)
    _draw_wall(easel, face)
    easel.tilt(head.lean, NECK)
    hair.draw_hair_behind(easel, head, face)
    easel.tilt(0, NECK)
    _draw_neck_and_jumper(easel, head, face)
    easel.tilt(head.lean, NECK)
    _draw_ears(easel, head, face)
    _draw_head(easel, head, face)
    features.draw_cheeks(easel, head, face)
    features.draw_facial_hair(easel, head, face, hue)
    features.draw_nose(easel, head, face)
    features.draw_mouth(easel, head, face)
    features.draw_eyes(easel, head, face)
    features.draw_brows(easel, head, face, hue)
    hair.draw_hair(easel, head, face)
    features.draw_glasses(easel, head, face)
    hair.draw_hat(easel, head, face)
    return easel.picture()


def _draw_wall(easel: Easel, face: FaceFactors) -> None:
    easel.gradient(lch(0.86, 0.07, face.background_hue), lch(0.72, 0.09, face.background_hue))
    easel.glow((0.35 * face.light, -0.25), (1.3, 1.2), lch(0.94, 0.05, face.background_hue), 0.75)


def _draw_neck_and_jumper(easel: Easel, head: Head, face: FaceFactors) -> None:
    neck = spline(
        [(-0.2, 0.3), (-0.19, 0.6), (-0.3, 0.8), (0, 1.0), (0.3, 0.8), (0.19, 0.6), (0.2, 0.3)], closed=True
    )
    stencil = easel.mask(neck)
    easel.wash(stencil, head.skin)
    easel.glow((0.1 * np.sin(head.turn), 0.56), (0.34, 0.22), head.shade, 0.9, within=stencil)
    cloth = lch(0.66, 0.12, face.clothes_hue)
    jumper = easel.mask(
        spline([(-0.25, 0.745), (-0.55, 0.83), (-0.82, 1.0), (-0.9, 1.3), (0.9, 1.3), (0.82, 1.0),
            (0.55, 0.83),
                (0.25, 0.745), (0.14, 0.86), (0, 0.895), (-0.14, 0.86)], closed=True)
    )  # fmt: skip
    easel.wash(jumper, cloth)
    easel.glow((-0.6 * face.light, 1.0), (0.6, 0.4), mix(cloth, (30, 16, 50), 0.5), 0.6, within=jumper)
    easel.glow((0.5 * face.light, 0.85), (0.3, 0.2), mix(cloth, (255, 250, 235), 0.5), 0.5, within=jumper)
    collar = spline([(-0.26, 0.745), (-0.15, 0.865), (0, 0.905), (0.15, 0.865), (0.26, 0.745)])
    easel.fill(ribbon(collar, 0.06, 0.8), mix(cloth, (255, 250, 240), 0.42))


def _draw_ears(easel: Easel, head: Head, face: FaceFactors) -> None:
    for side in (-1, 1):
        # A turn hides the far ear behind the head and brings the near one out.
        x, y = side * (head.width + 0.012) - 0.2 * head.turn, 0.04
        ear = easel.mask(ellipse(x, y, 0.085, 0.125))
        easel.wash(ear, mix(head.skin, head.shade, 0.12))
        easel.glow((x + side * 0.015, y), (0.06, 0.085), mix(head.shade, head.rose, 0.5), 0.75, within=ear)
        if face.earrings == "stud":
            easel.fill(ellipse(x + side * 0.035, y + 0.13, 0.036, 0.036, 20), (246, 214, 112))
            easel.fill(ellipse(x + side * 0.025, y + 0.12, 0.013, 0.013, 12), (255, 252, 236))
        elif face.earrings == "hoop":
            easel.ring(ellipse(x + side * 0.04, y + 0.2, 0.068, 0.085), 0.026, (236, 188, 72))


def _draw_head(easel: Easel, head: Head, face: FaceFactors) -> None:
    stencil = easel.mask(head.outline())
    easel.wash(stencil, head.skin)
    easel.glow((-0.5 * face.light, 0.2), (0.55, 0.85), head.shade, 0.5, within=stencil)
    easel.glow((0, 0.62), (0.5, 0.26), head.shade, 0.45, within=stencil)
    easel.glow((0.25 * face.light, -0.2), (0.45, 0.42), head.sheen, 0.55, within=stencil)
