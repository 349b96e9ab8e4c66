"""Blend: two to four photos, and what lies between them: a path, a field of four, or one face of all.

Enters: photos and how to go from one to the next. Leaves: a picture that follows a slider, the pictures on the way, a
sheet, a GIF and an MP4. A way is kept as its latents; pictures are drawn of them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.errors import UsageError
from facette.images.sheets.film import SIDE as FILM_SIDE
from facette.latent import blend, field, interpolate
from facette.latent.interpolate import CORNERS
from facette.latent.paths import Method
from facette.latent.photo import remarks_on
from facette.studio.apart import NamedModel, work_apart
from facette.studio.download_links import film, photo_first, picture, row, sheet, singles
from facette.studio.events import Tell, live, long, unheard
from facette.studio.parts import command_line, copyable, face, faces, folded, note, photo_box
from facette.studio.path_view import Way, picture_between
from facette.studio.photo import Choice, Photos, SentPhoto, StudioPhoto

if TYPE_CHECKING:
    from facette.latent import Interpolation
    from facette.studio.app import Studio

METHODS: dict[str, Method] = {
    "Straight": "linear",
    "Round the middle": "slerp",
    "Straight, as long as the photos": "norm",
    "Shortest to the eye (slow)": "geodesic",
}
STRAIGHT, SHORTEST = "Straight", "Shortest to the eye (slow)"
MOST_STEPS = 24
FIELD_SIDE = 5
FRAMES = 24  # pictures of a film in a second, at least
FEW, FOUR = "Give two photos, three or four.", "A field lies between four photos."


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    with gr.Row():
        boxes = [photo_box("First photo", "blend-photo-1"), photo_box("Second photo", "blend-photo-2", False)]
    with gr.Accordion("A third and a fourth photo", open=False), gr.Row():
        boxes += [
            photo_box("Third photo", "blend-photo-3", False),
            photo_box("Fourth photo", "blend-photo-4", False),
        ]
    with gr.Tabs():
        with gr.Tab("Path", id="blend-path"):
            _path(studio, boxes)
        with gr.Tab("Field of four", id="blend-field"):
            _field(studio, boxes)
        with gr.Tab("One face", id="blend-one"):
            _average(studio, boxes)


def _photos_of(studio: Studio, held: Sequence[str]) -> list[StudioPhoto]:
    """What the boxes hold, without the empty ones."""
    return [studio.photos.take(text) for text in held if text]


def _terminal(
    studio: Studio, tab: str, key: str, photos: Sequence[StudioPhoto], *commands: Sequence[Any]
) -> str:
    """The commands that do the same with these photos, each a command's name and its options, folded."""
    others = any(photo.choice != Choice(photo.choice.token) for photo in photos)
    faces_of = ["--face", ",".join(photo.choice.part for photo in photos)] if others else []
    first = photo_first(studio, tab, key, *photos)
    names = [photo.name for photo in photos]
    lines = [
        command_line(name, *names, *options, *faces_of, *studio.command_words())
        for name, *options in commands
    ]
    return folded("In a terminal", first + "".join(copyable(line, "") for line in lines))


# ── a path ───────────────────────────────────────────────────────────────────────────────────────────────


def _path(studio: Studio, boxes: Sequence[Any]) -> None:
    import gradio as gr

    told = gr.HTML(elem_id="blend-told")
    with gr.Row(elem_classes="stacks"):
        shown = gr.HTML(note(FEW), elem_id="blend-picture")
        with gr.Column():
            place = gr.Slider(0, 100, 50, step=1, label="How far on the way, in %", elem_id="blend-place")
            offers = gr.HTML(elem_id="blend-offers")
            with gr.Accordion("More", open=False, elem_id="blend-more"):
                method = gr.Radio(list(METHODS), value=STRAIGHT, label="Way", elem_id="blend-way")
                steps = gr.Slider(
                    2, MOST_STEPS, 10, step=1, label="Pictures to the next photo", elem_id="blend-steps"
                )
                seconds = gr.Slider(1, 12, 4, step=0.5, label="Seconds of the film, there and back")
                equal = gr.Checkbox(False, label="Every step looks equally long", elem_id="blend-equal")
            with gr.Row(visible=False) as patience:
                search = gr.Button(
                    "Find the shortest way: some seconds for each two photos", variant="primary"
                )
                halt = gr.Button("Stop", elem_id="blend-stop")
    wall, command, way, searched = (
        gr.HTML(elem_id="blend-steps-shown"),
        gr.HTML(elem_id="blend-command"),
        gr.State(None),
        gr.State(None),  # the settings of the search whose outcome is shown
    )
    inputs = [searched, method, steps, equal, seconds, place, *boxes]
    outputs = [searched, way, shown, wall, offers, command]

    def walk(
        tab: str, shortest: Any, called: str, count: int, even: bool, length: float, share: float, *held: str
    ):
        if called == SHORTEST and shortest == (count, even, length, held):
            return [gr.skip() for _ in outputs]  # an event that was under way when the search ended
        if called == SHORTEST or len(_photos_of(studio, held)) < 2:
            return [None, None, "" if called == SHORTEST else note(FEW), "", "", ""]
        return [None, *_walked(studio, tab, held, METHODS[called], count, even, length, share)]

    def find(
        tab: str,
        tell: Any,
        _: Any,
        called: str,
        count: int,
        even: bool,
        length: float,
        share: float,
        *held: str,
    ):
        drawn = _walked(studio, tab, held, METHODS[called], count, even, length, share, tell)
        return [(count, even, length, held), *drawn]

    changed = [*(box.change for box in boxes), method.input, steps.release, equal.input, seconds.release]
    live(studio, partial(gr.on, changed), walk, inputs, outputs)
    live(
        studio, method.input, lambda tab, called: gr.update(visible=called == SHORTEST), [method], [patience]
    )
    long(studio, search.click, find, inputs, told, outputs, halt)
    live(studio, place.input, partial(picture_between, studio), [way, place], [shown], in_a_hurry=True)


