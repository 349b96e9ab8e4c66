"""Laws of the sources: a folder, a zip and a Python data set of the same pictures are the same data set."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.data import cache_folder, open_dataset
from facette.data.zipped import ZipSource
from facette.errors import DataError
from facette.images.fit import fit_picture
from facette.images.open import open_image


def zip_of(root: Path, target: Path, inside: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(target, "w", method) as archive:
        for path in sorted(root.rglob("*"), reverse=True):  # an order of its own: sources sort
            if path.is_file():
                archive.write(path, inside + path.relative_to(root).as_posix())
    return target


def png(colour: str = "red", size: tuple[int, int] = (20, 20)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


NESTED = ["a/1.jpg", "a-b/1.png", "a.jpg", "a/b/2.png", "z.webp", "Z/0.bmp"]


def test_nested_folders_in_the_order_of_the_whole_names(picture_folder, spec, tmp_path):
    store = open_dataset(picture_folder(names=NESTED), spec, tmp_path / "cache")
    assert list(store.names) == sorted(NESTED)


def test_what_is_hidden_or_no_picture_is_passed_over(picture_folder, spec, tmp_path):
    root = picture_folder(names=["1.jpg", "deep/2.png"])
    for name in (
        "._1.jpg",
        ".DS_Store",
        "deep/._2.png",
        "Thumbs.db",
        "notes.txt",
        "__MACOSX/._1.jpg",
        ".git/3.jpg",
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(png())
    archive = zip_of(root, tmp_path / "pictures.zip")
    for source in (root, archive):
        store = open_dataset(source, spec, tmp_path / "cache")
        assert (list(store.names), store.unreadable) == (["1.jpg", "deep/2.png"], [])


def test_what_systems_keep_beside_pictures_is_passed_over_and_said(picture_folder, spec, tmp_path):
    """Small copies of a Synology's, and what people threw away: else each would be learned from once more."""
    root = picture_folder(names=["1.jpg", "deep/2.png"])
    kept = [
        "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
        "deep/@eaDir/2.png",
        "#recycle/a/3.jpg",
        "$RECYCLE.BIN/4.png",
    ]
    silent = ["lost+found/notes.txt", "@eaDir/.hidden.png"]
    for name in (*kept, *silent):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png())
    for source in (root, zip_of(root, tmp_path / "pictures.zip")):
        store = open_dataset(source, spec, tmp_path / "cache")
        assert list(store.names) == ["1.jpg", "deep/2.png"]
        assert store.passed_over == (
            "4 pictures in folders of the system's own (@eaDir/ 2, #recycle/ 1, $RECYCLE.BIN/ 1)"
        )
    inside = open_dataset(root / "#recycle", spec, tmp_path / "cache")  # whoever names it means it
    assert list(inside.names) == ["a/3.jpg"]


