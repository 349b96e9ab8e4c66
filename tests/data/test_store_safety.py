"""A packed store is what was packed, or it is said."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from filelock import FileLock

from facette.data import open_dataset
from facette.data.open import LOOKED_AT
from facette.data.packed import DIGESTS, pixels_name
from facette.errors import DataError
from facette.recipe import load_recipe

PIXELS = pixels_name(8)


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


@pytest.mark.parametrize("file", [PIXELS, "names.npy", "name_ends.npy", "store.json", "unreadable.json"])
@pytest.mark.parametrize("kept", [0, 0.5])
def test_a_store_that_was_cut_short_is_one_sentence(store, tmp_path, file, kept):
    data = (store.path / file).read_bytes()
    (store.path / file).write_bytes(data[: int(len(data) * kept)])
    source, spec = tmp_path / "pictures", load_recipe("quick").input
    with pytest.raises(DataError, match=r"damaged") as caught:
        open_dataset(source, spec, tmp_path / "cache")
    assert "\n" not in str(caught.value)
    again = open_dataset(source, spec, tmp_path / "cache", fresh=True)
    assert again.fingerprint == store.fingerprint


def test_a_store_that_is_cut_short_in_use_is_a_sentence_and_no_signal(store):
    every = np.arange(len(store))
    before, names = store.read(every), list(store.names)
    for file in store.path.iterdir():
        with file.open("r+b") as open_file:
            open_file.truncate(0 if file.name != PIXELS else 2 * before[0].nbytes)
    assert np.array_equal(store.read(every[:2]), before[:2])
    with pytest.raises(DataError, match=r"cut short while it was in use.*fresh"):
        store.read(every)
    with pytest.raises(DataError, match=r"damaged|cut short"):
        store.verify()
    assert list(store.names) == names


def test_neighbours_strangers_and_repeats_come_as_they_were_asked_for(store):
    every = store.read(np.arange(len(store)))
    for rows in ([], [39], [3, 4, 5, 9, 1, 2, 2], [5, 4, 3], list(range(10, 30))):
        assert np.array_equal(store.read(np.array(rows, np.int64)), every[rows])


def test_what_is_in_use_stays_until_a_fresh_one_is_whole(store, tmp_path, monkeypatch):
    source, spec = tmp_path / "pictures", load_recipe("quick").input

    def stopped(*_) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("facette.data.packing._StoreWriter.finish", stopped)
        with pytest.raises(KeyboardInterrupt):
            open_dataset(source, spec, tmp_path / "cache", fresh=True)
    open_dataset(source, spec, tmp_path / "cache").verify()


def test_of_two_that_ask_for_fresh_pictures_at_once_one_packs_and_both_have_them(store, tmp_path):
    """The second waits, and takes what came to be while it waited."""
    source, spec = tmp_path / "pictures", load_recipe("quick").input
    packed: list[int] = []
    stores = []

    def work() -> None:
        told: list[int] = []
        fresh = open_dataset(
            source, spec, tmp_path / "cache", fresh=True, progress=lambda _, done, __: told.append(done)
        )
        fresh.verify()
        stores.append(fresh)
        packed.extend(told[:1])

    with FileLock(store.path.with_name(store.path.name + ".lock")):
        pair = [threading.Thread(target=work) for _ in range(2)]
        for thread in pair:
            thread.start()
        time.sleep(0.2)  # both have asked
    for thread in pair:
        thread.join()
    assert len(packed) == 1
    assert [fresh.fingerprint for fresh in stores] == [store.fingerprint] * 2
    assert {path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()} == {store.path.name}


def test_labels_that_were_kept_and_are_damaged_are_read_again(tmp_path, store):
    source, spec = tmp_path / "pictures", load_recipe("quick").input
    (source / "attributes.csv").write_text("name,tall\n" + "".join(f"{n},1\n" for n in store.names))
    labelled = open_dataset(source, spec, tmp_path / "cache")
    (kept,) = sorted(labelled.path.glob("labels-*.npz"), key=lambda path: path.stat().st_mtime)[-1:]
    kept.write_bytes(kept.read_bytes()[:100])
    again = open_dataset(source, spec, tmp_path / "cache")
    assert again.attributes is not None
    assert np.array_equal(again.attributes.values, labelled.attributes.values)