def _walked(
    studio: Studio,
    tab: str,
    held: Sequence[str],
    method: Method,
    steps: int,
    equal: bool,
    seconds: float,
    share: float,
    tell: Tell = unheard,
) -> list[Any]:
    """The way through the photos and all that is shown of it."""
    photos = _photos_of(studio, held)
    if len(photos) < 2:
        raise UsageError("give two photos first.")
    inputs = [photo.input for photo in photos]

    def between(count: int, side: int | None = None, tell: Tell = unheard) -> Interpolation:
        if method == "geodesic":
            sent = tuple(studio.photos.sent(text) for text in held if text)
            walk = work_apart(shortest_way, WayOrder(studio.named, sent, count, equal, side), tell)
        else:
            options = {"method": method, "equal_steps": equal, "side": side}
            walk = interpolate(studio.model, *inputs, steps=count, **options)
        return replace(walk, remark=remarks_on(inputs))

    walk = between(steps, tell=tell)
    way = _way_of(walk, tuple(text for text in held if text))
    stem = f"{photos[0].stem}-to-{photos[-1].stem}"
    frames = ceil(seconds * FRAMES / 2 / (len(photos) - 1)) + 1  # there and back, in every leg
    side = min(photo.side(most=FILM_SIDE) for photo in inputs)
    played_at = partial(between, frames, side)
    offers = row(
        sheet(studio, tab, "path", walk, stem),
        film(studio, tab, "path", played_at, stem, seconds, walk.pictures.nbytes),
    )
    options = ["--path", method, *(["--equal-steps"] if equal else [])]
    played = ["--steps", frames, *options, "--seconds", seconds, "--out", f"{stem}.gif"]
    sheeted = ["--steps", steps, *options, "--out", f"{stem}.png"]
    commands = _terminal(studio, tab, "path", photos, ("interpolate", *sheeted), ("interpolate", *played))
    names, addresses = singles(studio, tab, "path", walk, f"{photos[0].stem}-step")
    captions = _captions(walk)
    wall = faces(list(walk.pictures), captions, alt="step", kind="small", names=names, addresses=addresses)
    reported = offers + folded("Figures", note(_summary(walk)))
    return [way, picture_between(studio, tab, way, share), wall, reported, commands]


def _way_of(walk: Interpolation, held: tuple[str, ...]) -> Way:
    """The same for a slider: the details of two photos cross over evenly from the one to the other."""
    turns = np.arange(len(walk.pictures))
    weights = [np.interp(turns, walk.stations, corner) for corner in np.eye(len(held))]
    return Way(np.asarray(walk.latents)[None], np.stack(weights, 1).astype(np.float32)[None], held)


@dataclass(frozen=True, slots=True)
class WayOrder:
    """All that the shortest way, looked for in a process of its own, needs."""

    model: NamedModel
    photos: tuple[SentPhoto, ...]
    steps: int  # to the next photo
    equal: bool
    side: int | None  # of the pictures


def shortest_way(order: WayOrder, tell: Tell) -> Interpolation:
    """The geodesic through the photos, which takes gradients, and its pictures. Raises as `interpolate` does."""
    tell("Loading the model")
    model = order.model.open()
    photos = Photos(model)
    inputs = [photos.take(sent.kept_by(photos)).input for sent in order.photos]

    def looking(more: int) -> None:
        tell("Looking for the shortest way")

    options = {"method": "geodesic", "equal_steps": order.equal, "side": order.side}
    return interpolate(model, *inputs, steps=order.steps, progress=looking, **options)


def _captions(walk: Interpolation) -> list[str]:
    names = {place: f"photo {number}" for number, place in enumerate(walk.stations, 1)}
    last = len(walk.pictures) - 1
    return [names.get(place, f"{place / last:.0%}") for place in range(last + 1)]


def _summary(walk: Interpolation) -> str:
    shorter = [1 - path.length / path.straight for path in walk.geodesics if path.straight]
    saving = (
        [f"{min(shorter):.0%} to {max(shorter):.0%} shorter than straight, in decoded pictures. "]
        if shorter
        else []
    )
    return "".join(saving) + f"Steps differ by {walk.unevenness:.0%} in how long they look."


