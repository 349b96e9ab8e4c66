"""The features on a head: eyes, brows, nose, mouth, beard, glasses, freckles.

Enters: an easel, the head, the factors, the hair's colour. Leaves: paint on the easel.
Every feature is given on a frontal face; `Head.at` turns it.
"""

import numpy as np

from facette.data.portrait.easel import Colour, Easel, ellipse, lowered, mix, ribbon, spline
from facette.data.portrait.factors import FaceFactors
from facette.data.portrait.head import Head

EYE_X, EYE_Y = 0.205, 0.0
MOUTH_Y = 0.325
SIDES = (-1, 1)

_IRIS: dict[str, Colour] = {
    "brown": (104, 62, 34),
    "hazel": (146, 106, 48),
    "green": (72, 132, 84),
    "blue": (62, 124, 186),
    "grey": (118, 134, 146),
}
_INK: Colour = (46, 30, 30)
_FRECKLES = (
    (0.1, 0.13),
    (0.16, 0.17),
    (0.22, 0.13),
    (0.28, 0.175),
    (0.13, 0.215),
    (0.25, 0.22),
    (0.035, 0.1),
)


def draw_cheeks(easel: Easel, head: Head, face: FaceFactors) -> None:
    """Blush, and freckles where there are any."""
    skin = easel.mask(head.outline())
    for side in SIDES:
        easel.glow(head.spot(side * 0.285, 0.19), (0.17, 0.13), head.rose, 0.55, within=skin)
    if face.freckles == "some":
        ink = mix(head.skin, (120, 58, 26), 0.5)
        dots = [head.at(ellipse(side * x, y, 0.014, 0.012, 10)) for side in SIDES for x, y in _FRECKLES]
        easel.wash(easel.mask(*dots), ink, 0.75, within=skin)


def draw_eyes(easel: Easel, head: Head, face: FaceFactors) -> None:
    """White, iris, pupil, two lights, the upper lash line and a soft lid."""
    scale = 1 + 0.24 * face.eye_size
    rx, ry = 0.1 * scale, 0.092 * scale
    iris = _IRIS[face.eye_colour]
    for side in SIDES:
        x = side * EYE_X
        easel.glow(head.spot(x, EYE_Y - 0.03), (rx * 1.6, ry * 1.7), head.shade, 0.38)
        almond = spline(
            [(x - rx, EYE_Y + 0.01), (x - rx * 0.55, EYE_Y - ry * 0.8), (x, EYE_Y - ry),
             (x + rx * 0.55, EYE_Y - ry * 0.8), (x + rx, EYE_Y + 0.01), (x, EYE_Y + ry * 0.86)],
            closed=True, steps=6,
        )  # fmt: skip
        white = easel.mask(head.at(almond))
        easel.wash(white, (252, 250, 247))
        easel.glow(head.spot(x, EYE_Y - ry), (rx * 1.5, ry * 0.8), (120, 96, 100), 0.4, within=white)
        ball = easel.mask(head.at(ellipse(x, EYE_Y - 0.002, ry * 0.8, ry * 0.84)))
        easel.wash(ball, mix(iris, (0, 0, 0), 0.45), within=white)
        easel.fill(head.at(ellipse(x, EYE_Y + 0.004, ry * 0.66, ry * 0.66, 24)), iris)
        easel.glow(
            head.spot(x, EYE_Y + ry * 0.36), (ry * 0.6, ry * 0.5), mix(iris, (255, 255, 255), 0.55), 0.9
        )
        easel.fill(head.at(ellipse(x, EYE_Y, ry * 0.38, ry * 0.4, 20)), (22, 16, 18))
        easel.fill(
            head.at(ellipse(x - ry * 0.28, EYE_Y - ry * 0.34, ry * 0.24, ry * 0.24, 16)), (255, 255, 255)
        )
        easel.fill(
            head.at(ellipse(x + ry * 0.3, EYE_Y + ry * 0.3, ry * 0.11, ry * 0.11, 12)), (255, 255, 255), 0.8
        )
        lash = spline(
            [(x - side * rx * 0.96, EYE_Y + 0.006), (x - side * rx * 0.5, EYE_Y - ry * 0.84),
            (x, EYE_Y - ry * 1.02),
             (x + side * rx * 0.56, EYE_Y - ry * 0.82), (x + side * rx * 1.1, EYE_Y - ry * 0.02)], steps=6,
        )  # fmt: skip
        easel.fill(head.at(ribbon(lash, 0.036, 0.3)), _INK)


