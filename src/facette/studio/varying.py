"""What the page Vary shows: ten relatives with their buttons, how like the person they are, the way back.

Enters: what the controls say (`VarySettings`), results of the latent room. Leaves: HTML and command lines.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from facette.latent.around import Step
from facette.latent.details import Details
from facette.latent.levels import DIGITS, Curve, Level, choose_setting
from facette.latent.noise import Noise, knows_people
from facette.studio.parts import PictureButton, command_line, faces, folded, note, preview_address
from facette.studio.state import PreparedPhoto, StartingPoint

if TYPE_CHECKING:
    from facette.model.interface import DrawingModel
    from facette.studio.app import Studio

MESSAGES = "vary-button"
NOISES: dict[str, Noise] = {"what the model is unsure of": "posterior", "how people differ": "people"}
DETAILS: dict[str, Details] = {"the photo's own details": "photo", "the model's drawing alone": "model"}
LEVELS: dict[str, Level] = {"Subtle": "subtle", "Medium": "medium", "Automatic": "auto", "Bold": "bold"}
WHOLE = 100.0  # the dial's end
BEYOND = 2.0  # times the bold level: the strength there
# Likeness, 1 the photo itself and 0 a stranger, in words.
LIKENESS = (
    (0.5, "Very like the person."),
    (0.25, "Like the person, as another photo would be."),
    (0.1, "Like the person at second sight."),
    (-np.inf, "Hardly like the person."),
)


@dataclass(frozen=True, slots=True)
class VarySettings:
    """What the controls say."""

    place: StartingPoint
    factor: float
    seed: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the dial goes with one kind of noise, and where the words lie on it."""

    levels: dict[str, float]  # strengths
    farthest: float  # strength at the dial's end

    def strength(self, position: float) -> float:
        """Few digits, so that a strength read off the page draws the same pictures again."""
        return float(f"{position / WHOLE * self.farthest:.{DIGITS}g}")

    def position(self, strength: float) -> float:
        return strength / self.farthest * WHOLE

    def level(self, strength: float) -> str | None:
        """The word for a strength; None where it has none."""
        return next((words for words, known in self.levels.items() if known == strength), None)


def reaches_of(model: DrawingModel) -> dict[Noise, Reach]:
    """The dial for every kind of noise that the model knows."""
    reaches: dict[Noise, Reach] = {}
    for noise in NOISES.values():
        if noise == "posterior" or knows_people(model):
            levels = {w: choose_setting(model, level, noise=noise).strength for w, level in LEVELS.items()}
            reaches[noise] = Reach(levels, BEYOND * levels["Bold"])
    return reaches


def gallery_html(
    settings: VarySettings,
    seeds: Sequence[int],
    pictures: np.ndarray,
    kept: Collection[int],
    files: tuple[Sequence[str], Sequence[str]],
    before: str,
    pasted: Sequence[tuple[str, str]] = (),
) -> str:
    """The ten, each with its buttons.

    `kept`: seeds of favourites. `files`: names and addresses of the ten. `before`: the address of the photo. `pasted`:
    address and name of the whole photo with each of them in it.
    """
    depth = len(settings.place.around)
    buttons = []
    for seed in seeds:
        message = {"seed": seed, "factor": settings.factor, "depth": depth}
        words = "Let it go" if seed in kept else "Keep"
        buttons.append(
            (
                PictureButton("pin", words, {"do": "keep", **message}, seed in kept),
                PictureButton("more", "More like it", {"do": "more", **message}),
            )
        )
    names, addresses = files
    return faces(
        list(pictures),
        names=names,
        addresses=addresses,
        to=MESSAGES,
        buttons=buttons,
        kind="ten",
        before=before,
        pasted=pasted,
    )


def meter_html(curve: Curve | None, strength: float) -> str:
    """How like the person relatives at this strength are, on a line from somebody else to the same person."""
    if curve is None:
        return note("How like the person these are was never measured for this model.", "meter")
    likeness = curve.likeness_at(strength)
    words = next(words for least, words in LIKENESS if likeness >= least)
    figures = (
        f"Likeness {likeness:.2f} in the median (1 is the photo, 0 the nearest strangers); still the same person in "
        f"{curve.same_at(strength):.0%}."
    )
    mark = f'<b style="left:{float(np.clip(likeness, 0, 1)):.1%}"></b>'
    ends = "<span>somebody else</span><span>the same person</span>"
    return (
        f'<div class="meter"><p>{words}</p><div class="track" aria-hidden="true">{mark}</div>'
        f'<div class="ends" aria-hidden="true">{ends}</div>{folded("Figures", note(figures))}</div>'
    )


def trail_html(starts: Sequence[PreparedPhoto], around: Sequence[Step]) -> str:
    """From where one goes on, as pictures with the way back; nothing at the photo itself.

    `starts`: of the photo, and of every step from it.
    """
    if not around:
        return ""
    from facette.studio.parts import button

    pictures = [starts[0].photo.picture]
    pictures += [start.glance(start.origin.mean)[0] for start in starts[1:]]
    last = len(around)
    crumbs = []
    for depth, picture in enumerate(pictures):
        words = "The photo" if depth == 0 else "Here" if depth == last else f"Step {depth}"
        content = f'<img src="{preview_address(picture)}" alt="{escape(words)}">'
        if depth == last:
            crumbs.append(f'<span class="crumb" aria-current="step">{content}</span>')
        else:
            message = {"do": "home", "depth": depth, "from": last}
            crumbs.append(button(MESSAGES, message, f"Back to: {words}", content))
    arrow = '<span aria-hidden="true">›</span>'
    return f'<nav class="trail" aria-label="The way here">{arrow.join(crumbs)}</nav>'


def vary_command(studio: Studio, place: StartingPoint, factor: float, name: str, *more: str | int) -> str:
    """The command that makes the same."""
    model = studio.command_words()
    return command_line("vary", name, *model, "--diversity", factor, *place.words(), *more)
