"""What the page Vary shows: ten relatives with their buttons, how like the person they are, favourites, the way back.

Enters: what the controls say (`VarySettings`), favourites (`Favourite`), results of the latent room. Leaves: HTML and
command lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.errors import UsageError
from facette.latent.around import Step, parse_step
from facette.latent.vary import Noise
from facette.studio.parts import PictureButton, command_line, faces, folded, note, preview_address
from facette.studio.state import PreparedPhoto, StartingPoint

if TYPE_CHECKING:
    from facette.latent.vary import Variations
    from facette.studio.app import Studio

MESSAGES = "vary-button"
NOISES: dict[str, Noise] = {"this person": "posterior", "how people differ": "aggregate"}  # words for people
# Likeness on the dial, 1 the reconstruction and 0 one stranger in a hundred, in words.
LIKENESS = ((0.6, "very like"), (0.3, "like"), (-np.inf, "hardly like"))


@dataclass(frozen=True, slots=True)
class VarySettings:
    """What the controls say."""

    place: StartingPoint
    factor: float
    seed: int

    @classmethod
    def of(
        cls, photo: str, noise: str, factor: float, seed: int, around: tuple[Step, ...]
    ) -> VarySettings | None:
        """The settings, or None before there is a photo."""
        if not photo:
            return None
        return cls(StartingPoint(photo, NOISES[noise], around), float(f"{factor:.6g}"), int(seed))


@dataclass(frozen=True, slots=True)
class Favourite:
    """A relative that is kept: where it was made and from what, so that it stays what it was."""

    place: StartingPoint
    factor: float
    seed: int
    picture: np.ndarray  # (S, S, 3)
    stem: str  # of its file
    photo: str  # name of the photo's file

    @property
    def step(self) -> Step:
        return Step(self.seed, self.factor)

    def remembered(self) -> dict[str, Any]:
        """What the page remembers of it over a reload."""
        around = [str(step) for step in self.place.around]
        return {
            "photo": self.place.photo,
            "noise": self.place.noise,
            "around": around,
            "step": str(self.step),
        }


def recalled(message: Mapping[str, Any]) -> tuple[StartingPoint, Step]:
    """Where a remembered favourite was made. Raises UsageError for what no page of ours remembers."""
    try:
        noise, around = message["noise"], tuple(map(parse_step, message["around"]))
        if noise not in NOISES.values():
            raise UsageError(f"unknown noise {noise!r}.")
        return StartingPoint(str(message["photo"]), noise, around), parse_step(message["step"])
    except (KeyError, TypeError, AttributeError):
        raise UsageError("these are no favourites of this page.") from None


def gallery_html(
    settings: VarySettings,
    seeds: Sequence[int],
    pictures: np.ndarray,
    captions: Sequence[str],
    favourites: Sequence[Favourite],
    standing: PreparedPhoto,
) -> str:
    """The ten, each with its buttons."""
    kept = {
        each.seed for each in favourites if (each.place, each.factor) == (settings.place, settings.factor)
    }
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
    stem = standing.taken.stem
    names = [f"{stem}-{number:02d}.png" for number in range(1, len(seeds) + 1)]
    before = preview_address(standing.taken.picture)
    return faces(
        list(pictures), captions, names=names, to=MESSAGES, buttons=buttons, kind="ten", before=before
    )


def measured_html(standing: PreparedPhoto, variations: Variations) -> tuple[list[str], str]:
    """A caption for each variation, and how like the person they are altogether."""
    dial = standing.dial
    if dial is None:
        words = "This model has no measure of likeness yet."
        return [" "] * len(variations.pictures), note(words, "meter")
    reading = dial.read(variations.pictures, variations.factor)
    scaled = [dial.scaled(cosine) for cosine in reading.likeness.tolist()]
    if any(value is None for value in scaled):
        words = "The model hardly knows this face: how like the person these are cannot be said."
        return [" "] * len(variations.pictures), note(words, "meter warn")
    values = np.array(scaled, dtype=float)
    return [likeness_words(value) for value in values], _meter(values, float(reading.realism.mean()))


def likeness_words(value: float) -> str:
    """How like the person a picture is, as one would say it."""
    return next(words for least, words in LIKENESS if value >= least)


def trail_html(standings: Sequence[PreparedPhoto], around: Sequence[Step]) -> str:
    """From where one goes on, as pictures with the way back; nothing at the photo itself.

    `standings`: of the photo, and of every step from it.
    """
    if not around:
        return ""
    from facette.studio.parts import button

    pictures = [standings[0].taken.picture, *(standing.origin.reconstruction for standing in standings[1:])]
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


def favourites_commands(studio: Studio, favourites: Sequence[Favourite]) -> list[str]:
    """A command for each favourite, which writes it as FOLDER/01.png, each into a folder of its own."""
    return [
        vary_command(
            studio, each.place, each.factor, each.photo, "--pick", each.seed,
            "--out", f"{each.stem}-sheet.png", "--each", each.stem,
        )
        for each in favourites
    ]  # fmt: skip


def _meter(values: np.ndarray, realism: float) -> str:
    """Likeness on a line from somebody else (0) to the same person (1)."""
    low, mean, high = (float(np.clip(value, 0, 1)) for value in (values.min(), values.mean(), values.max()))
    words = {
        "very like": "Very like the person.",
        "like": "Like the person.",
        "hardly like": "Hardly like the person.",
    }
    figures = (
        f"Likeness {values.mean():.2f} ({values.min():.2f} to {values.max():.2f}; 1 is the model's own drawing of the "
        f"photo, 0 what one stranger in a hundred reaches), realism {realism:.2f}."
    )
    span = f'<i style="left:{low:.1%};width:{high - low:.1%}"></i><b style="left:{mean:.1%}"></b>'
    ends = "<span>somebody else</span><span>the same person</span>"
    return (
        f'<div class="meter"><p>{words[likeness_words(values.mean())]}</p>'
        f'<div class="track" aria-hidden="true">{span}</div><div class="ends" aria-hidden="true">{ends}</div>'
        f"{folded('Figures', note(figures))}</div>"
    )
