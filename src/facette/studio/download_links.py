"""What the pages offer of a result: its sheet, its film, one picture of it.

Enters: a result of the latent room. Leaves: links to the shelf as HTML; sheets and films are made when fetched,
and are those that the command line writes. Knows no page.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from facette.images.sheets.file import encode_image
from facette.images.sheets.film import encode_animation
from facette.studio.parts import link, png_bytes

if TYPE_CHECKING:
    from facette.latent.film import Film
    from facette.latent.sheets import Result
    from facette.studio.app import Studio


def row(*links: str) -> str:
    """Links beside each other."""
    return f'<div class="offers">{"".join(links)}</div>'


def sheet(studio: Studio, tab: str, key: str, result: Result, stem: str) -> str:
    """A link that saves the result's sheet."""
    name = f"{stem}.png"

    def drawn() -> bytes:
        return encode_image(result.sheet().image, name, result.settings())

    address = studio.shelf.put(tab, f"{key}-sheet", drawn, name, "image/png", result.pictures.nbytes)
    return link(address, "Save the sheet", name)


def film(studio: Studio, tab: str, key: str, result: Film, stem: str, seconds: float) -> str:
    """Links that save the result as a film there and back: a GIF and, where its codec is installed, an MP4."""

    def offer(ending: str, kind: str) -> str:
        name = f"{stem}.{ending}"

        def played() -> bytes:
            return encode_animation(result.frames(), name, seconds=seconds, metadata=result.settings())

        address = studio.shelf.put(tab, f"{key}-{ending}", played, name, kind, result.pictures.nbytes)
        return link(address, f"Save as {ending.upper()}", name)

    return offer("gif", "image/gif") + (offer("mp4", "video/mp4") if find_spec("av") else "")


def picture(studio: Studio, tab: str, key: str, shown: np.ndarray, stem: str) -> str:
    """A link that saves one picture (S, S, 3), pixel for pixel."""
    name = f"{stem}.png"
    return link(studio.shelf.put(tab, key, png_bytes(shown), name, "image/png"), "Save the picture", name)
