"""Photos in a folder are aligned as one photo is; pictures in the frame stay as they are; who is left out is said."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.data import open_dataset
from facette.errors import DataError
from facette.images.faces.align import intake
from facette.recipe import load_recipe

SPEC = load_recipe("faces64").input


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A woman in three photos, and one of nobody."""
    skimage = pytest.importorskip("skimage")
    data, folder = Path(skimage.__path__[0]) / "data", tmp_path_factory.mktemp("photos")
    astronaut = Image.open(data / "astronaut.png").convert("RGB")
    astronaut.save(folder / "a.png")
    astronaut.crop((0, 0, 400, 512)).save(folder / "b.png")
    astronaut.crop((100, 0, 512, 330)).save(folder / "c.png")
    Image.open(data / "coffee.png").convert("RGB").resize((300, 200)).save(folder / "nobody.png")
    return folder


def test_photos_are_aligned_as_one_photo_is(photos, tmp_path):
    for _ in range(2):  # packed, and kept
        store = open_dataset(photos, SPEC, tmp_path)
        assert list(store.names) == ["a.png", "b.png", "c.png"]
        assert (store.aligned, [entry.name for entry in store.unreadable]) == (3, ["nobody.png"])
        assert "no face" in store.unreadable[0].reason
    for name, picture in zip(store.names, store.read(np.arange(3)), strict=True):
        assert (picture == intake(Image.open(photos / name).convert("RGB"), SPEC).picture).all()


def test_as_they_are_where_that_is_asked_for(photos, tmp_path):
    store = open_dataset(photos, SPEC, tmp_path, align="never")
    assert (len(store), store.aligned) == (4, 0)
    with pytest.raises(DataError, match="not one of faces"):
        open_dataset(photos, SPEC.model_copy(update={"frame": None}), tmp_path, align="always")


def test_a_zip_of_photos_is_the_folder(photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(photos.iterdir()):
            archive.write(path, path.name)
    zipped = open_dataset(tmp_path / "photos.zip", SPEC, tmp_path / "cache")
    folder = open_dataset(photos, SPEC, tmp_path / "cache")
    assert (zipped.read(np.arange(3)) == folder.read(np.arange(3))).all()


def test_pictures_in_the_frame_stay_as_they_are(photos, tmp_path, run):
    """A folder of larger crops, in which the faces lie right, and what align writes."""
    larger = SPEC.model_copy(update={"size": 128})
    (tmp_path / "crops").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        crop = intake(Image.open(photos / name).convert("RGB"), larger, align="always").picture
        Image.fromarray(crop).save(tmp_path / "crops" / name)
    assert open_dataset(tmp_path / "crops", SPEC, tmp_path / "cache").aligned == 0
    assert run("align", photos, "--out", "written", "--size", 100).code == 0
    store = open_dataset(tmp_path / "written", SPEC, tmp_path / "cache")
    assert (len(store), store.aligned) == (3, 0)


def test_commands_say_what_was_done(photos, tmp_path, run):
    ended = run("prepare", photos, "--json")
    assert (ended.json["aligned"], ended.json["pictures"], len(ended.json["unreadable"])) == (3, 3, 1)
    ended = run("map", "faces128", photos, "--out", "map.png", "--method", "pca")
    assert "3 pictures aligned, 0 taken as they are, 1 left out" in ended.err
    assert "nobody.png" in ended.err
    ended = run("encode", "faces128", photos, "--out", "latents.npz", "--json")
    assert ended.code == 0
    with np.load(tmp_path / "latents.npz") as table:
        assert len(table["mean"]) == 3


def test_collections_may_be_taken_as_they_are(photos, tmp_path, run):
    ended = run("encode", "faces128", photos, "--out", "aligned.npz", "--json")
    assert ended.json["treated"]["aligned"] == ended.json["rows"] == 3
    assert "3 pictures aligned, 0 taken as they are, 1 left out" in ended.err
    kept = run("encode", "faces128", photos, "--out", "kept.npz", "--no-align", "--json")
    assert (kept.json["rows"], kept.json["treated"]) == (4, {"cut": 3})
    again = run("encode", "faces128", photos, "--out", "kept.npz", "--no-align", "--json")
    assert again.json["treated"] == {"cut": 3}
    other = run("encode", "faces128", photos, "--out", "kept.npz")
    assert other.code == 2
