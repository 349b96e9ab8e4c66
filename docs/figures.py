"""Draws the pictures of the README and the docs again: `make figures`; with `--all` the mixture page too.

Only public-domain photos, generated faces and pictures made by the bundled model appear; each file stays small.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import facette
from facette.cli.demo import find_photo
from facette.data.synthetic import draw_faces
from facette.images.align import intake
from facette.images.grid import wall_sheet

FIGURES = Path(__file__).parent / "figures"
WIDTH = 1300  # pixels


def main() -> None:
    model = facette.load("faces64")
    hopper, astronaut = (_aligned(model, name) for name in ("hopper", "astronaut"))
    drawn = {
        "variations": facette.vary(model, astronaut, count=10, diversity=7.0).sheet(),
        "sweep": facette.sweep(model, astronaut, [1, 4, 7, 10], count=5).sheet(),
        "interpolation": facette.interpolate(model, hopper, astronaut, steps=9, method="slerp").sheet(),
        "reconstructions": facette.reconstruct(model, np.stack([hopper, astronaut])).sheet(),
        "samples": facette.sample(model, 24, seed=1).sheet(),
        "synthetic-faces": wall_sheet(list(draw_faces(12, 128, seed=3).pictures), title="synthetic-faces"),
    }
    for name, sheet in drawn.items():
        print(_save(sheet.image, FIGURES / f"{name}.jpg"))
    if "--all" in sys.argv:  # trains five models: minutes
        print(_mixture_page())


def _mixture_page() -> Path:
    """The laboratory's page over five seeds, made smaller for a repository page. Trains for some minutes."""
    page = FIGURES / "mixture.png"
    subprocess.run(
        [sys.executable, "-m", "facette", "mixture", "--seeds", "5", "--out", str(page)], check=True
    )
    with Image.open(page) as whole:
        saved = _save(whole.convert("RGB"), page.with_suffix(".jpg"))
    page.unlink()
    return saved


def _save(image: Image.Image, path: Path) -> Path:
    """As wide as a repository page shows it twice over, and light enough to travel with the code."""
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)
    image.save(path, quality=88)
    return path


def _aligned(model, name: str) -> np.ndarray:
    return intake(facette.open_image(find_photo(name)).image, model.input).picture


if __name__ == "__main__":
    main()
