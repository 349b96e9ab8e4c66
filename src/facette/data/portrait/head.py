"""The head as a shape: its outline, how its surface turns, and the colours of skin.

Enters: `FaceFactors`. Leaves: points of the unit frame and colours. It draws nothing.
"""

import math
from dataclasses import dataclass

import numpy as np

from facette.data.portrait.easel import Colour, mix
from facette.data.portrait.factors import FaceFactors

MIDDLE = -0.02  # height of the head's widest place
TOP, CHIN = 0.55, 0.58  # from there up to the crown and down to the chin
NECK = (0.0, 0.75)  # the head leans around this point
TURN = 0.2  # radians of yaw at ±1
LEAN = 0.13  # radians of tilt at ±1
BALL = 0.62  # radius of the ball on which eyes, nose and mouth sit

# Skin from fair to dark; a tone between two of them is their mixture.
_SKIN: tuple[Colour, ...] = (
    (255, 230, 213),
    (250, 211, 180),
    (236, 184, 143),
    (205, 145, 102),
    (160, 104, 68),
    (112, 70, 47),
)


@dataclass(frozen=True, slots=True)
class Head:
    """Geometry and skin of one person."""

    width: float  # half the head's width
    turn: float  # radians, positive to the picture's right
    lean: float  # radians, positive to the picture's right
    skin: Colour
    shade: Colour  # skin away from the light
    sheen: Colour  # skin in the light
    rose: Colour  # lips and cheeks

    @classmethod
    def of(cls, face: FaceFactors) -> "Head":
        skin = skin_colour(face.skin_tone)
        return cls(
            width=0.475 + 0.05 * face.face_width,
            turn=TURN * face.yaw,
            lean=LEAN * face.tilt,
            skin=skin,
            shade=mix(skin, (120, 40, 30), 0.36),
            sheen=mix(skin, (255, 244, 226), 0.6),
            rose=mix(skin, (214, 54, 70), 0.48),
        )

    def outline(
        self, grow: float = 1.0, start: float = 0.0, stop: float = 1.0, count: int = 48
    ) -> np.ndarray:
        """Points (count, 2) along the head, clockwise from the crown; `start` and `stop` in turns.

        `grow` pushes the line outwards from the middle of the head; hair lies on a grown outline.
        """
        angles = 2 * math.pi * np.linspace(start, stop, count)
        down = -np.cos(angles)
        jaw = 1 - 0.24 * down.clip(0) ** 2.2  # the jaw is narrower than the temples
        x = self.width * np.sin(angles) * jaw
        y = np.where(down > 0, CHIN, TOP) * down
        return np.column_stack([x, y]) * grow + (0, MIDDLE)

    def at(self, points: list[tuple[float, float]] | np.ndarray) -> np.ndarray:
        """Points of a frontal face (P, 2), moved to where a turn of the head brings them."""
        frontal = np.asarray(points, dtype=float)
        angles = np.arcsin((frontal[:, 0] / BALL).clip(-1, 1)) + self.turn
        return np.column_stack([BALL * np.sin(angles), frontal[:, 1]])

    def spot(self, x: float, y: float) -> tuple[float, float]:
        """One point of the frontal face, turned."""
        moved = self.at([(x, y)])[0]
        return float(moved[0]), float(moved[1])


def skin_colour(tone: float) -> Colour:
    """The colour of a `skin_tone` from 0 (very fair) to 1 (very dark)."""
    place = tone * (len(_SKIN) - 1)
    below = min(int(place), len(_SKIN) - 2)
    return mix(_SKIN[below], _SKIN[below + 1], place - below)