def draw_brows(easel: Easel, head: Head, face: FaceFactors, hair: Colour) -> None:
    """One tapered stroke over each eye; its inner end goes down with `brow_tilt`."""
    ink = mix(mix(hair, _INK, 0.3), head.skin, 0.08)
    for side in SIDES:
        inner, outer = -0.175 + 0.05 * face.brow_tilt, -0.165 - 0.032 * face.brow_tilt
        arch = (inner + outer) / 2 - 0.045
        path = spline([(side * 0.1, inner), (side * 0.2, arch), (side * 0.325, outer)], steps=8)
        easel.fill(head.at(ribbon(path, 0.046, 0.35)), ink)


def draw_nose(easel: Easel, head: Head, face: FaceFactors) -> None:
    """A soft round tip: shade beside and below it, a light on it."""
    x = 0.07 * np.sin(head.turn)  # it stands out of the ball, so a turn moves it further
    easel.glow(head.spot(x - 0.05 * face.light, 0.12), (0.085, 0.15), head.shade, 0.3)
    easel.glow(head.spot(x, 0.165), (0.12, 0.085), head.shade, 0.5)
    base = spline(
        [(x - 0.058, 0.158), (x - 0.035, 0.187), (x, 0.194), (x + 0.035, 0.187), (x + 0.058, 0.158)], steps=5
    )
    easel.fill(head.at(ribbon(base, 0.022, 0.3)), mix(head.shade, _INK, 0.22), 0.85)
    easel.glow(head.spot(x + 0.015 * face.light, 0.115), (0.052, 0.06), head.sheen, 0.85)


def draw_mouth(easel: Easel, head: Head, face: FaceFactors) -> None:
    """Two lips that meet in the corners; between them, as far as the mouth is open, teeth and tongue."""
    half = 0.145 + 0.035 * face.smile
    gap = 0.15 * face.mouth_open**1.3
    corner = MOUTH_Y - 0.06 * face.smile
    upper = MOUTH_Y + 0.028 * face.smile - 0.28 * gap
    lower = MOUTH_Y + 0.044 * face.smile + 0.78 * gap
    top = spline([(-half, corner), (-half * 0.5, (corner + 2.6 * upper) / 3.6), (0, upper),
                  (half * 0.5, (corner + 2.6 * upper) / 3.6), (half, corner)])  # fmt: skip
    bottom = spline([(-half, corner), (-half * 0.56, (corner + 3.4 * lower) / 4.4), (0, lower),
                     (half * 0.56, (corner + 3.4 * lower) / 4.4), (half, corner)])  # fmt: skip
    lip = mix(head.rose, _INK, 0.12)
    easel.glow(head.spot(0, lower + 0.075), (0.15, 0.06), head.shade, 0.5)
    easel.fill(head.at(lowered(ribbon(bottom, 0.062, 0.2), 0.008)), mix(lip, (255, 190, 180), 0.22))
    easel.fill(head.at(lowered(ribbon(top, 0.048, 0.2), -0.004)), lip)
    hollow = easel.mask(head.at(np.vstack([top, bottom[::-1]])))
    easel.wash(hollow, (94, 26, 34))
    easel.glow(
        head.spot(0, lower + 0.012), (half * 0.8, 0.35 * gap + 0.02), (226, 104, 108), 0.95, within=hollow
    )
    teeth = np.vstack([lowered(top, -0.02), (bottom * (1, 0) + (top * 0.72 + bottom * 0.28) * (0, 1))[::-1]])
    easel.wash(easel.mask(head.at(teeth)), (253, 250, 244), within=hollow)
    seam = np.vstack(
        [(-half - 0.012, corner - 0.01 * face.smile), top[1:-1], (half + 0.012, corner - 0.01 * face.smile)]
    )
    easel.fill(head.at(ribbon(seam, 0.018, 0.8)), mix(lip, _INK, 0.55))


