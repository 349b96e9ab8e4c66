"""Favourites: relatives that are kept, whatever the dial does afterwards.

Enters: where a relative was drawn and from what. Leaves: the same relative at any later time, as HTML, as a file, as a
command, and as the few words by which the page remembers it over a reload. Pictures are drawn again when they are
fetched; only previews are kept. Knows no page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.errors import UsageError
from facette.latent.around import Step, parse_step
from facette.studio.download_links import all_of, row, single
from facette.studio.parts import PictureButton, copyable, faces, folded, thumbnail
from facette.studio.state import StartingPoint
from facette.studio.varying import DETAILS, MESSAGES, NOISES, vary_command

if TYPE_CHECKING:
    from facette.latent.vary import Variations
    from facette.studio.app import Studio

MOST = 24


@dataclass(frozen=True, slots=True)
class Favourite:
    """A relative that is kept: where it was made and from what, so that it stays what it was."""

    place: StartingPoint
    factor: float
    seed: int
    picture: np.ndarray  # (W, W, 3), small enough to be kept
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
            "details": self.place.details,
            "around": around,
            "step": str(self.step),
        }


def recalled(message: Mapping[str, Any]) -> tuple[StartingPoint, Step]:
    """Where a remembered favourite was made. Raises UsageError for what no page of ours remembers."""
    try:
        noise, details, around = (
            message["noise"],
            message["details"],
            tuple(map(parse_step, message["around"])),
        )
        if noise not in NOISES.values() or details not in DETAILS.values():
            raise UsageError(f"unknown noise {noise!r} or details {details!r}.")
        return StartingPoint(str(message["photo"]), noise, around, details), parse_step(message["step"])
    except (KeyError, TypeError, AttributeError):
        raise UsageError("these are no favourites of this page.") from None


def seeds_kept(favourites: Sequence[Favourite], place: StartingPoint, factor: float) -> set[int]:
    """Which of the relatives that are shown are favourites."""
    return {each.seed for each in favourites if (each.place, each.factor) == (place, factor)}


def with_or_without(
    studio: Studio, favourites: tuple[Favourite, ...], place: StartingPoint, step: Step
) -> tuple[Favourite, ...]:
    """With the relative of a step among the favourites, or without it where it was. UsageError: too many."""
    there = [each for each in favourites if (each.place, each.step) == (place, step)]
    if there:
        return tuple(each for each in favourites if each is not there[0])
    if len(favourites) >= MOST:
        raise UsageError(f"{MOST} favourites are kept at most: let one of them go first.")
    photo = studio.prepared.find(place).photo
    picture = thumbnail(_drawn(studio, place, step).pictures[0])
    stem = f"{photo.stem}-{step.seed}-at-{step.factor:g}" + "-more" * len(place.around)
    return (*favourites, Favourite(place, step.factor, step.seed, picture, stem, photo.name))


def favourites_html(studio: Studio, tab: str, favourites: Sequence[Favourite], photo: str) -> str:
    """Pictures, one file with all of them, their commands; from those of this photo one can go on."""
    remembered = escape(json.dumps([each.remembered() for each in favourites]))
    memory = f'<div data-remember="{remembered}"></div>'
    if not favourites:
        return memory
    buttons = []
    for i, each in enumerate(favourites):
        gone = PictureButton("drop", "Let it go", {"do": "drop", "which": i})
        more = PictureButton("more", "More like it", {"do": "more", "which": i})
        buttons.append((gone, more) if each.place.photo == photo else (gone,))
    addresses = [
        studio.downloads.put(
            tab, f"favourite-{i}", partial(_file, studio, each), f"{each.stem}.png", "image/png", 1
        )
        for i, each in enumerate(favourites)
    ]
    shown = faces(
        [each.picture for each in favourites], addresses=addresses, alt="favourite", to=MESSAGES,
        buttons=buttons, kind="pins",
        names=[f"{each.stem}.png" for each in favourites],
    )  # fmt: skip
    commands = _commands(studio, favourites)
    files = {f"{each.stem}/01.png": partial(_file, studio, each) for each in favourites}
    lines = "".join(f"{command}\n" for command in commands)
    saved = all_of(studio, tab, "favourites", files, "favourites.zip", "Save all favourites", lines)
    listed = folded("In a terminal", "".join(copyable(command, "") for command in commands))
    return f"{memory}<h2>Favourites</h2>{shown}{row(saved)}{listed}"


def _drawn(studio: Studio, place: StartingPoint, step: Step) -> Variations:
    """One relative, as the command with --pick draws it."""
    origin = studio.prepared.find(place).origin
    return origin.variations([step.seed], step.factor, noise=place.noise)


def _file(studio: Studio, favourite: Favourite) -> bytes:
    return single(_drawn(studio, favourite.place, favourite.step), 0)


def _commands(studio: Studio, favourites: Sequence[Favourite]) -> list[str]:
    """A command for each favourite, which writes it as FOLDER/01.png, each into a folder of its own."""
    return [
        vary_command(
            studio, each.place, each.factor, each.photo, "--pick", each.seed,
            "--out", f"{each.stem}-sheet.png", "--each", each.stem,
        )
        for each in favourites
    ]  # fmt: skip
