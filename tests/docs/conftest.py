"""A reader's folder: every photo, folder, model and file that the pages name, as a small stand-in.

The pictures are faces that the bundled model drew, their labels what the attribute network saw in them; the models
are small but real. Each command of the pages runs in a copy of its own, made of hard links.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from pages import REPOSITORY, blocks
from PIL import Image

PHOTOS = ["me", "someone", "anna", "bert", "carl", "dora", "a", "b", "kate", "tom"]
# Real photos, in the public domain.
CREDIT: dict[str, Literal["astronaut", "hopper"]] = {"grandmother": "hopper", "photo": "astronaut"}
FOLDERS = [
    "my-photos",
    "new-photos",
    "photos",
    "holiday",
    "pictures",
    "celeba",
    "img_align_celeba",
    "faces",
    "faces128",
]
MODELS = [
    "runs/old",
    "runs/mine",
    "runs/own",
    "runs/tc",
    "runs/vae",
    "runs/beta",
    "runs/btc",
    "runs/mynets",
    "runs/quick",
    "runs/celeba150",
    "runs/celeba64-z50",
    "my-model",
    "other-model",
    "celeba64-z50",
    "celeba150",
]
EACH = 48  # pictures in a part of a folder
COUNTS = {
    "my-photos": 204,
    "celeba": 204,
    "photos": 4,
}  # in `train`: for calibrating, and directions


OWN_CODE = {"nets.py": "docs/own-code.md", "mynets.py": "docs/guide/own-network.md"}


def own_code(file: str) -> str:
    """A reader's file of Python, as a page has it."""
    page = REPOSITORY / OWN_CODE[file]
    return next(block.text for block in blocks(page) if block.text.startswith(f"# {file}"))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, drawn_faces, quick_run: Path) -> Path:
    """The folder with everything that pages name."""
    from facette.judges.attributes import extract

    folder = tmp_path_factory.mktemp("house")
    _photos(folder, drawn_faces)
    signs = np.where(extract(drawn_faces).logits > 0, 1, -1)
    for name in FOLDERS:
        _pictures(folder / name, drawn_faces, signs)
    shutil.rmtree(folder / "holiday")
    (folder / "holiday" / "beach").mkdir(parents=True)
    shutil.copy(folder / "grandmother.jpg", folder / "holiday")
    shutil.copy(folder / "photo.jpg", folder / "holiday" / "beach")
    _models(folder, quick_run)
    whose = (
        f"{picture.name},{number // 2}" for number, picture in enumerate(sorted(folder.glob("faces/*/*.jpg")))
    )
    (folder / "who.csv").write_text("\n".join(("image_id,person", *whose)), "utf-8")
    for file in OWN_CODE:
        (folder / file).write_text(own_code(file), "utf-8")
    _shapes(folder)
    return folder


@pytest.fixture
def visited(house: Path, tmp_path: Path, monkeypatch, measured_less: None) -> Path:
    """A copy of that folder to work in."""
    copy = tmp_path / "house"
    shutil.copytree(house, copy, copy_function=os.link)
    monkeypatch.chdir(copy)
    return copy


def _photos(folder: Path, faces: np.ndarray) -> None:
    from facette.cli.demo import find_photo

    for place, name in enumerate(PHOTOS):
        Image.fromarray(faces[place]).save(folder / f"{name}.jpg", quality=95)
    Image.fromarray(faces[0]).save(folder / "aligned.png")
    real = {}
    for name, source in CREDIT.items():
        with Image.open(find_photo(source)) as opened:
            real[name] = opened.convert("RGB").resize((320, round(320 * opened.height / opened.width)))
        real[name].save(folder / f"{name}.jpg", quality=92)
    party = Image.new("RGB", (700, 420), (120, 130, 140))
    for place, one in enumerate(real.values()):
        party.paste(one, (20 + 340 * place, 10))
    party.save(folder / "party.jpg", quality=92)
    Image.fromarray(faces[:8].reshape(2, 4, 128, 128, 3).transpose(0, 2, 1, 3, 4).reshape(256, 512, 3)).save(
        folder / "landscape.jpg"
    )


