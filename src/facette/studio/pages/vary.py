"""Vary: relatives of one photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facette.studio.parts import face, faces, photo_box
from facette.studio.work import live

if TYPE_CHECKING:
    from facette.studio.app import Studio


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    from facette.latent import vary

    photo = photo_box("Photo", "vary-photo")
    taken = gr.HTML()
    dial = gr.Slider(0, 20, 7, step=0.1, label="Diversity")
    relatives = gr.HTML()

    def show(tab: str, token: str, factor: float) -> tuple[str, str]:
        found = studio.photos.take(token)
        made = vary(studio.model, found.picture, diversity=factor)
        return face(found.picture, found.report.summary(), "the face"), faces(made.pictures)

    live(studio, photo.change, show, [photo, dial], [taken, relatives])
    live(studio, dial.input, show, [photo, dial], [taken, relatives])
