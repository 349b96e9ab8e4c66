"""Sample: pictures of nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facette.studio.parts import faces
from facette.studio.work import live

if TYPE_CHECKING:
    from facette.studio.app import Studio


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    from facette.latent import sample

    with gr.Row():
        temperature = gr.Slider(0, 2, 1, step=0.05, label="Temperature")
        seed = gr.Number(0, label="Seed", precision=0, minimum=0)
    draw = gr.Button("Draw", variant="primary")
    wall = gr.HTML()

    def show(tab: str, warmth: float, number: int) -> str:
        return faces(sample(studio.model, 20, number, temperature=warmth).pictures, alt="sample")

    live(studio, draw.click, show, [temperature, seed], [wall])
