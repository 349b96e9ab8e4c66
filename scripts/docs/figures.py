"""Draws the pictures of the README and the docs again: `make figures`; with `--all` the mixture page too.

Only public-domain photos, generated faces and pictures made by the bundled model appear; each file stays small.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from chromium import launch_chromium
from PIL import Image
from playwright.sync_api import sync_playwright

import facette
from facette.cli.demo import find_photo
from facette.data.synthetic import draw_faces
from facette.images.faces.align import intake
from facette.images.sheets.grid import Cell, SheetRow, contact_sheet, wall_sheet
from facette.judges.attributes import ATTRIBUTES, extract
from facette.latent import field, strip, traverse, vary
from facette.latent.drawing import enlarge
from facette.latent.levels import known_curve
from facette.latent.sheets import save_pictures, signed
from facette.plots.style import accent, label, legend, new_figure, save_figure

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
WIDTH = 1300  # pixels
# The classic 64×64 network with 50 latents, trained by its authors, in the folder that tests have real faces from.
SHARED = Path(os.environ.get("FACETTE_SHARED", Path(__file__).parents[3] / "shared"))
CLASSIC = SHARED / "checkpoints" / "celeba64_z50_200epochs.pth"


def main() -> None:
    model = facette.load("faces128")
    hopper, astronaut = (_aligned(model, name) for name in ("hopper", "astronaut"))
    drawn = {
        "variations": facette.vary(model, find_photo("astronaut")).sheet(),
        "sweep": facette.sweep(model, find_photo("astronaut"), [0.3, 0.6, 1, 1.4], 5, noise="people").sheet(),
        "interpolation": facette.interpolate(
            model, *map(find_photo, ("hopper", "astronaut")), steps=9, method="slerp"
        ).sheet(),
        "reconstructions": facette.reconstruct(model, np.stack([hopper, astronaut])).sheet(),
        "samples": facette.sample(model, 24, seed=1, temperature=0.8).sheet(),
        "synthetic-faces": wall_sheet(list(draw_faces(12, 128, seed=3).pictures), title="synthetic-faces"),
    }
    for name, sheet in drawn.items():
        print(_save(sheet.image, FIGURES / f"{name}.jpg"))
    print(_sharpness(model) if CLASSIC.is_file() else f"sharpness.jpg stays: it takes {CLASSIC}")
    for path in _maps(model, {"hopper.png": hopper, "astronaut.png": astronaut}):
        print(path)
    for path in [*_walks(model, astronaut), *_edits(model, find_photo("astronaut")), *_dial(model)]:
        print(path)
    if "--all" in sys.argv:  # trains five models: minutes
        print(_mixture_page())


def _sharpness(model) -> Path:
    """Photos as a classic network draws them (in its own frame), and ours without and with the second stage."""
    names = ("astronaut", "hopper")
    batch = np.stack([_aligned(model, name) for name in names])
    classic = facette.import_checkpoint(CLASSIC)
    theirs = np.stack([_aligned(classic, name) for name in names])
    mean = model.encode(batch).mean
    columns = {
        "photo": batch,
        "a classic VAE": enlarge(classic.decode(classic.encode(theirs).mean), batch.shape[1]),
        "Facette, plain": model.plain().decode(mean),
        "Facette, sharp": model.decode(mean),
    }
    rows = [SheetRow([Cell(pictures[i]) for pictures in columns.values()]) for i in range(len(names))]
    sheet = contact_sheet(
        rows,
        title="The same latents, drawn plain and drawn sharp",
        subtitle=f"{model.name}: the decoder's mean, and the second stage over it",
        columns=list(columns),
    )
    return _save(sheet.image, FIGURES / "sharpness.jpg")


def _maps(model, photos: dict[str, np.ndarray]) -> list[Path]:
    """A map of faces that the model drew, named by the network that judges pictures; as a figure and as the page."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = facette.sample(model, 1500, seed=4, temperature=0.8).pictures
        known = extract(pictures).logits > 0
        (drawn := Path(folder) / "drawn faces").mkdir()
        save_pictures(pictures, drawn)
        names = [path.name for path in sorted(drawn.iterdir())]
        rows = [
            f"{name},{','.join(map(str, row))}"
            for name, row in zip(names, np.where(known, 1, -1), strict=True)
        ]
        table = "\n".join((f"name,{','.join(ATTRIBUTES)}", *rows))
        (drawn / "attributes.csv").write_text(table, "utf-8")
        made = facette.map(model, drawn, color="Blond_Hair", place=photos)
        figure, page = made.save(Path(folder) / "map.png"), made.save(Path(folder) / "map.html")
        shot = Path(folder) / "page.png"
        with sync_playwright() as browsers:
            browser = launch_chromium(browsers)
            shown = browser.new_page(viewport={"width": 1300, "height": 820})
            shown.goto(page.as_uri())
            shown.wait_for_selector("body[data-ready]")
            shown.mouse.click(430, 500)
            shown.wait_for_timeout(1500)
            shown.screenshot(path=shot)
            browser.close()
        saved = []
        for path, name in ((figure, "map"), (shot, "map-page")):
            with Image.open(path) as image:
                saved.append(_save(image.convert("RGB"), FIGURES / f"{name}.jpg"))
    return saved


