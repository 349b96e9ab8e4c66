"""Laws of the packed store: what is read is what was decoded, whatever happened on the way."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.data import open_dataset
from facette.data.names import NameTable
from facette.data.packing import BLOCK
from facette.errors import DataError, UsageError
from facette.images.fit import fit_picture
from facette.images.open import open_image

PACKER = """
import os, signal, sys
from facette.data import open_dataset
from facette.recipe import ImageInput

folder, cache, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = []

def progress(stage, done, total):
    seen.append(done)
    if limit and done >= limit:
        os.kill(os.getpid(), signal.SIGKILL)

store = open_dataset(folder, ImageInput(size=16), cache, progress=progress, workers=2)
print(store.fingerprint, seen[0] if seen else -1, len(seen))
"""


def packer(folder: Path, cache: Path, kill_at: int = 0) -> subprocess.Popen:
    command = [sys.executable, "-W", "error", "-c", PACKER, str(folder), str(cache), str(kill_at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen) -> tuple[str, int, int]:
    """Fingerprint, pictures that were there at the start (-1: nothing was to do), blocks that were decoded."""
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    fingerprint, started_at, calls = out.split()
    return fingerprint, int(started_at), int(calls) - 1


def directly(root: Path, names, spec) -> np.ndarray:
    return np.stack([fit_picture(open_image(root / name).image, spec) for name in names])


def test_pixels_are_those_of_decoding_and_fitting(picture_folder, spec, tmp_path):
    root = picture_folder(23)
    store = open_dataset(root, spec, tmp_path / "cache")
    assert store.names == sorted(path.name for path in root.iterdir())
    batch = store.read(np.arange(23))
    assert (type(batch), batch.dtype) == (np.ndarray, np.uint8)
    assert batch.flags.c_contiguous
    np.testing.assert_array_equal(batch, directly(root, store.names, spec))


def test_reading_follows_the_indices_and_gives_a_copy(picture_folder, spec, tmp_path):
    store = open_dataset(picture_folder(9), spec, tmp_path / "cache")
    everything = store.read(store.indices("all"))
    order = np.array([7, 0, 7, 3], np.int32)
    batch = store.read(order)
    np.testing.assert_array_equal(batch, everything[order])
    batch[:] = 0
    np.testing.assert_array_equal(store.read(order), everything[order])
    assert store.read(np.array([], int)).shape == (0, 16, 16, 3)


@pytest.mark.parametrize("indices", [[9], [-1], [[0]], [0.5], [True] * 9])
def test_reading_refuses_what_is_no_index(picture_folder, spec, tmp_path, indices):
    store = open_dataset(picture_folder(9), spec, tmp_path / "cache")
    with pytest.raises(UsageError):
        store.read(np.array(indices))


def test_a_second_opening_decodes_nothing(picture_folder, spec, tmp_path, monkeypatch):
    root = picture_folder(5)
    first = open_dataset(root, spec, tmp_path / "cache")
    monkeypatch.setattr("facette.data.source.open_image", lambda *_, **__: pytest.fail("decoded again"))
    calls = []
    again = open_dataset(root, spec, tmp_path / "cache", progress=lambda *counts: calls.append(counts))
    assert (again.fingerprint, again.path, calls) == (first.fingerprint, first.path, [])


def test_the_result_does_not_depend_on_the_threads(picture_folder, spec, tmp_path):
    root = picture_folder(3 * BLOCK + 1)
    prints = {open_dataset(root, spec, tmp_path / f"cache{n}", workers=n).fingerprint for n in (1, 2, 7)}
    assert len(prints) == 1


def test_the_fingerprint_is_of_content_and_names(picture_folder, spec, tmp_path):
    root = picture_folder(6)
    first = open_dataset(root, spec, tmp_path / "cache")
    moved = open_dataset(root.rename(tmp_path / "elsewhere"), spec, tmp_path / "cache")
    assert moved.fingerprint == first.fingerprint
    names = sorted(path.name for path in (tmp_path / "elsewhere").iterdir())
    (tmp_path / "elsewhere" / names[0]).rename(tmp_path / "elsewhere" / "00000-renamed.jpg")
    renamed = open_dataset(tmp_path / "elsewhere", spec, tmp_path / "cache")
    assert renamed.fingerprint != first.fingerprint
    Image.new("RGB", (40, 48), "red").save(tmp_path / "elsewhere" / names[1])
    repainted = open_dataset(tmp_path / "elsewhere", spec, tmp_path / "cache")
    assert repainted.fingerprint not in (first.fingerprint, renamed.fingerprint)


def test_geometry_has_its_own_store_and_range_does_not(picture_folder, spec, tmp_path):
    root, cache = picture_folder(4), tmp_path / "cache"
    path = open_dataset(root, spec, cache).path
    assert open_dataset(root, spec.model_copy(update={"range": "unit", "flip": True}), cache).path == path
    for change in ({"size": 17}, {"fit": "squash"}, {"frame": None}):
        assert open_dataset(root, spec.model_copy(update=change), cache).path != path


def test_a_killed_packing_goes_on_and_ends_the_same(picture_folder, tmp_path):
    root = picture_folder(6 * BLOCK + 5)
    whole, started_at, blocks = answer(packer(root, tmp_path / "whole"))
    assert (started_at, blocks) == (0, 7)
    killed = packer(root, tmp_path / "cache", kill_at=3 * BLOCK)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert not list((tmp_path / "cache").glob("*/store.json"))
    resumed, started_at, blocks = answer(packer(root, tmp_path / "cache"))
    assert (started_at, blocks) == (3 * BLOCK, 4)
    assert resumed == whole
    assert not list((tmp_path / "cache").glob("*.partial"))


def test_a_row_that_the_power_cut_spoiled_is_packed_again(picture_folder, tmp_path):
    root = picture_folder(4 * BLOCK)
    whole, *_ = answer(packer(root, tmp_path / "whole"))
    packer(root, tmp_path / "cache", kill_at=3 * BLOCK).communicate(timeout=120)
    (pixels,) = (tmp_path / "cache").glob("*.partial/pixels.u8")
    with pixels.open("r+b") as file:
        file.seek(5 * 16 * 16 * 3)
        file.write(bytes(100))
    resumed, started_at, blocks = answer(packer(root, tmp_path / "cache"))
    assert (started_at, blocks) == (3 * BLOCK - 1, 2)
    assert resumed == whole


def test_two_processes_make_one_store(picture_folder, tmp_path):
    root = picture_folder(4 * BLOCK)
    both = [packer(root, tmp_path / "cache") for _ in range(2)]
    answers = [answer(process) for process in both]
    assert answers[0][0] == answers[1][0]
    assert sorted(start for _, start, _ in answers) == [
        -1,
        0,
    ]  # one packed from the start, the other nothing at all
    assert len([p for p in (tmp_path / "cache").iterdir() if p.is_dir()]) == 1


def test_unreadable_pictures_are_listed_and_left_out(picture_folder, spec, tmp_path):
    root = picture_folder(BLOCK + 6)
    whole = (root / "00000.jpg").read_bytes()
    (root / "00003a.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "00070.png").write_text("no picture")
    (root / "zz.jpg").write_bytes(b"")
    (root / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    for _ in range(2):  # packed now, and read back
        store = open_dataset(root, spec, tmp_path / "cache")
        assert [name for name, _ in store.unreadable] == ["00003a.jpg", "00070.png", "dangling.jpg", "zz.jpg"]
        reasons = dict(store.unreadable)
        assert "damaged" in reasons["00003a.jpg"]
        assert "empty" in reasons["zz.jpg"]
        assert "does not exist" in reasons["dangling.jpg"]
        assert not any(str(root) in reason for reason in reasons.values())
        assert len(store) == len(store.names) == BLOCK + 6
        np.testing.assert_array_equal(store.read(store.indices("all")), directly(root, store.names, spec))


def test_unreadable_pictures_do_not_change_the_fingerprint_of_the_others(picture_folder, spec, tmp_path):
    root = picture_folder(5)
    before = open_dataset(root, spec, tmp_path / "cache").fingerprint
    (root / "00000-bad.jpg").write_bytes(b"bad")
    assert open_dataset(root, spec, tmp_path / "cache").fingerprint == before


@pytest.mark.parametrize("packed_before", [False, True])
def test_strict_names_the_unreadable(picture_folder, spec, tmp_path, packed_before):
    root = picture_folder(4)
    (root / "bad.jpg").write_bytes(b"bad")
    if packed_before:
        open_dataset(root, spec, tmp_path / "cache")
    with pytest.raises(DataError, match=r"1 picture.*bad\.jpg is not a picture"):
        open_dataset(root, spec, tmp_path / "cache", strict=True)
    assert len(open_dataset(root, spec, tmp_path / "cache")) == 4


def test_nothing_to_read_is_an_error(spec, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in"):
        open_dataset(tmp_path / "empty", spec, tmp_path / "cache")
    (tmp_path / "empty" / "bad.png").write_bytes(b"bad")
    with pytest.raises(DataError, match=r"none of the 1 pictures.*bad\.png"):
        open_dataset(tmp_path / "empty", spec, tmp_path / "cache")
    with pytest.raises(DataError, match="there is no"):
        open_dataset(tmp_path / "absent", spec, tmp_path / "cache")


def test_fresh_packs_again(picture_folder, spec, tmp_path):
    root = picture_folder(4)
    store = open_dataset(root, spec, tmp_path / "cache")
    calls = []
    again = open_dataset(root, spec, tmp_path / "cache", progress=lambda *c: calls.append(c), fresh=True)
    assert calls[-1] == ("reading pictures", 4, 4)
    assert again.fingerprint == store.fingerprint
    np.testing.assert_array_equal(store.read(np.arange(4)), again.read(np.arange(4)))


def test_a_shortened_store_is_refused(picture_folder, spec, tmp_path):
    root = picture_folder(4)
    path = open_dataset(root, spec, tmp_path / "cache").path
    os.truncate(path / "pixels.u8", 100)
    with pytest.raises(DataError, match="damaged"):
        open_dataset(root, spec, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_said(picture_folder, spec, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="cannot be written"):
        open_dataset(picture_folder(2), spec, tmp_path / "file")


class Flat:
    """As many pictures as wanted, none of them kept."""

    def __init__(self, count: int):
        self.count, self.given = count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        self.given += 1
        return np.full((16, 16, 3), index % 251, np.uint8)

    def __repr__(self) -> str:
        return f"Flat({self.count})"


def peak(count: int, spec, cache: Path) -> int:
    tracemalloc.start()
    try:
        store = open_dataset(Flat(count), spec, cache, workers=2)
        store.read(np.arange(0, count, count // 32))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_pictures(spec, tmp_path):
    peak(100, spec, tmp_path)  # what is imported and kept once
    few, many = peak(1000, spec, tmp_path), peak(6000, spec, tmp_path)
    # 5,000 more pictures are 3.8 MB of pixels; names, hashes and rows may take some bytes each.
    assert many - few < 5000 * 150


def test_decoding_waits_for_writing(spec, tmp_path):
    """However slow the disk, only a few blocks lie in memory."""
    pictures, ahead = Flat(4000), []

    def progress(stage, done, total):
        if done == BLOCK:
            time.sleep(0.3)  # time enough for decoders that nothing holds back
        ahead.append(pictures.given - done)

    open_dataset(pictures, spec, tmp_path, workers=2, progress=progress)
    assert max(ahead) <= (2 * 2 + 1) * BLOCK


def test_names_keep_every_byte(tmp_path):
    names = ["a.jpg", "ä/ö.png", "", "line\nbreak.jpg", b"latin-\xe4.jpg".decode("utf-8", "surrogateescape")]
    table = NameTable.of(names)
    assert list(table) == names
    assert (table[-1], table[1:3]) == (names[-1], names[1:3])
    table.save(tmp_path)
    assert NameTable.load(tmp_path) == names
    with pytest.raises(IndexError):
        table[5]
