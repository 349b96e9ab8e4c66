"""What a drawn face is made of: the table of factors and one person's values.

Enters: a random generator, a row of numbers, or names with values. Leaves: `FaceFactors`.
It knows no pixels. Factors are independent of each other; each is drawn from its own uniform number, so
adding a factor at the end of the table leaves the others as they were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Literal

from facette.errors import UsageError


@dataclass(frozen=True, slots=True)
class Factor:
    """One way in which drawn faces differ.

    A continuous factor is uniform between `low` and `high`; a circular one too, and its ends look the same;
    a categorical factor is stored as the place of its category, drawn with the given `weights`.
    """

    name: str
    kind: Literal["continuous", "circular", "categorical"]
    meaning: str
    low: float = 0.0
    high: float = 1.0
    categories: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()

    def value(self, uniform: float) -> float:
        """The factor's value at a point of [0, 1): its inverse cumulative distribution."""
        if self.kind != "categorical":
            return self.low + (self.high - self.low) * uniform
        target = uniform * sum(self.weights)
        return float(next(i for i, edge in enumerate(accumulate(self.weights)) if target < edge))


def _span(name: str, low: float, high: float, meaning: str) -> Factor:
    return Factor(name, "continuous", meaning, low, high)


def _hue(name: str, meaning: str) -> Factor:
    return Factor(name, "circular", meaning)


def _choice(name: str, meaning: str, **weights: float) -> Factor:
    return Factor(
        name,
        "categorical",
        meaning,
        0,
        len(weights) - 1,
        tuple(weights),
        tuple(float(w) for w in weights.values()),
    )


FACTORS: tuple[Factor, ...] = (
    _span("skin_tone", 0, 1, "from very fair to very dark"),
    _span("face_width", -1, 1, "from narrow to broad"),
    _choice("hair_colour", "hair and brows", black=4, brown=4, chestnut=3, red=2, blond=4, grey=2, pink=1),
    _choice("hair_style", "the cut", bald=2, short=4, swept=4, bob=3, long=4, bun=2, curly=3, pigtails=2),
    _span("hair_length", 0, 1, "length or volume of the cut; nothing to see on a bald head"),
    _choice("eye_colour", "the iris", brown=5, hazel=2, green=2, blue=3, grey=1),
    _span("eye_size", -1, 1, "from small to big"),
    _span("brow_tilt", -1, 1, "from worried (inner ends up) to stern (inner ends down)"),
    _span("smile", -1, 1, "from a frown to a broad smile"),
    _span("mouth_open", 0, 1, "from closed lips to an open mouth"),
    _span("yaw", -1, 1, "the head turned to the picture's left (−1) or right (+1)"),
    _span("tilt", -1, 1, "the head leaning to the picture's left (−1) or right (+1)"),
    _hue("background_hue", "colour of the wall, in turns"),
    _hue("clothes_hue", "colour of the jumper, in turns"),
    _span("light", -1, 1, "light falling from the picture's left (−1) or right (+1)"),
    _choice("glasses", "what the eyes look through", none=7, round=2, square=2),
    _choice("facial_hair", "on lip and chin", none=12, stubble=2, moustache=2, beard=3),
    _choice("hat", "on the head", none=8, beanie=1, brimmed=1),
    _choice("earrings", "in both ears", none=5, stud=1, hoop=1),
    _choice("freckles", "on nose and cheeks", none=4, some=1),
)

_BY_NAME = {factor.name: factor for factor in FACTORS}


@dataclass(frozen=True, slots=True)
class FaceFactors:
    """One drawn person: numbers for continuous factors, names for categories. By default a plain face."""

    skin_tone: float = 0.25
    face_width: float = 0.0
    hair_colour: str = "brown"
    hair_style: str = "short"
    hair_length: float = 0.5
    eye_colour: str = "brown"
    eye_size: float = 0.0
    brow_tilt: float = 0.0
    smile: float = 0.5
    mouth_open: float = 0.2
    yaw: float = 0.0
    tilt: float = 0.0
    background_hue: float = 0.6
    clothes_hue: float = 0.1
    light: float = -0.5
    glasses: str = "none"
    facial_hair: str = "none"
    hat: str = "none"
    earrings: str = "none"
    freckles: str = "none"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            _check(_BY_NAME[name], value)

    @classmethod
    def named(cls, values: Mapping[str, float | str]) -> "FaceFactors":
        """The plain face with some factors changed. UsageError: a name or value not in FACTORS."""
        unknown = sorted(set(values) - set(_BY_NAME))
        if unknown:
            raise UsageError(f"unknown face factor {unknown[0]!r}: choose among {', '.join(_BY_NAME)}")
        return cls(**values)  # type: ignore[arg-type]  # values are checked one by one in __post_init__

    @classmethod
    def from_uniforms(cls, uniforms: Sequence[float]) -> "FaceFactors":
        """The person at a point of the unit cube, one uniform number for each factor."""
        return cls.from_row([factor.value(u) for factor, u in zip(FACTORS, uniforms, strict=True)])

    @classmethod
    def from_row(cls, row: Sequence[float]) -> "FaceFactors":
        """Back from the numbers of `row`."""
        return cls.named(
            {
                factor.name: factor.categories[round(value)] if factor.kind == "categorical" else float(value)
                for factor, value in zip(FACTORS, row, strict=True)
            }
        )

    def row(self) -> list[float]:
        """One number for each factor in the order of FACTORS; a category is its place in the table."""
        return [
            float(factor.categories.index(value)) if factor.kind == "categorical" else value
            for factor, value in zip(FACTORS, asdict(self).values(), strict=True)
        ]


def _check(factor: Factor, value: object) -> None:
    if factor.kind == "categorical":
        if value not in factor.categories:
            raise UsageError(f"{factor.name} is {value!r}: choose among {', '.join(factor.categories)}")
    elif isinstance(value, str) or not factor.low <= float(value) <= factor.high:  # type: ignore[arg-type]
        raise UsageError(
            f"{factor.name} is {value!r}: it must be a number from {factor.low:g} to {factor.high:g}"
        )
