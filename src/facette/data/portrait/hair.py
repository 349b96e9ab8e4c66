"""Hair and hats: what lies behind the head, and what lies on it.

Enters: an easel, the head, the factors. Leaves: paint on the easel.
"""

import math

import numpy as np
from PIL import Image

from facette.data.portrait.easel import Colour, Easel, ellipse, lch, lowered, mix, ribbon, spline
from facette.data.portrait.factors import FaceFactors
from facette.data.portrait.head import MIDDLE, Head

_HAIR: dict[str, Colour] = {
    "black": (44, 38, 44),
    "brown": (92, 60, 42),
    "chestnut": (138, 76, 44),
    "red": (202, 92, 42),
    "blond": (236, 194, 108),
    "grey": (186, 186, 192),
    "pink": (232, 136, 168),
}
# Where the hair meets the forehead, from the picture's right temple to the left one.
_HAIRLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "short": ((0.45, -0.08), (0.415, -0.22), (0.33, -0.33), (0.16, -0.35), (-0.02, -0.31), (-0.2, -0.36),
              (-0.34, -0.33), (-0.415, -0.22), (-0.45, -0.08)),
    "swept": ((0.45, -0.06), (0.43, -0.2), (0.36, -0.27), (0.16, -0.29), (-0.08, -0.33), (-0.25, -0.43),
              (-0.36, -0.3), (-0.43, -0.2), (-0.45, -0.06)),
    "bob": ((0.43, 0.2), (0.41, -0.1), (0.35, -0.225), (0.2, -0.238), (0, -0.242), (-0.2, -0.238),
            (-0.35, -0.225), (-0.41, -0.1), (-0.43, 0.2)),
    "long": ((0.46, 0.2), (0.42, -0.08), (0.33, -0.25), (0.16, -0.36), (0.0, -0.47), (-0.16, -0.36),
             (-0.33, -0.25), (-0.42, -0.08), (-0.46, 0.2)),
    "bun": ((0.46, -0.02), (0.43, -0.18), (0.33, -0.33), (0.16, -0.4), (0, -0.42), (-0.16, -0.4),
            (-0.33, -0.33), (-0.43, -0.18), (-0.46, -0.02)),
    "curly": ((0.46, -0.02), (0.41, -0.19), (0.31, -0.29), (0.16, -0.33), (0, -0.345), (-0.16, -0.33),
              (-0.31, -0.29), (-0.41, -0.19), (-0.46, -0.02)),
    "pigtails": ((0.45, -0.04), (0.42, -0.2), (0.31, -0.3), (0.15, -0.3), (0.02, -0.28), (-0.1, -0.36),
                 (-0.31, -0.36), (-0.42, -0.2), (-0.45, -0.04)),
}  # fmt: skip
# How far out of the head the hair stands on its crown, at no and at full length.
_VOLUME: dict[str, tuple[float, float]] = {
    "short": (1.05, 1.24),
    "swept": (1.06, 1.28),
    "bob": (1.1, 1.16),
    "long": (1.1, 1.16),
    "bun": (1.06, 1.08),
    "curly": (1.1, 1.16),
    "pigtails": (1.09, 1.12),
}


def hair_colour(face: FaceFactors) -> Colour:
    """The colour of hair and brows."""
    return _HAIR[face.hair_colour]


def draw_hair_behind(easel: Easel, head: Head, face: FaceFactors) -> None:
    """The part of the hair that head, neck and shoulders hide."""
    colour = mix(hair_colour(face), (24, 12, 20), 0.24)
    length, side = _length(face), head.width
    match face.hair_style:
        case "long":
            end = 0.55 + 0.5 * length
            fall = spline([(0, -0.62), (side * 1.02, -0.4), (side * 1.2, 0.1), (side * 1.3, end),
                (0, end + 0.04),
                           (-side * 1.3, end), (-side * 1.2, 0.1),
                           (-side * 1.02, -0.4)], closed=True)  # fmt: skip
            easel.fill(fall, colour)
        case "bob":
            end = 0.3 + 0.32 * length
            fall = spline([(0, -0.62), (side * 1.05, -0.4), (side * 1.24, 0.05), (side * 1.2, end),
                (0, end + 0.02),
                           (-side * 1.2, end), (-side * 1.24, 0.05),
                           (-side * 1.05, -0.4)], closed=True)  # fmt: skip
            easel.fill(fall, colour)
        case "curly":
            easel.wash(easel.mask(head.outline(1 + 0.12 * length), *_curls(head, length, 0.78)), colour)
        case "bun" if face.hat == "none":
            _draw_bun(easel, face, length)
        case "pigtails":
            for way in (-1, 1):
                _draw_pigtail(easel, head, face, way)


