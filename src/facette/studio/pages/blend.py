"""Blend: two to four photos, and what lies between them: a path, a field, or one face of all.

Enters: photos and how to go from one to the next. Leaves: a picture that follows a slider, the pictures on the way, a
sheet, a GIF and an MP4. The page keeps the latents on the way; pictures are made of them again.

Legend: P photos, R rows, C pictures in each, Z latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from facette.errors import UsageError
from facette.latent import Blend, Field, Interpolation, blend, field, interpolate
from facette.latent.interpolate import CORNERS
from facette.latent.paths import Method, polyline
from facette.latent.points import decode_each
from facette.studio.offers import film, model_words, sheet
from facette.studio.parts import command_line, copyable, face, faces, note, photo_box
from facette.studio.photo import Taken
from facette.studio.work import live, long

if TYPE_CHECKING:
    from facette.studio.app import Studio

KINDS = ("Path", "Field of four", "One face")
METHODS: dict[str, Method] = {
    "Straight": "linear",
    "Along the sphere": "slerp",
    "Straight, at the photos' length": "norm",
    "Shortest in pictures": "geodesic",
}
MOST_STEPS = 24
FIELD_SIDE = 5
FEW = "Give two photos or more."


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    with gr.Row():
        photos = [photo_box(f"Photo {number}", f"blend-photo-{number}") for number in (1, 2)]
    with gr.Accordion("A third and a fourth photo", open=False), gr.Row():
        photos += [photo_box(f"Photo {number}", f"blend-photo-{number}") for number in (3, 4)]
    taken = gr.HTML(note(FEW))
    kind = gr.Radio(KINDS, value=KINDS[0], label="What to make", elem_id="blend-kind")
    with gr.Group() as ways:
        method = gr.Radio(list(METHODS), value="Straight", label="Way", elem_id="blend-way")
        with gr.Row() as lengths:
            steps = gr.Slider(
                2, MOST_STEPS, 10, step=1, label="Pictures from each photo to the next", elem_id="blend-steps"
            )
            equal = gr.Checkbox(False, label="Every step looks equally long", elem_id="blend-equal")
    with gr.Group(visible=False) as shares:
        with gr.Row():
            weights = [
                gr.Slider(-1, 2, 1, step=0.05, label=f"Weight of photo {n}", elem_id=f"blend-weight-{n}")
                for n in range(1, CORNERS + 1)
            ]
        norm = gr.Checkbox(False, label="As far from ordinary as the photos are", elem_id="blend-norm")
    with gr.Row(visible=False) as shortest:
        search = gr.Button("Find the shortest way (some seconds for each two photos)", variant="primary")
        halt = gr.Button("Stop")
    progress = gr.HTML()
    with gr.Row():
        picture = gr.HTML(elem_id="blend-picture")
        with gr.Column():
            across = gr.Slider(0, 100, 50, step=1, label="On the way, %", elem_id="blend-across")
            down = gr.Slider(
                0, 100, 50, step=1, label="Down the field, %", visible=False, elem_id="blend-down"
            )
            offers = gr.HTML(elem_id="blend-offers")
    wall = gr.HTML(elem_id="blend-wall")
    command = gr.HTML()
    between = gr.State(None)  # (R, C, Z) float32: the latents of the pictures on the way

    wishes = [*photos, kind, method, steps, equal, norm, *weights]
    places = [across, down]
    results = [taken, between, picture, wall, offers, command]
    controls = [ways, lengths, shares, shortest, across, down]
    changed = [*(one.change for one in photos), steps.release, equal.input, norm.input]
    changed += [one.input for one in weights]

    def make(tab: str, *values: Any) -> list[Any]:
        return _made(studio, tab, _Wish.of(values[:-2]), *values[-2:])

    def search_way(tab: str, tell: Any, *values: Any) -> list[Any]:
        tell("looking for the shortest way")
        return _made(studio, tab, _Wish.of(values[:-2]), *values[-2:], patient=True)

    def show(tab: str, grid: np.ndarray | None, right: float, low: float) -> str:
        return "" if grid is None else _picture(studio, grid, right, low)

    live(studio, partial(gr.on, changed), make, [*wishes, *places], results)
    live(studio, partial(gr.on, [kind.input, method.input]), _arranged, [kind, method], controls).then(
        None
    ) if False else None
    live(studio, partial(gr.on, [across.input, down.input]), show, [between, across, down], [picture])
