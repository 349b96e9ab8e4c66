"""Draws the pictures of the README and the docs again: `make figures`.

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
from facette.images.grid import save_sheet, wall_sheet

FIGURES = Path(__file__).parent / "figures"


def main() -> None:
    model = facette.load("faces64")
    hopper, astronaut = (_aligned(model, name) for name in ("hopper", "astronaut"))
    drawn = {
        "variations": facette.vary(model, hopper, count=10, diversity=7.0).sheet(),
        "sweep": facette.sweep(model, hopper, [1, 4, 7, 10], count=6).sheet(),
        "interpolation": facette.interpolate(model, hopper, astronaut, steps=9, method="slerp").sheet(),
        "reconstructions": facette.reconstruct(model, np.stack([hopper, astronaut])).sheet(),
        "samples": facette.sample(model, 24, seed=1).sheet(),
        "synthetic-faces": wall_sheet(list(draw_faces(12, 128, seed=3).pictures), title="synthetic-faces"),
    }
    for name, sheet in drawn.items():
        print(save_sheet(sheet, FIGURES / f"{name}.jpg"))
    print(_mixture_page())


def _mixture_page() -> Path:
    """The laboratory's page over five seeds, made smaller for a repository page. Trains for some minutes."""
    page = FIGURES / "mixture.png"
    subprocess.run(
        [sys.executable, "-m", "facette", "mixture", "--seeds", "5", "--out", str(page)], check=True
    )
    with Image.open(page) as whole:
        small = whole.convert("RGB").resize(
            (1300, round(1300 * whole.height / whole.width)), Image.Resampling.LANCZOS
        )
    page.unlink()
    small.save(page.with_suffix(".jpg"), quality=88)
    return page.with_suffix(".jpg")


def _aligned(model, name: str) -> np.ndarray:
    return intake(facette.open_image(find_photo(name)).image, model.input).picture


if __name__ == "__main__":
    main()
