"""Faces to begin with: a photo in the public domain, and people that the model draws.

Enters: the studio. Leaves: HTML whose pictures can be clicked to be the photo of the page. Nothing is fetched.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from facette.images.example import example_photo
from facette.studio.parts import preview_address

if TYPE_CHECKING:
    from facette.studio.app import Studio

ASTRONAUT = "Eileen Collins (NASA, public domain)"
SEEDS = (26, 9, 44, 83, 37)  # of people who do not exist
TEMPERATURE = 0.6  # rather ordinary faces, which are drawn well


def examples_html(studio: Studio, tab: str) -> str:
    """Six faces to choose from."""
    figures = [_example(preview_address(picture), f"sample-{number:02d}.png", "nobody, drawn by the model")
               for number, picture in enumerate(drawn_examples(studio), start=1)]  # fmt: skip
    photo = example_photo()
    address = studio.downloads.put(tab, "astronaut", photo.read_bytes, photo.name, "image/jpeg", 1)
    figures.insert(0, _example(address, photo.name, ASTRONAUT))
    return (
        '<div class="first"><h2>Whose relatives would you like to see?</h2>'
        "<p>Drop a photo into the page, or begin with an astronaut or with people who do not exist.</p>"
        f'<div class="faces examples">{"".join(figures)}</div></div>'
    )


def drawn_examples(studio: Studio) -> np.ndarray:
    """People who do not exist, (5, S, S, 3): the first of `facette sample` with each of these seeds."""
    if studio.examples is None:
        from facette.latent import sample

        walls = [sample(studio.model, 1, seed, temperature=TEMPERATURE).pictures for seed in SEEDS]
        studio.examples = np.concatenate(walls)
    return studio.examples


def _example(source: str, name: str, words: str) -> str:
    return (
        f'<figure data-name="{escape(name)}">'
        f'<button type="button" class="example" aria-label="Begin with {escape(words)}">'
        f'<img src="{source}" alt="{escape(words)}"></button></figure>'
    )
