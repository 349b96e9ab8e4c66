"""The colours that contact sheets and plots share. It knows only colours: RGB triples of 0…255."""

from dataclasses import dataclass
from typing import Literal

from facette.errors import UsageError

Colour = tuple[int, int, int]
ThemeName = Literal["light", "dark"]

# Told apart also by readers with a red-green weakness: lightness falls from one to the next but one.
ACCENTS: tuple[Colour, ...] = (
    (214, 83, 109),
    (46, 108, 164),
    (233, 163, 59),
    (62, 142, 116),
    (129, 92, 163),
    (120, 190, 208),
    (160, 92, 60),
)


@dataclass(frozen=True, slots=True)
class Theme:
    """Paper, text, quieter text, hairlines, and the colour that says "look here"."""

    paper: Colour
    ink: Colour
    muted: Colour
    line: Colour
    accent: Colour


LIGHT = Theme((250, 248, 244), (42, 40, 50), (104, 100, 112), (222, 217, 208), ACCENTS[0])
DARK = Theme((24, 24, 29), (238, 235, 230), (168, 164, 174), (62, 61, 70), (240, 118, 142))


def theme(name: ThemeName) -> Theme:
    """The theme called "light" or "dark"."""
    match name:
        case "light":
            return LIGHT
        case "dark":
            return DARK
    raise UsageError(f"unknown theme {name!r}: choose light or dark")
