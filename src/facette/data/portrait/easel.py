"""The paper and brushes a portrait is drawn with: filled curves, tapered strokes, soft light.

Enters: points of the unit frame (x to the right, y down, both −1…1 across the picture) and RGB colours.
Leaves: a uint8 picture of (size, size, 3), drawn larger and averaged down, so edges are smooth.
It does not know what a face is.
"""

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw

Colour = tuple[int, int, int]

SUPERSAMPLING = 4
# Above this side the 4× canvas costs more than its finer edges show.
LARGE_SIDE = 160


class Easel:
    """One picture being drawn."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.side = size * (SUPERSAMPLING if size <= LARGE_SIDE else SUPERSAMPLING // 2)
        self.image = Image.new("RGB", (self.side, self.side))
        self._pen = ImageDraw.Draw(self.image, "RGBA")
        self._rotation = np.eye(2)
        self._pivot = np.zeros(2)

    def tilt(self, radians: float, pivot: tuple[float, float]) -> None:
        """From here on everything is drawn turned by `radians` around `pivot` (clockwise on the paper)."""
        cosine, sine = math.cos(radians), math.sin(radians)
        self._rotation = np.array([[cosine, sine], [-sine, cosine]])
        self._pivot = np.array(pivot)

    def fill(self, points: np.ndarray, colour: Colour, alpha: float = 1.0) -> None:
        """Fill the closed curve through `points` (P, 2)."""
        self._pen.polygon(self._pixels(points), fill=(*colour, round(255 * alpha)))

    def ring(self, points: np.ndarray, width: float, colour: Colour) -> None:
        """Stroke the closed curve through `points` (P, 2) with an even `width` in frame units."""
        closed = np.vstack([points, points[:2]])
        self._pen.line(self._pixels(closed), fill=colour, width=self._length(width), joint="curve")

    def mask(self, *curves: np.ndarray) -> Image.Image:
        """The union of closed curves as an "L" stencil, for `wash` and the `within` of `glow`."""
        stencil = Image.new("L", (self.side, self.side))
        pen = ImageDraw.Draw(stencil)
        for points in curves:
            pen.polygon(self._pixels(points), fill=255)
        return stencil

    def wash(
        self, stencil: Image.Image, colour: Colour, alpha: float = 1.0, within: Image.Image | None = None
    ) -> None:
        """One even layer of colour through a stencil, kept inside `within`."""
        if within is not None:
            stencil = ImageChops.multiply(stencil, within)
        self.image.paste(colour, (0, 0), stencil if alpha >= 1 else _faded(stencil, alpha))

    def gradient(self, top: Colour, bottom: Colour) -> None:
        """Cover the whole paper from `top` to `bottom`."""
        self.image.paste(top, (0, 0, self.side, self.side))
        self.image.paste(bottom, (0, 0), _ramp(self.side))

    def glow(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        colour: Colour,
        alpha: float,
        within: Image.Image | None = None,
    ) -> None:
        """A soft elliptic spot of light or shade, clear at its rim, kept inside `within`."""
        middle = self._place(np.array([centre]))[0]
        left, top = (round(float(middle[i] - radii[i] * self.side / 2)) for i in (0, 1))
        width, height = (self._length(2 * radius) for radius in radii)
        spot = _spot(width, height, round(255 * alpha))
        if within is not None:
            spot = ImageChops.multiply(spot, within.crop((left, top, left + width, top + height)))
        self.image.paste(colour, (left, top), spot)

    def picture(self) -> np.ndarray:
        """What has been drawn so far: uint8 (size, size, 3)."""
        return np.asarray(self.image.reduce(self.side // self.size))

    def _place(self, points: np.ndarray) -> np.ndarray:
        turned = (points - self._pivot) @ self._rotation + self._pivot
        return (turned + 1) * (self.side / 2)

    def _pixels(self, points: np.ndarray) -> list[float]:
        return self._place(points).ravel().tolist()

    def _length(self, units: float) -> int:
        return max(1, round(units * self.side / 2))


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 36) -> np.ndarray:
    """Points (count, 2) around an ellipse."""
    return _circle(count) * (rx, ry) + (x, y)


def spline(knots: list[tuple[float, float]] | np.ndarray, closed: bool = False, steps: int = 8) -> np.ndarray:
    """A smooth curve through `knots` (K, 2): the uniform Catmull–Rom spline, `steps` points a piece."""
    points = np.asarray(knots, dtype=float)
    before, after = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.vstack([before, points, after])
    pieces = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)], axis=1)  # (pieces, 4, 2)
    curve = (_catmull_rom(steps) @ pieces).reshape(-1, 2)
    return curve if closed else np.vstack([curve, points[-1:]])


def lowered(points: np.ndarray, by: float) -> np.ndarray:
    """The same curve, `by` further down."""
    return points + np.array([0, by])


def ribbon(path: np.ndarray, width: float, ends: float = 0.25) -> np.ndarray:
    """The outline of a brush stroke along `path` (P, 2): `width` in its middle, `ends`·width at its tips."""
    step = np.empty_like(path)
    step[1:-1] = path[2:] - path[:-2]
    step[0], step[-1] = path[1] - path[0], path[-1] - path[-2]
    normal = step[:, ::-1] * (1, -1) / (np.linalg.norm(step, axis=1, keepdims=True) + 1e-9)
    swell = ends + (1 - ends) * np.sin(np.linspace(0, math.pi, len(path)))[:, None]
    offset = normal * swell * (width / 2)
    return np.vstack([path + offset, (path - offset)[::-1]])


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`first` with `share` (0…1) of `second` stirred in."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def lch(lightness: float, chroma: float, hue: float) -> Colour:
    """A colour by perceived lightness (0…1), chroma (0…0.3) and hue (turns, 0…1).

    Source: Björn Ottosson, "A perceptual color space for image processing" (Oklab), 2020. Colours outside
    sRGB are clipped.
    """
    a, b = chroma * math.cos(2 * math.pi * hue), chroma * math.sin(2 * math.pi * hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return _encoded(red), _encoded(green), _encoded(blue)


def _encoded(linear: float) -> int:
    """One linear-light channel as an sRGB byte (IEC 61966-2-1)."""
    value = min(max(linear, 0.0), 1.0)
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def _faded(stencil: Image.Image, alpha: float) -> Image.Image:
    return ImageChops.multiply(stencil, Image.new("L", stencil.size, round(255 * alpha)))


@lru_cache(maxsize=8)
def _circle(count: int) -> np.ndarray:
    angles = np.linspace(0, 2 * math.pi, count, endpoint=False)
    return np.column_stack([np.cos(angles), np.sin(angles)])


@lru_cache(maxsize=8)
def _catmull_rom(steps: int) -> np.ndarray:
    t = np.arange(steps)[:, None] / steps
    powers = np.hstack([np.ones_like(t), t, t**2, t**3])
    return powers @ (np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2)


@lru_cache(maxsize=8)
def _ramp(side: int) -> Image.Image:
    return Image.linear_gradient("L").resize((side, side), Image.Resampling.BILINEAR)


@lru_cache(maxsize=1)
def _spot_master() -> Image.Image:
    axis = np.linspace(-1, 1, 96)
    radius = np.hypot(axis[:, None], axis[None, :]).clip(0, 1)
    return Image.fromarray(np.round(255 * (0.5 + 0.5 * np.cos(math.pi * radius))).astype(np.uint8))


# Most spots recur from face to face; keeping them saves a resize each.
@lru_cache(maxsize=512)
def _spot(width: int, height: int, level: int) -> Image.Image:
    return _faded(_spot_master().resize((width, height), Image.Resampling.BILINEAR), level / 255)