def draw_hair(easel: Easel, head: Head, face: FaceFactors) -> None:
    """The hair on the head: a cap from the grown outline down to the hairline, with its sheen."""
    if face.hair_style == "bald":
        return
    colour = hair_colour(face)
    low, high = _VOLUME[face.hair_style]
    grow = low + (high - low) * _length(face)
    reach = 0.3 if face.hair_style in ("bob", "long") else 0.25
    crown = head.outline(1.06, -reach, reach, 40)
    # Volume stands up from the crown and lies flat at the temples.
    lift = np.cos(np.linspace(-math.pi / 2, math.pi / 2, 40))[:, None] ** 0.7
    crown = (crown - (0, MIDDLE)) * (1 + (grow / 1.06 - 1) * lift) + (0, MIDDLE)
    hairline = head.at(spline(np.array(_HAIRLINES[face.hair_style]) * (head.width / 0.475, 1)))
    hairline[:, 0] = hairline[:, 0].clip(
        -1.03 * head.width, 1.03 * head.width
    )  # a turn must not push it past the cap
    curves = [np.vstack([crown, hairline])]
    if face.hair_style == "curly":
        curves += _curls(head, _length(face), 0.3)
    if face.hair_style == "long":
        curves += [_strand(head, face.hair_length, way) for way in (-1, 1)]
    # A soft shadow on the brow first, so the hair stands off the skin.
    easel.wash(easel.mask(lowered(curves[0], 0.028)), head.shade, 0.35)
    stencil = easel.mask(*curves)
    easel.wash(stencil, colour)
    easel.glow((-0.55 * face.light, -0.25), (0.6, 0.75), mix(colour, (20, 8, 18), 0.5), 0.55, within=stencil)
    shine = mix(colour, (255, 240, 214), 0.5)
    easel.glow((0.2 * face.light, -0.53 * grow), (0.42, 0.14), shine, 0.8, within=stencil)
    if face.hair_style in ("short", "swept", "long", "bun"):
        _draw_combing(easel, head, colour, grow, stencil)


def draw_hat(easel: Easel, head: Head, face: FaceFactors) -> None:
    """A woollen beanie with a pompom, or a brimmed hat with a band; never in the jumper's colour."""
    cloth = lch(0.62, 0.13, face.clothes_hue + 0.45)
    match face.hat:
        case "beanie":
            _draw_beanie(easel, head, face, cloth)
        case "brimmed":
            _draw_brimmed_hat(easel, head, face, cloth)


def _draw_beanie(easel: Easel, head: Head, face: FaceFactors, cloth: Colour) -> None:
    dark, pale = mix(cloth, (30, 16, 40), 0.35), mix(cloth, (255, 246, 230), 0.5)
    wide = head.width * 1.14
    easel.fill(ellipse(0, -0.86, 0.13, 0.12), pale)
    easel.glow((-0.05, -0.9), (0.12, 0.1), (255, 255, 255), 0.7)
    dome = easel.mask(spline([(-wide, -0.3), (-wide * 0.9, -0.62), (-wide * 0.4, -0.79), (0, -0.82),
                              (wide * 0.4, -0.79), (wide * 0.9, -0.62), (wide, -0.3)]))  # fmt: skip
    easel.wash(dome, cloth)
    _light(easel, face, dome, dark, pale, -0.55)
    brim = spline([(-wide * 1.03, -0.42), (0, -0.47), (wide * 1.03, -0.42), (wide * 1.03, -0.27),
        (0, -0.31),
                   (-wide * 1.03, -0.27)], closed=True)  # fmt: skip
    easel.fill(lowered(brim, 0.025), head.shade, 0.3)
    easel.fill(brim, pale)
    for x in np.linspace(-0.86, 0.86, 11) * wide:
        easel.fill(ribbon(np.array([(x, -0.45), (x, -0.37), (x, -0.285)]), 0.016, 0.6), cloth, 0.7)


def _draw_brimmed_hat(easel: Easel, head: Head, face: FaceFactors, cloth: Colour) -> None:
    dark, pale = mix(cloth, (30, 16, 40), 0.35), mix(cloth, (255, 246, 230), 0.5)
    wide = head.width * 1.14
    dome = easel.mask(spline([(-wide * 0.92, -0.38), (-wide * 0.84, -0.72), (-wide * 0.5, -0.87), (0, -0.85),
                              (wide * 0.5, -0.87), (wide * 0.84, -0.72), (wide * 0.92, -0.38)]))  # fmt: skip
    easel.wash(dome, cloth)
    _light(easel, face, dome, dark, pale, -0.65)
    band = spline([(-wide * 0.93, -0.52), (0, -0.58), (wide * 0.93, -0.52), (wide * 0.95, -0.38), (0, -0.42),
                   (-wide * 0.95, -0.38)], closed=True)  # fmt: skip
    easel.fill(band, dark)
    brim = spline([(-wide * 1.48, -0.3), (-wide * 0.9, -0.41), (0, -0.45), (wide * 0.9, -0.41),
        (wide * 1.48, -0.3),
                   (wide * 0.8, -0.3), (0, -0.335), (-wide * 0.8, -0.3)], closed=True)  # fmt: skip
    easel.fill(lowered(brim, 0.04), head.shade, 0.3)
    easel.fill(brim, mix(cloth, pale, 0.25))