def _pictures(folder: Path, faces: np.ndarray, signs: np.ndarray) -> None:
    """`train` and `valid` with a table of attributes beside each, as facette understands them."""
    from facette.judges.attributes import ATTRIBUTES

    for part, start, count in (("train", 0, COUNTS.get(folder.name, EACH)), ("valid", 210, EACH)):
        (folder / part).mkdir(parents=True)
        rows = [",".join(("image_id", *ATTRIBUTES))]
        for place in range(start, start + count):
            name = f"{place:06d}.jpg"
            Image.fromarray(faces[place]).save(folder / part / name, quality=92)
            rows.append(",".join((name, *map(str, signs[place]))))
        (folder / f"{part}_attributes.csv").write_text("\n".join(rows), "utf-8")


def _shapes(folder: Path) -> None:
    """Grey discs and squares with a list of what they are, and a model that knows it."""
    import facette
    from facette.latent.attributes import fit_attributes
    from facette.recipe import ConditionSpec

    rows, (y, x) = ["image_id,kind,size"], np.mgrid[:24, :24] - 11.5
    for number in range(2 * EACH):
        place = folder / ("shapes" if number < EACH else "new-shapes")
        place.mkdir(exist_ok=True)
        size, disc = 5 + number % 7 + number / EACH, number % 2 == 0
        away = np.hypot(x, y) if disc else np.maximum(abs(x), abs(y))
        picture = (255 * np.clip(size - away, 0, 1)).astype(np.uint8)
        Image.fromarray(picture).save(place / f"{number:03d}.png")
        rows.append(f"{number:03d}.png,{'disc' if disc else 'square'},{size:g}")
    (folder / "shapes_labels.csv").write_text("\n".join(rows), "utf-8")
    for line in rows[1 : EACH + 1]:
        name, kind, _ = line.split(",")
        (folder / "sorted" / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "shapes" / name, folder / "sorted" / kind)
    recipe = facette.load_recipe(
        "digits", ["input.size=24", "model.latent=4", "train.steps=20", "train.mixture_components=[1]"]
    )
    run = folder / "runs" / "shapes"
    facette.train(recipe, folder / "shapes", run)
    fit_attributes(run, folder / "shapes", split="all").save(run / "best")
    told = recipe.model.model_copy(
        update={"condition": (ConditionSpec(name="kind"), ConditionSpec(name="size"))}
    )
    facette.train(recipe.model_copy(update={"model": told}), folder / "shapes", folder / "runs" / "told")


def _models(folder: Path, quick_run: Path) -> None:
    import torch
    from foreign_networks import ClassicVAE, living_in

    import facette

    for name in MODELS:
        shutil.copytree(quick_run, folder / name)
    (folder / "runs" / "quick-search").mkdir()
    shutil.copy(quick_run / "recipe.toml", folder / "runs" / "quick-search" / "best.toml")
    for name in ("my-faces", "runs/faces64"):  # sharp, calibrated, with directions
        facette.save(facette.load("faces128"), folder / name)
    whole = type("VAE", (ClassicVAE,), {})  # saved whole, by a class that can be imported from nowhere
    with living_in("vae", whole):
        torch.save(whole().eval(), folder / "vae_model_20.pth")
    facette.import_checkpoint(folder / "vae_model_20.pth", folder / "classic")
    facette.map("faces128", folder / "my-photos", method="pca").save(folder / "map.npz")


@pytest.fixture(scope="session")
def diffusion(tiny_diffusion: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pipeline under the name that the pages have."""
    return shutil.copytree(tiny_diffusion, tmp_path_factory.mktemp("diffusion") / "stable-diffusion-v1-5")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A hub on this machine, in the place of the one that the client library would talk to."""
    pytest.importorskip("huggingface_hub")
    from local_hub import serve, talk_to

    hub, server = serve()
    talk_to(hub, monkeypatch, tmp_path / "hub-cache")
    yield hub
    server.shutdown()
    server.server_close()
