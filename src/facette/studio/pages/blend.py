"""Blend: two to four photos, and what lies between them: a path, a field of four, or one face of all.

Enters: photos and how to go from one to the next. Leaves: a picture that follows a slider, the pictures on the way, a
sheet, a GIF and an MP4. A way is kept as its latents; pictures are made of them again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from facette.errors import UsageError
from facette.latent import blend, field, interpolate
from facette.latent.interpolate import CORNERS
from facette.latent.paths import Method
from facette.studio.download_links import film, picture, row, sheet
from facette.studio.events import live, long
from facette.studio.parts import (
    PictureButton,
    command_line,
    copyable,
    face,
    faces,
    hidden_input,
    note,
    parse_message,
    photo_box,
)
from facette.studio.path_view import picture_between
from facette.studio.photo import StudioPhoto

if TYPE_CHECKING:
    from facette.latent import Interpolation
    from facette.studio.app import Studio

METHODS: dict[str, Method] = {
    "Straight": "linear",
    "Along the sphere": "slerp",
    "Straight, but as long as the photos": "norm",
    "Shortest in pictures (slow)": "geodesic",
}
STRAIGHT, SHORTEST = "Straight", "Shortest in pictures (slow)"
MOST_STEPS = 24
FIELD_SIDE = 5
Tokens = tuple[str, ...]  # CORNERS of them, empty where there is no photo
NOBODY: Tokens = ("",) * CORNERS


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    chosen = _photos(studio)
    with gr.Tabs():
        with gr.Tab("Path", id="blend-path"):
            _path(studio, chosen)
        with gr.Tab("Field of four", id="blend-field"):
            _field(studio, chosen)
        with gr.Tab("One face", id="blend-one"):
            _average(studio, chosen)


# ── the photos ───────────────────────────────────────────────────────────────────────────────────────────


def _photos(studio: Studio) -> Any:
    """Four boxes for photos; returns the state that holds their tokens."""
    import gradio as gr

    with gr.Row():
        boxes = [photo_box(f"Photo {number}", f"blend-photo-{number}") for number in (1, 2)]
    with gr.Accordion("A third and a fourth photo", open=False), gr.Row():
        boxes += [photo_box(f"Photo {number}", f"blend-photo-{number}") for number in (3, 4)]
    shown = gr.HTML(note("Give two photos, three or four."), elem_id="blend-taken")
    chosen = gr.State(NOBODY)
    leaving = hidden_input("blend-leave")

    def put(place: int, tab: str, token: str, tokens: Tokens) -> tuple[Tokens, str]:
        studio.photos.take(token)  # refused before it replaces anything
        after = (*tokens[:place], token, *tokens[place + 1 :])
        return after, _chosen_faces(studio, after)

    def leave(tab: str, message: str, tokens: Tokens) -> tuple[Tokens, str]:
        after = tuple(
            "" if place == parse_message(message).get("place") else token
            for place, token in enumerate(tokens)
        )
        return after, _chosen_faces(studio, after)

    for place, box in enumerate(boxes):
        live(studio, box.change, partial(put, place), [box, chosen], [chosen, shown])
    live(studio, leaving.change, leave, [leaving, chosen], [chosen, shown])
    return chosen


def _chosen_faces(studio: Studio, tokens: Tokens) -> str:
    """The aligned faces, each with a button that leaves it out."""
    places = [place for place, token in enumerate(tokens) if token]
    photos = _photos_of(studio, tokens)
    buttons = [[PictureButton("drop", f"Leave photo {place + 1} out", {"place": place})] for place in places]
    captions = [
        f"{place + 1}: {photo.name}, {photo.report.summary()}"
        for place, photo in zip(places, photos, strict=True)
    ]
    more = note("" if len(photos) > 1 else "Give two photos, three or four.")
    return (
        faces(
            [photo.picture for photo in photos],
            captions,
            alt="photo",
            to="blend-leave",
            buttons=buttons,
            kind="taken",
        )
        + more
    )


def _photos_of(studio: Studio, tokens: Tokens) -> list[StudioPhoto]:
    return [studio.photos.take(token) for token in tokens if token]


def _names(photos: list[StudioPhoto]) -> list[str]:
    return [photo.name for photo in photos]


def _remark(photos: list[StudioPhoto]) -> str:
    return " · ".join(f"{photo.name}: {photo.report.summary()}" for photo in photos)


# ── a path ───────────────────────────────────────────────────────────────────────────────────────────────


def _path(studio: Studio, chosen: Any) -> None:
    import gradio as gr

    method = gr.Radio(list(METHODS), value=STRAIGHT, label="Way", elem_id="blend-way")
    with gr.Row():
        steps = gr.Slider(
            2, MOST_STEPS, 10, step=1, label="Pictures to the next photo", elem_id="blend-steps"
        )
        seconds = gr.Slider(1, 12, 4, step=0.5, label="Seconds of the film, there and back")
    equal = gr.Checkbox(False, label="Every step looks equally long", elem_id="blend-equal")
    with gr.Row(visible=False) as patience:
        search = gr.Button("Find the shortest way: seconds for each two photos", variant="primary")
        halt = gr.Button("Stop")
    told = gr.HTML()
    with gr.Row():
        shown = gr.HTML(elem_id="blend-picture")
        with gr.Column():
            place = gr.Slider(0, 100, 50, step=1, label="How far on the way, in %", elem_id="blend-place")
            words, offers = gr.HTML(), gr.HTML(elem_id="blend-offers")
    wall, command, way = gr.HTML(elem_id="blend-steps-shown"), gr.HTML(), gr.State(None)
    inputs, outputs = (
        [chosen, method, steps, equal, seconds, place],
        [way, shown, wall, words, offers, command],
    )

    def walk(tab: str, tokens: Tokens, called: str, count: float, even: bool, length: float, share: float):
        if len(_photos_of(studio, tokens)) < 2 or called == SHORTEST:
            return [None, *[""] * 5]
        return _walked(studio, tab, tokens, METHODS[called], int(count), even, length, share)

    def find(
        tab: str,
        tell: Any,
        tokens: Tokens,
        called: str,
        count: float,
        even: bool,
        length: float,
        share: float,
    ):
        tell("looking for the shortest way")
        return _walked(studio, tab, tokens, "geodesic", int(count), even, length, share)

    changed = [chosen.change, method.input, steps.release, equal.input, seconds.release]
    live(studio, partial(gr.on, changed), walk, inputs, outputs)
    live(
        studio, method.input, lambda tab, called: gr.update(visible=called == SHORTEST), [method], [patience]
    )
    searching = long(studio, search.click, find, inputs, told, outputs)
    halt.click(None, cancels=[searching])
    live(studio, place.input, partial(picture_between, studio), [way, place], [shown])


def _walked(
    studio: Studio,
    tab: str,
    tokens: Tokens,
    method: Method,
    steps: int,
    equal: bool,
    seconds: float,
    share: float,
) -> list[Any]:
    """The way through the photos and all that is shown of it."""
    photos = _photos_of(studio, tokens)
    if len(photos) < 2:
        raise UsageError("give two photos first.")
    pictures = [photo.picture for photo in photos]
    walk = interpolate(studio.model, *pictures, steps=steps, method=method, equal_steps=equal)
    walk = replace(walk, remark=_remark(photos))
    grid = walk.latents.numpy()[None]  # (1, C, Z)
    stem = f"{photos[0].stem}-to-{photos[-1].stem}"
    options = ["--steps", steps, "--path", method, *(["--equal-steps"] if equal else [])]
    command = command_line("interpolate", *_names(photos), *options, *studio.command_words())
    offers = row(sheet(studio, tab, "path", walk, stem), film(studio, tab, "path", walk, stem, seconds))
    wall = faces(list(walk.pictures), _captions(walk), alt="step", kind="small")
    return [
        grid,
        picture_between(studio, tab, grid, share),
        wall,
        note(_summary(walk)),
        offers,
        copyable(command),
    ]


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


def _field(studio: Studio, chosen: Any) -> None:
    import gradio as gr

    method = gr.Radio(
        [name for name in METHODS if name != SHORTEST], value=STRAIGHT, label="Way", elem_id="blend-field-way"
    )
    words = gr.HTML(note("A field lies between four photos."))
    with gr.Row():
        shown = gr.HTML(elem_id="blend-field-picture")
        with gr.Column():
            across = gr.Slider(0, 100, 50, step=1, label="Across, in %", elem_id="blend-across")
            down = gr.Slider(0, 100, 50, step=1, label="Down, in %", elem_id="blend-down")
            offers = gr.HTML()
    wall, command, grid = gr.HTML(elem_id="blend-field-shown"), gr.HTML(), gr.State(None)

    def spread(tab: str, tokens: Tokens, called: str, right: float, low: float) -> list[Any]:
        photos = _photos_of(studio, tokens)
        if len(photos) < CORNERS:
            return [None, note("A field lies between four photos."), *[""] * 4]
        pictures = [photo.picture for photo in photos]
        square = field(studio.model, pictures, FIELD_SIDE, FIELD_SIDE, METHODS[called])
        square = replace(square, remark=_remark(photos))
        latents = square.latents.numpy().reshape(FIELD_SIDE, FIELD_SIDE, -1)
        options = ["--grid", "--steps", FIELD_SIDE, "--path", METHODS[called]]
        command = command_line("interpolate", *_names(photos), *options, *studio.command_words())
        drawn = faces(list(square.pictures), alt="place", kind="field")
        saved = row(sheet(studio, tab, "field", square, f"{photos[0].stem}-field"))
        return [
            latents,
            "",
            picture_between(studio, tab, latents, right, low),
            drawn,
            saved,
            copyable(command),
        ]

    outputs = [grid, words, shown, wall, offers, command]
    live(
        studio, partial(gr.on, [chosen.change, method.input]), spread, [chosen, method, across, down], outputs
    )
    live(
        studio,
        partial(gr.on, [across.input, down.input]),
        partial(picture_between, studio),
        [grid, across, down],
        [shown],
    )


# ── one face ─────────────────────────────────────────────────────────────────────────────────────────────


def _average(studio: Studio, chosen: Any) -> None:
    import gradio as gr

    with gr.Row():
        weights = [
            gr.Slider(
                -1, 2, 1, step=0.05, label=f"Weight of photo {n}", elem_id=f"blend-weight-{n}", min_width=160
            )
            for n in range(1, CORNERS + 1)
        ]
    norm = gr.Checkbox(False, label="As far from the ordinary as the photos are", elem_id="blend-norm")
    with gr.Row():
        shown = gr.HTML(elem_id="blend-one-picture")
        with gr.Column():
            words, offers = gr.HTML(), gr.HTML()
    command = gr.HTML()

    def mix(tab: str, tokens: Tokens, long_: bool, *shares: float) -> list[Any]:
        photos = _photos_of(studio, tokens)
        if len(photos) < 2:
            return [""] * 4
        chosen_weights = [share for share, token in zip(shares, tokens, strict=True) if token]
        mixture = blend(
            studio.model, *(photo.picture for photo in photos), weights=chosen_weights, norm_corrected=long_
        )
        options = [
            "--weights",
            ",".join(f"{share:g}" for share in chosen_weights),
            *(["--norm"] if long_ else []),
        ]
        command = command_line("blend", *_names(photos), *options, *studio.command_words())
        parts = ", ".join(
            f"{share:.0%} {photo.name}" for share, photo in zip(mixture.shares, photos, strict=True)
        )
        mixture = replace(mixture, remark=_remark(photos))
        saved = row(
            picture(studio, tab, "blend-picture", mixture.pictures[0], "blend"),
            sheet(studio, tab, "blend", mixture, "blend"),
        )
        return [
            face(mixture.pictures[0], "", "the face of all photos"),
            note(parts),
            saved,
            copyable(command),
        ]

    changed = [chosen.change, norm.input, *(weight.input for weight in weights)]
    live(studio, partial(gr.on, changed), mix, [chosen, norm, *weights], [shown, words, offers, command])
