"""A packed store is what was packed, or it is said."""

from __future__ import annotations

import numpy as np
import pytest

from facette.data import open_dataset
from facette.data.open import LOOKED_AT
from facette.data.packed import DIGESTS, PIXELS
from facette.errors import DataError
from facette.recipe import load_recipe


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    from PIL import Image

    draws = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(
            folder / f"{number:03d}.png"
        )
    return open_dataset(folder, load_recipe("quick").input, tmp_path / "cache")


def flip(path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def test_an_undisturbed_store_passes(store):
    store.verify()
    store.verify(LOOKED_AT)


@pytest.mark.parametrize("file", [PIXELS, DIGESTS, "names.npy"])
def test_a_bit_that_turns_is_noticed(store, file):
    size = (store.path / file).stat().st_size
    for place in np.random.default_rng(1).integers(200 if file.endswith("npy") else 0, size, 20).tolist():
        flip(store.path / file, place)
        with pytest.raises(DataError, match=r"is damaged.*fresh"):
            type(store)(store.path).verify()
        flip(store.path / file, place)
    type(store)(store.path).verify()


def test_opening_looks_at_some_and_the_remedy_helps(store, tmp_path):
    data = np.fromfile(store.path / PIXELS, np.uint8)
    data[::50] ^= 128
    data.tofile(store.path / PIXELS)
    source, spec = tmp_path / "pictures", load_recipe("quick").input
    with pytest.raises(DataError, match="damaged"):
        open_dataset(source, spec, tmp_path / "cache")
    open_dataset(source, spec, tmp_path / "cache", fresh=True).verify()


def test_a_link_that_leads_to_itself_costs_itself(run, tmp_path, store):
    folder = tmp_path / "pictures"
    (folder / "self.png").symlink_to("self.png")
    (folder / "round").symlink_to("../pictures/round")
    (folder / "again").symlink_to(".")
    ended = run("prepare", folder, "--recipe", "quick", "--cache", tmp_path / "cache", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["pictures"] == 40
    assert [picture["name"] for picture in ended.json["unreadable"]] == ["self.png"]


def test_prepare_looks_at_all(run, tmp_path, store):
    assert run("prepare", tmp_path / "pictures", "--recipe", "quick", "--cache", tmp_path / "cache").code == 0
    flip(store.path / PIXELS, 5)
    ended = run("prepare", tmp_path / "pictures", "--recipe", "quick", "--cache", tmp_path / "cache")
    assert ended.code == 2
    assert "--fresh" in ended.err
    again = run(
        "prepare", tmp_path / "pictures", "--recipe", "quick", "--cache", tmp_path / "cache", "--fresh"
    )
    assert again.code == 0