def draw_facial_hair(easel: Easel, head: Head, face: FaceFactors, hair: Colour) -> None:
    """Stubble and beard cover the jaw up to the lip; a moustache only the lip."""
    ink = mix(hair, _INK, 0.12)
    if face.facial_hair in ("stubble", "beard"):
        full = face.facial_hair == "beard"
        jaw = head.outline(1.045 if full else 1.0, 0.29, 0.71)
        line = head.at(spline([(-0.42, 0.12), (-0.33, 0.25), (-0.2, 0.262), (-0.09, 0.235), (0, 0.228),
                               (0.09, 0.235), (0.2, 0.262), (0.33, 0.25), (0.42, 0.12)]))  # fmt: skip
        stencil = easel.mask(np.vstack([jaw, _pulled_in(line, head)]))
        easel.wash(stencil, ink, 0.97 if full else 0.26)
        if full:
            easel.glow(
                (0.3 * face.light, 0.36), (0.34, 0.3), mix(ink, (255, 236, 210), 0.3), 0.65, within=stencil
            )
    elif face.facial_hair == "moustache":
        lobes = [
            spline([(0, 0.215), (side * 0.1, 0.212), (side * 0.205, 0.262), (side * 0.235, 0.225),
                    (side * 0.19, 0.3), (side * 0.08, 0.285), (0, 0.262)], closed=True)
            for side in SIDES
        ]  # fmt: skip
        easel.wash(easel.mask(*map(head.at, lobes)), ink, within=easel.mask(head.outline(1.01)))


def draw_glasses(easel: Easel, head: Head, face: FaceFactors) -> None:
    """Two tinted panes in a frame, a bridge, temples to the ears, a glint across each pane."""
    if face.glasses == "none":
        return
    frame: Colour = (52, 40, 46) if face.glasses == "square" else (150, 96, 44)
    width = 0.034 if face.glasses == "square" else 0.026
    for side in SIDES:
        x, y = side * EYE_X, EYE_Y + 0.01
        if face.glasses == "round":
            pane = ellipse(x, y, 0.162, 0.158)
        else:
            pane = spline([(x - 0.16, y - 0.11), (x, y - 0.122), (x + 0.16, y - 0.11), (x + 0.165, y),
                           (x + 0.135, y + 0.115), (x, y + 0.13), (x - 0.135, y + 0.115), (x - 0.165, y)],
                          closed=True, steps=5)  # fmt: skip
        easel.fill(head.at(pane), (226, 240, 250), 0.2)
        glint = [(x - 0.06, y - 0.09), (x - 0.02, y - 0.098), (x - 0.085, y + 0.05), (x - 0.11, y + 0.02)]
        easel.fill(head.at(glint), (255, 255, 255), 0.4)
        easel.fill(
            ribbon(np.linspace(head.spot(side * 0.36, -0.02), (side * head.width, -0.04), 6), width, 1), frame
        )
        easel.ring(head.at(pane), width, frame)
    bridge = spline([(-0.048, -0.015), (0, -0.04), (0.048, -0.015)])
    easel.fill(head.at(ribbon(bridge, width, 0.9)), frame)


def _pulled_in(line: np.ndarray, head: Head) -> np.ndarray:
    """A line on the turned face, kept between the head's sides: past them it would fold back over itself."""
    return np.column_stack([line[:, 0].clip(-head.width, head.width), line[:, 1]])
