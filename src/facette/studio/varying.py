"""What the page Vary shows: ten relatives with their buttons, how like the photo they are, favourites, the way back.

Enters: what the controls say (`VarySettings`), favourites (`Pin`), results of the latent room. Leaves: HTML and command
lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.errors import UsageError
from facette.latent.around import Step
from facette.latent.vary import Noise
from facette.studio.parts import PictureButton, command_line, copyable, faces, note
from facette.studio.state import PreparedPhoto, StartingPoint

if TYPE_CHECKING:
    from facette.images.faces.align import IntakeReport
    from facette.latent.vary import Variations
    from facette.studio.app import Studio

MESSAGES = "vary-button"
NOISES: dict[str, Noise] = {"its own σ": "posterior", "all faces together": "aggregate"}  # words for people


@dataclass(frozen=True, slots=True)
class VarySettings:
    """What the controls say."""

    place: StartingPoint
    factor: float
    seed: int

    @classmethod
    def of(
        cls, token: str, align: bool, which: Any, noise: str, factor: Any, seed: Any, around: tuple[Step, ...]
    ) -> VarySettings | None:
        """The wish, or None before there is a photo. Raises UsageError for an empty field."""
        if not token:
            return None
        if which is None or seed is None or factor is None:
            raise UsageError("a number is missing: fill in the face, the diversity and the seed.")
        place = StartingPoint(token, align, int(which), NOISES[noise], around)
        return cls(place, float(f"{factor:.6g}"), int(seed))


@dataclass(frozen=True, slots=True)
class Pin:
    """A favourite: where it was made and from what, so that it stays what it was."""

    place: StartingPoint
    factor: float
    seed: int
    picture: np.ndarray  # (S, S, 3)
    photo: str  # the file's name

    @property
    def step(self) -> Step:
        return Step(self.seed, self.factor)


def gallery_html(
    wish: VarySettings,
    seeds: Sequence[int],
    pictures: np.ndarray,
    captions: Sequence[str],
    pins: Sequence[Pin],
    stem: str,
) -> str:
    """The ten, each with its buttons."""
    pinned = {pin.seed for pin in pins if (pin.place, pin.factor) == (wish.place, wish.factor)}
    buttons = []
    for number, seed in enumerate(seeds, start=1):
        said = {"seed": seed, "factor": wish.factor}
        held = "Let go of" if seed in pinned else "Keep"
        buttons.append(
            (
                PictureButton("pin", f"{held} variation {number}", {"do": "pin", **said}, seed in pinned),
                PictureButton("more", f"More like variation {number}", {"do": "more", **said}),
            )
        )
    names = [f"{stem}-{number:02d}.png" for number in range(1, len(seeds) + 1)]
    return faces(list(pictures), captions, names=names, to=MESSAGES, buttons=buttons, kind="ten")


def measured_html(standing: PreparedPhoto, made: Variations) -> tuple[list[str], str]:
    """A caption for each variation, and how like the photo they are altogether."""
    dial = standing.dial
    if dial is None:
        words = f"{made.model} has no measure of likeness yet: `facette calibrate MODEL DATA` gives it one."
        return [" "] * len(made.pictures), note(words)
    reading = dial.read(made.pictures, made.factor)
    scaled = [dial.scaled(cosine) for cosine in reading.likeness.tolist()]
    if any(one is None for one in scaled):
        words = "The model redraws this photo no more like it than strangers are: likeness cannot be read on the dial."
        return [f"cosine {cosine:.2f}" for cosine in reading.likeness], note(words, "warn")
    values = np.array(scaled, dtype=float)
    return [f"likeness {value:.2f}" for value in values], _meter(values, float(reading.realism.mean()))


def favourites_html(studio: Studio, pins: Sequence[Pin], token: str) -> str:
    """The favourites with their commands; from those of this photo one can go on."""
    if not pins:
        return ""
    buttons, commands = [], []
    for i, pin in enumerate(pins):
        gone = PictureButton("drop", f"Let favourite {i + 1} go", {"do": "unpin", "which": i})
        more = PictureButton("more", f"More like favourite {i + 1}", {"do": "more", "which": i})
        buttons.append((gone, more) if pin.place.token == token else (gone,))
        wish = VarySettings(pin.place, pin.factor, pin.seed)
        commands.append(
            copyable(vary_command(studio, wish, pin.photo, "--pick", pin.seed), f"Favourite {i + 1}")
        )
    names = [f"{PurePath(pin.photo).stem or 'photo'}-{pin.seed}.png" for pin in pins]
    captions = [f"{pin.factor:g} · seed {pin.seed}" for pin in pins]
    shown = faces(
        [pin.picture for pin in pins],
        captions,
        alt="favourite",
        names=names,
        to=MESSAGES,
        buttons=buttons,
        kind="pins",
    )
    listed = f"<details><summary>The commands that make them again</summary>{''.join(commands)}</details>"
    return f"<h2>Favourites</h2>{shown}{listed}"


def trail_html(place: StartingPoint) -> str:
    """From where one goes on, with the way back; nothing at the photo itself."""
    if not place.around:
        return ""
    words = ["the photo", *(f"variation {step.seed} at {step.factor:g}" for step in place.around)]
    last = len(words) - 1
    crumbs = [
        f"<strong>{escape(word)}</strong>" if depth == last else _crumb(word, depth)
        for depth, word in enumerate(words)
    ]
    return f'<nav class="trail" aria-label="From where one goes on">{"<span>›</span>".join(crumbs)}</nav>'


def typical_html(report: IntakeReport) -> str:
    """How typical the photo is for the model, in one line."""
    known = report.typicality
    if known is None or known["warning"]:
        return ""
    return note(
        f"Redrawn worse than {known['error_percentile']:g} % of the model's test pictures, farther out than "
        f"{known['norm_percentile']:g} %."
    )


def vary_command(studio: Studio, wish: VarySettings, name: str, *more: str | int) -> str:
    """The command that makes the same."""
    model = studio.command_words()
    return command_line("vary", name, *model, "--diversity", wish.factor, *wish.place.words(), *more)


def _crumb(word: str, depth: int) -> str:
    from facette.studio.parts import button

    return button(MESSAGES, {"do": "home", "depth": depth}, word)


def _meter(values: np.ndarray, realism: float) -> str:
    """Likeness on a line from a stranger in a hundred (0) to the reconstruction (1)."""
    low, mean, high = (float(np.clip(value, 0, 1)) for value in (values.min(), values.mean(), values.max()))
    words = f"Likeness {values.mean():.2f} ({values.min():.2f} to {values.max():.2f}), realism {realism:.2f}"
    span = f'<i style="left:{low:.1%};width:{high - low:.1%}"></i><b style="left:{mean:.1%}"></b>'
    ends = "<span>one stranger in a hundred</span><span>the reconstruction</span>"
    return (
        f'<div class="meter"><div class="track" aria-hidden="true">{span}</div>'
        f'<div class="ends" aria-hidden="true">{ends}</div><p>{escape(words)}</p></div>'
    )