# ── a field ──────────────────────────────────────────────────────────────────────────────────────────────


def _field(studio: Studio, boxes: Sequence[Any]) -> None:
    import gradio as gr

    with gr.Row(elem_classes="stacks"):
        shown = gr.HTML(note(FOUR), elem_id="blend-field-picture")
        with gr.Column():
            across = gr.Slider(0, 100, 50, step=1, label="Across, in %", elem_id="blend-across")
            down = gr.Slider(0, 100, 50, step=1, label="Down, in %", elem_id="blend-down")
            offers = gr.HTML()
            with gr.Accordion("More", open=False, elem_id="blend-field-more"):
                method = gr.Radio(
                    [name for name in METHODS if name != SHORTEST], value=STRAIGHT, label="Way",
                    elem_id="blend-field-way",
                )  # fmt: skip
    wall, grid = gr.HTML(elem_id="blend-field-shown"), gr.State(None)
    command = gr.HTML(elem_id="blend-field-command")

    def spread(tab: str, called: str, right: float, low: float, *held: str) -> list[Any]:
        photos = _photos_of(studio, held)
        if len(photos) < CORNERS:
            return [None, note(FOUR), "", "", ""]
        inputs = [photo.input for photo in photos]
        square = field(studio.model, inputs, FIELD_SIDE, FIELD_SIDE, METHODS[called])
        square = replace(square, remark=remarks_on(inputs))
        shares = np.linspace(0, 1, FIELD_SIDE, dtype=np.float32)
        rows, columns = np.meshgrid(shares, shares, indexing="ij")
        corners = ((1 - rows) * (1 - columns), (1 - rows) * columns, rows * (1 - columns), rows * columns)
        latents = np.asarray(square.latents).reshape(FIELD_SIDE, FIELD_SIDE, -1)
        way = Way(latents, np.stack(corners, -1), tuple(held))
        stem = f"{photos[0].stem}-field"
        options = ["--grid", "--steps", FIELD_SIDE, "--path", METHODS[called], "--out", f"{stem}.png"]
        drawn = faces(list(square.pictures), alt="place", kind="field")
        return [
            way,
            picture_between(studio, tab, way, right, low),
            drawn,
            row(sheet(studio, tab, "field", square, stem)),
            _terminal(studio, tab, "field", photos, ("interpolate", *options)),
        ]

    outputs = [grid, shown, wall, offers, command]
    changed = [*(box.change for box in boxes), method.input]
    live(studio, partial(gr.on, changed), spread, [method, across, down, *boxes], outputs)
    live(
        studio,
        partial(gr.on, [across.input, down.input]),
        partial(picture_between, studio),
        [grid, across, down],
        [shown],
        in_a_hurry=True,
    )


# ── one face ─────────────────────────────────────────────────────────────────────────────────────────────


def _average(studio: Studio, boxes: Sequence[Any]) -> None:
    import gradio as gr

    with gr.Row(elem_classes="stacks"):
        shown = gr.HTML(note(FEW), elem_id="blend-one-picture")
        with gr.Column():
            weights = [
                gr.Slider(-1, 2, 1, step=0.05, label=f"{name} photo", elem_id=f"blend-weight-{n}")
                for n, name in enumerate(("First", "Second", "Third", "Fourth"), start=1)
            ]
            norm = gr.Checkbox(
                False, label="As far from the ordinary as the photos are", elem_id="blend-norm"
            )
            words, offers = gr.HTML(), gr.HTML(elem_id="blend-one-offers")
    command = gr.HTML(elem_id="blend-one-command")

    def mix(tab: str, as_far: bool, *values: Any) -> list[Any]:
        held, shares = values[:CORNERS], values[CORNERS:]
        photos = _photos_of(studio, held)
        if len(photos) < 2:
            return [note(FEW), "", "", ""]
        chosen = [share for share, text in zip(shares, held, strict=True) if text]
        inputs = [photo.input for photo in photos]
        mixture = blend(studio.model, *inputs, weights=chosen, norm_corrected=as_far)
        mixture = replace(mixture, remark=remarks_on(inputs))
        stem = f"{photos[0].stem}-blend"
        parts = ", ".join(
            f"{share:.0%} {photo.name}" for share, photo in zip(mixture.shares, photos, strict=True)
        )
        whole, kept = picture(studio, tab, "blend-picture", mixture, f"{stem}-01")
        saved = row(kept, sheet(studio, tab, "blend", mixture, stem))
        options = ["--weights", ",".join(f"{share:g}" for share in chosen), *(["--norm"] if as_far else [])]
        options += ["--out", f"{stem}.png", "--each", stem]
        return [
            face(mixture.pictures[0], "", "the face of all photos", whole=whole, name=f"{stem}-01.png"),
            note(parts),
            saved,
            _terminal(studio, tab, "blend", photos, ("blend", *options)),
        ]

    changed = [*(box.change for box in boxes), norm.input, *(weight.input for weight in weights)]
    live(studio, partial(gr.on, changed), mix, [norm, *boxes, *weights], [shown, words, offers, command])