def _light(
    easel: Easel, face: FaceFactors, stencil: Image.Image, dark: Colour, pale: Colour, height: float
) -> None:
    easel.glow((-0.5 * face.light, height + 0.1), (0.55, 0.5), dark, 0.6, within=stencil)
    easel.glow((0.28 * face.light, height), (0.3, 0.24), pale, 0.7, within=stencil)


def _length(face: FaceFactors) -> float:
    """A hat presses full curls down, or they would stand out over it."""
    pressed = face.hat != "none" and face.hair_style == "curly"
    return face.hair_length * (0.25 if pressed else 1)


def _draw_bun(easel: Easel, face: FaceFactors, length: float) -> None:
    radius = 0.14 + 0.1 * length
    y = -0.55 - radius * 0.75
    colour = hair_colour(face)
    ball = easel.mask(ellipse(0, y, radius * 1.15, radius))
    easel.wash(ball, colour)
    easel.glow((0, y + radius), (radius * 1.4, radius), mix(colour, (20, 8, 18), 0.6), 0.8, within=ball)
    shine = mix(colour, (255, 240, 214), 0.5)
    easel.glow((0.06 * face.light, y - radius * 0.4), (radius * 0.8, radius * 0.45), shine, 0.8, within=ball)


def _draw_pigtail(easel: Easel, head: Head, face: FaceFactors, way: int) -> None:
    colour, drop = hair_colour(face), 0.25 + 0.6 * face.hair_length
    x = way * (head.width + 0.08)
    tail = easel.mask(spline([(x - way * 0.1, -0.26), (x + way * 0.12, -0.3), (x + way * 0.27, -0.1),
                              (x + way * 0.23, -0.2 + drop), (x + way * 0.08, -0.02 + drop),
                              (x - way * 0.02, -0.2 + drop)], closed=True))  # fmt: skip
    easel.wash(tail, colour)
    easel.glow((x, 0.1), (0.2, 0.5), mix(colour, (20, 8, 18), 0.5), 0.6, within=tail)
    shine = mix(colour, (255, 240, 214), 0.5)
    easel.glow((x + way * 0.14, -0.14), (0.13, 0.16), shine, 0.8, within=tail)
    easel.fill(ellipse(x - way * 0.01, -0.24, 0.055, 0.075, 16), lch(0.65, 0.15, face.clothes_hue + 0.45))


def _draw_combing(easel: Easel, head: Head, colour: Colour, grow: float, stencil: Image.Image) -> None:
    """A few fine strokes that follow the crown."""
    dark = mix(colour, (20, 8, 18), 0.4)
    strokes = []
    for x in (-0.27, -0.1, 0.12, 0.29):
        path = spline([(x * 0.75, -0.54 * grow), (x * 1.05, -0.49), (x * 1.2, -0.385)], steps=6)
        strokes.append(head.at(ribbon(path, 0.018, 0.1)))
    easel.wash(easel.mask(*strokes), dark, 0.5, within=stencil)


def _strand(head: Head, length: float, way: int) -> np.ndarray:
    """Long hair that falls before the shoulder."""
    end, side = 0.42 + 0.5 * length, head.width
    return spline([(way * side * 0.9, -0.3), (way * side * 1.12, -0.1), (way * side * 1.22, 0.25),
                   (way * side * 1.28, end), (way * side * 1.0, end + 0.1), (way * side * 0.86, end - 0.12),
                   (way * side * 0.97, 0.2), (way * side * 0.92, 0.0)], closed=True)  # fmt: skip


def _curls(head: Head, length: float, reach: float) -> list[np.ndarray]:
    """Round curls in two rows along the head; `reach` is the share of it, from the crown, that they cover."""
    curls = []
    for row, (grow, radius) in enumerate(
        ((0.98 + 0.1 * length, 0.12), (1.08 + 0.26 * length, 0.12 + 0.035 * length))
    ):
        count = round(22 * reach) + row
        for x, y in head.outline(grow, -reach / 2, reach / 2, count) * (1.06, 1):
            curls.append(ellipse(x, y, radius, radius, 20))
    return curls