def _walks(model, photo: np.ndarray) -> list[Path]:
    """Four ways between two faces the model has drawn, and the field between three of them and the photo."""
    drawn = facette.sample(model, 12, seed=1).pictures[[0, 11, 7]]
    ways = ("linear", "slerp", "norm", "geodesic")
    walked = [facette.interpolate(model, drawn[0], drawn[1], steps=9, method=way) for way in ways]
    rows = [SheetRow([Cell(p) for p in made.pictures], made.method) for made in walked]
    sheet = contact_sheet(
        rows, title="Four ways from one face to another", subtitle=f"both drawn by {model.name}"
    )
    between = field(model, [photo, *drawn], rows=4, columns=7, method="slerp").sheet()
    return [_save(sheet.image, FIGURES / "ways.jpg"), _save(between.image, FIGURES / "field.jpg")]


def _edits(model, photo: Path) -> list[Path]:
    """One attribute of the photo at a time, and the main axes of the data; of a model that knows attributes."""
    if "directions" not in model.metrics:
        print(f"{model.name} knows no attributes: edits.jpg and axes.jpg stay as they are")
        return []
    names = ("Smiling", "Mouth_Slightly_Open", "Male", "Young", "Blond_Hair", "Bangs")
    strips = [strip(model, photo, name, (-3, 3), steps=7) for name in names]
    rows = [SheetRow([Cell(p) for p in made.pictures], made.attribute.replace("_", " ")) for made in strips]
    sheet = contact_sheet(
        rows,
        title="One photo, one attribute at a time",
        subtitle=f"in standard deviations of the attribute's score · {model.name}",
        columns=[signed(strength) for strength in strips[0].strengths],
        photo=Cell(strips[0].photo, "photo", framed=True),
    )
    axes = traverse(model, photo, along="axes", rows=5, steps=5, reach=2).sheet()
    return [_save(sheet.image, FIGURES / "edits.jpg"), _save(axes.image, FIGURES / "axes.jpg")]


def _dial(model) -> list[Path]:
    """What the dial makes of one photo, and the curves of the model; of a model that was calibrated."""
    photo = find_photo("astronaut")
    if "dial" not in model.metrics:
        print(f"{model.name} is not calibrated: dial.jpg and dial-curves.jpg stay as they are")
        return []
    wishes = {
        "--diversity subtle": vary(model, photo, diversity="subtle"),
        "--diversity auto": vary(model, photo),
        "--diversity auto --spread best": vary(model, photo, spread="best"),
        "--diversity bold": vary(model, photo, diversity="bold"),
    }
    rows = [SheetRow([Cell(p) for p in relatives.pictures], name) for name, relatives in wishes.items()]
    shown = next(iter(wishes.values())).photo
    sheet = contact_sheet(
        rows, title="One photo, four wishes", subtitle=model.name, photo=Cell(shown, "photo", framed=True)
    )
    figure = new_figure("", 1, 2, size=(9, 3.6))
    for panel, noise in zip(figure.axes, ("people", "posterior"), strict=True):
        for number, details in enumerate(("photo", "model")):
            curve = known_curve(model, noise, details)
            panel.plot(
                curve.strength,
                curve.distance,
                marker="o",
                ms=3,
                color=accent(number),
                label=f"details of the {details}",
            )
        panel.axhline(curve.strangers, color="0.5", linewidth=1, label="1 % of strangers")
        label(panel, f"{noise} noise", "strength", "median distance")
        legend(panel)
    with (
        tempfile.TemporaryDirectory() as folder,
        Image.open(save_figure(figure, Path(folder) / "dial.png")) as drawn,
    ):
        curves = _save(drawn.convert("RGB"), FIGURES / "dial-curves.jpg")
    return [_save(sheet.image, FIGURES / "dial.jpg"), curves]


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


def _aligned(model, name: Literal["hopper", "astronaut"]) -> np.ndarray:
    return intake(facette.open_image(find_photo(name)).image, model.input).picture


if __name__ == "__main__":
    main()
