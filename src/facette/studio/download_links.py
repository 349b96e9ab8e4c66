"""What the pages offer of a result: its sheet, its film, one picture of it.

Enters: a result of the latent room. Leaves: links to downloads as HTML; sheets and films are made when fetched,
and are those that the command line writes. Knows no page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from facette.images.convert import picture_image
from facette.images.sheets.file import encode_image
from facette.images.sheets.film import encode_animation
from facette.images.whole import ending_of, read_whole
from facette.latent.pasting import changed_pixels
from facette.studio.parts import folded, frame, link, png_bytes

if TYPE_CHECKING:
    from facette.latent.edit import Edit
    from facette.latent.sheets import Film, Result
    from facette.latent.vary import Variations
    from facette.studio.app import Studio
    from facette.studio.photo import StudioPhoto

EPOCH = (1980, 1, 1, 0, 0, 0)  # of files in a zip: the same pictures, the same bytes


def row(*links: str) -> str:
    """Links beside each other."""
    return f'<div class="offers">{"".join(links)}</div>'


def sheet(studio: Studio, tab: str, key: str, result: Result, stem: str) -> str:
    """A link that saves the result's sheet."""
    name = f"{stem}.png"

    def drawn() -> bytes:
        return encode_image(result.sheet().image, name, result.settings())

    address = studio.downloads.put(tab, f"{key}-sheet", drawn, name, "image/png", result.pictures.nbytes)
    return link(address, "Save the sheet", name)


def report(
    studio: Studio, tab: str, key: str, content: bytes, name: str, words: str, title: str, terminal: str
) -> str:
    """A page in a frame of this title, below a link with these words, which saves it, and what makes it in a
    terminal."""
    address = studio.downloads.put(tab, key, content, name, "text/html; charset=utf-8")
    saved = row(link(address, words, name))
    return saved + folded("In a terminal", terminal) + frame(address, title)


def all_of(
    studio: Studio,
    tab: str,
    key: str,
    files: Mapping[str, Callable[[], bytes]],
    name: str,
    words: str,
    commands: str,
) -> str:
    """A link that saves several files as one zip, with the commands that make them again beside them."""

    def packed() -> bytes:
        buffer = BytesIO()
        with ZipFile(buffer, "w", ZIP_STORED) as archive:  # pictures are compressed already
            for file, content in {**files, "commands.txt": lambda: commands.encode()}.items():
                archive.writestr(ZipInfo(file, date_time=EPOCH), content())
        return buffer.getvalue()

    return link(studio.downloads.put(tab, f"{key}-zip", packed, name, "application/zip"), words, name)


def photo_first(studio: Studio, tab: str, key: str, *photos: StudioPhoto) -> str:
    """Links that save those photos of which no file lies at the visitor's, so that commands can name them."""
    links = []
    for photo in {photo.choice.token: photo for photo in photos}.values():
        if photo.fleeting:
            content = partial(_content, studio, str(photo.choice))
            address = studio.downloads.put(
                tab, f"{key}-{photo.choice.token}", content, photo.name, "application/octet-stream"
            )
            links.append(link(address, f"First save {photo.name}", photo.name))
    return "".join(links)


def _content(studio: Studio, choice: str) -> bytes:
    return studio.photos.file(choice)[1]


def film(
    studio: Studio, tab: str, key: str, draw: Callable[[], Film], stem: str, seconds: float, weight: int
) -> str:
    """Links that save a film there and back, drawn when it is fetched: a GIF and, with its codec at hand, an MP4."""

    def offer(ending: str, kind: str) -> str:
        name = f"{stem}.{ending}"

        def played() -> bytes:
            result = draw()
            return encode_animation(result.frames(), name, seconds=seconds, metadata=result.settings())

        address = studio.downloads.put(tab, f"{key}-{ending}", played, name, kind, weight)
        return link(address, f"Save as {ending.upper()}", name)

    return offer("gif", "image/gif") + (offer("mp4", "video/mp4") if find_spec("av") else "")


def single(result: Result, number: int) -> bytes:
    """One picture of a result as a file, to the byte what `--each` writes of it."""
    return encode_image(picture_image(result.pictures[number]), "picture.png", result.settings_of(number))


def singles(studio: Studio, tab: str, key: str, result: Result, stem: str) -> tuple[list[str], list[str]]:
    """Names and addresses of every picture of a result, each a file when it is fetched."""
    count = len(result.pictures)
    names = [f"{stem}-{number:0{max(2, len(str(count)))}d}.png" for number in range(1, count + 1)]
    weight = result.pictures.nbytes // count
    addresses = [
        studio.downloads.put(
            tab, f"{key}-{number}", partial(single, result, number), name, "image/png", weight
        )
        for number, name in enumerate(names)
    ]
    return names, addresses


def in_the_photo(
    studio: Studio, tab: str, key: str, photo: StudioPhoto, result: Edit | Variations, stem: str
) -> list[tuple[str, str]]:
    """Address and name of the whole photo with each picture's change in it, as `--paste` writes it; drawn when it is
    fetched. None where the model draws alone."""
    if result.drawing.details != "photo":
        return []
    named, data = studio.photos.file(str(photo.choice))
    ending, offered = ending_of(data, named), []
    for number in range(len(result.pictures)):
        name = f"{stem}-photo-{number + 1:02d}{ending}"
        kind = "image/jpeg" if ending == ".jpg" else "image/png"
        content = partial(_pasted, studio, photo, result, number)
        offered.append((studio.downloads.put(tab, f"{key}-whole-{number}", content, name, kind, 0), name))
    return offered


def _pasted(studio: Studio, photo: StudioPhoto, result: Edit | Variations, number: int) -> bytes:
    named, data = studio.photos.file(str(photo.choice))
    whole, latents = read_whole(data, named), np.asarray(result.latents[number : number + 1], np.float32)
    pixels = changed_pixels(studio.model, whole, [photo.input], latents, [photo.to_photo])
    return whole.encode(pixels, {**result.settings_of(number), "faces": 1})


def picture(studio: Studio, tab: str, key: str, result: Result, stem: str) -> tuple[str, str]:
    """The address of a result's only picture as a file, and a link that saves it."""
    name = f"{stem}.png"
    content, weight = partial(single, result, 0), result.pictures.nbytes
    address = studio.downloads.put(tab, key, content, name, "image/png", weight)
    return address, link(address, "Save the picture", name)


def drawn_picture(studio: Studio, tab: str, key: str, shown: np.ndarray, stem: str) -> str:
    """A link that saves one picture (S, S, 3), pixel for pixel."""
    name = f"{stem}.png"
    return link(studio.downloads.put(tab, key, png_bytes(shown), name, "image/png"), "Save the picture", name)