@pytest.mark.parametrize("inside", ["", "pictures/", "deep/er/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip_is_the_folder(picture_folder, spec, tmp_path, inside, method):
    root = picture_folder(names=NESTED)
    folder = open_dataset(root, spec, tmp_path / "cache")
    archive = open_dataset(zip_of(root, tmp_path / "x.zip", inside, method), spec, tmp_path / "cache")
    assert archive.names == folder.names
    assert archive.fingerprint == folder.fingerprint
    np.testing.assert_array_equal(archive.read(np.arange(6)), folder.read(np.arange(6)))


def test_evil_names_in_a_zip_are_labels_only(spec, tmp_path):
    evil = ["../../evil.png", "/etc/evil.png", "C:\\evil.png", "a/../../b.png", "ok.png"]
    nest = tmp_path / "x" / "y"
    nest.mkdir(parents=True)
    with zipfile.ZipFile(nest / "evil.zip", "w") as archive:
        for name in evil:
            archive.writestr(name, png())
    before = set(tmp_path.rglob("*"))
    store = open_dataset(nest / "evil.zip", spec, tmp_path / "cache")
    assert list(store.names) == ["a/b.png", "etc/evil.png", "evil.png", "evil.png", "ok.png"]
    assert not store.unreadable
    written = set(tmp_path.rglob("*")) - before
    assert all((tmp_path / "cache") in (path, *path.parents) for path in written)
    assert not any(path.suffix == ".png" for path in written)


def test_bad_members_of_a_zip_are_unreadable(spec, tmp_path, monkeypatch):
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("big.bmp", bytes(70_000))
        archive.writestr("crc.png", png("green"))
        archive.writestr("good.png", png())
        archive.writestr("secret.png", png("blue"))
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        crc, secret = archive.getinfo("crc.png"), archive.getinfo("secret.png")
    data[crc.header_offset + 30 + len("crc.png") + 20] ^= 0xFF
    entry = data.index(
        b"PK\x01\x02", data.rindex(b"PK\x01\x02")
    )  # the last entry of the directory: secret.png
    data[entry + 8] |= 1
    data[secret.header_offset + 6] |= 1
    path.write_bytes(data)
    monkeypatch.setattr("facette.data.zipped.MAX_BYTES", 60_000)
    store = open_dataset(path, spec, tmp_path / "cache")
    reasons = dict(store.unreadable)
    assert list(store.names) == ["good.png"]
    assert "more than the 60,000" in reasons["big.bmp"]
    assert "damaged in the archive" in reasons["crc.png"]
    assert "encrypted" in reasons["secret.png"]


def test_a_file_that_is_no_zip_is_said(spec, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip at all")
    with pytest.raises(DataError, match="neither a folder nor a zip archive"):
        open_dataset(tmp_path / "x.zip", spec, tmp_path / "cache")


def test_members_are_kept_as_arrays(picture_folder, tmp_path):
    source = ZipSource(zip_of(picture_folder(5), tmp_path / "x.zip"))
    assert not source._archive.filelist
    assert not source._archive.NameToInfo
    assert len(source.names) == 5


def test_a_large_jpeg_keeps_its_look(spec, tmp_path):
    (tmp_path / "one").mkdir()
    coarse = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    # Eight times the aligned frame: reduced while decoding, it must not be taken for one.
    Image.fromarray(coarse).resize((320, 384), Image.Resampling.BICUBIC).save(
        tmp_path / "one" / "a.jpg", quality=95
    )
    (picture,) = open_dataset(tmp_path / "one", spec, tmp_path / "cache").read(np.array([0]))
    whole = fit_picture(open_image(tmp_path / "one" / "a.jpg").image, spec)
    assert np.abs(picture.astype(int) - whole).max() <= 4


def test_exif_orientation_is_honoured(spec, tmp_path):
    (tmp_path / "one").mkdir()
    picture = Image.new("RGB", (40, 48), "black")
    picture.paste("white", (0, 0, 40, 24))  # white above, as it is meant to be seen
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn by 90° clockwise to view
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "one" / "a.png", exif=exif)
    picture.save(tmp_path / "one" / "b.png")
    store = open_dataset(tmp_path / "one", spec, tmp_path / "cache")
    a, b = store.read(np.arange(2))
    np.testing.assert_array_equal(a, b)


def test_a_decompression_bomb_is_unreadable(picture_folder, spec, tmp_path):
    root = picture_folder(2)
    Image.new("1", (12_000, 12_000)).save(root / "bomb.png")
    store = open_dataset(root, spec, tmp_path / "cache")
    assert [name for name, _ in store.unreadable] == ["bomb.png"]
    assert len(store) == 2


def test_links_that_turn_in_a_circle_end(picture_folder, spec, tmp_path):
    root = picture_folder(names=["a/1.jpg", "2.jpg"])
    (root / "a" / "up").symlink_to(root)
    (root / "again.jpg").symlink_to(root / "2.jpg")
    store = open_dataset(root, spec, tmp_path / "cache")
    assert list(store.names) == ["2.jpg", "a/1.jpg", "again.jpg"]


def test_a_name_that_is_no_unicode(spec, tmp_path, picture_folder):
    root = picture_folder(2)
    name = os.fsdecode(b"caf\xe9.png")
    try:
        (root / name).write_bytes(png())
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    store = open_dataset(root, spec, tmp_path / "cache")
    assert name in store.names
    assert open_dataset(root, spec, tmp_path / "cache").names == store.names


class Pictures:
    """A data set as torchvision's: (picture, class)."""

    def __init__(self, items: list):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int):
        return self.items[index], 0

    def __repr__(self) -> str:
        return "Pictures()"


def test_python_data_sets_of_every_form(spec, tmp_path):
    torch = pytest.importorskip("torch")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    items = [Image.fromarray(pixels), pixels, tensor, tensor.float() / 255, pixels / 255.0]
    store = open_dataset(Pictures(items), spec, tmp_path / "cache")
    for picture in store.read(np.arange(5)):
        np.testing.assert_array_equal(picture, pixels)
    grey = open_dataset(Pictures([pixels[:, :, 0], tensor[:1]]), spec, tmp_path / "cache").read(np.arange(2))
    np.testing.assert_array_equal(grey, np.broadcast_to(pixels[None, :, :, :1], grey.shape))


def test_python_data_sets_are_recognised_by_their_items(spec, tmp_path):
    one, other = (np.full((16, 16, 3), value, np.uint8) for value in (1, 2))
    first = open_dataset(Pictures([one, one]), spec, tmp_path / "cache")
    assert open_dataset(Pictures([one, one]), spec, tmp_path / "cache").path == first.path
    assert open_dataset(Pictures([one, other]), spec, tmp_path / "cache").path != first.path


@pytest.mark.parametrize(
    "item", [np.zeros((16, 16, 5), np.uint8), np.full((16, 16, 3), 7.0), np.zeros((4, 4), int)]
)
def test_items_that_are_no_pictures_are_said(spec, tmp_path, item):
    with pytest.raises(DataError, match="an item of the data set"):
        open_dataset(Pictures([item]), spec, tmp_path / "cache")


def test_synthetic_faces_are_a_source(spec, tmp_path):
    from facette.data.synthetic import ATTRIBUTE_NAMES, FACTOR_NAMES, draw_faces

    store = open_dataset("synthetic-faces:66", spec, tmp_path / "cache")
    faces = draw_faces(66, 16, 0)
    np.testing.assert_array_equal(store.read(np.arange(66)), faces.pictures)
    np.testing.assert_array_equal(store.factors.values, faces.factors)
    np.testing.assert_array_equal(store.attributes.values, faces.attributes)
    assert store.factors.names == FACTOR_NAMES
    assert store.attributes.names == ATTRIBUTE_NAMES
    fewer = open_dataset("synthetic-faces:10", spec, tmp_path / "cache")
    np.testing.assert_array_equal(fewer.read(np.arange(10)), faces.pictures[:10])


@pytest.mark.parametrize("source", ["synthetic-faces:", "synthetic-faces:0", "synthetic-faces:many", 7])
def test_sources_that_make_no_sense_are_said(spec, tmp_path, source):
    with pytest.raises(DataError, match=r"how many|a data set is"):
        open_dataset(source, spec, tmp_path / "cache")


def test_vectors_come_from_a_mixture(spec, tmp_path):
    from facette.recipe import VectorInput

    vectors = VectorInput(kind="vector", size=3)
    store = open_dataset("synthetic-mixture:100", vectors)
    assert store.read(np.arange(4)).shape == (4, 3)
    assert open_dataset("synthetic-mixture:100", vectors).fingerprint == store.fingerprint
    with pytest.raises(DataError, match="holds no vectors"):
        open_dataset(tmp_path, vectors)
    with pytest.raises(DataError, match="takes pictures"):
        open_dataset("synthetic-mixture:100", spec, tmp_path)


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("FACETTE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
    monkeypatch.delenv("FACETTE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "facette"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "facette"
