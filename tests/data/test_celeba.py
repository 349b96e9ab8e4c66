"""Laws of CelebA's layout: its own files say what a picture shows and where it belongs."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.data import open_dataset
from facette.data.celeba import find_celeba, read_celeba_attributes, read_partition
from facette.errors import DataError

NAMES = [f"{i:06d}.jpg" for i in range(1, 7)]
SIGNS = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]], np.int8)
CODES = [0, 0, 1, 0, 2, 1]


def write_labels(root: Path, names=NAMES, signs=SIGNS, codes=CODES) -> None:
    rows = [
        f"{name} " + " ".join(f"{value:2d}" for value in row) for name, row in zip(names, signs, strict=True)
    ]
    header = f"{len(names)}\nBald Smiling 5_o_Clock_Shadow \n"
    (root / "list_attr_celeba.txt").write_text(header + "\n".join(rows) + "\n")
    lines = [f"{name} {code}" for name, code in zip(names, codes, strict=True)]
    (root / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def celeba(picture_folder) -> Path:
    root = picture_folder(names=[f"img_align_celeba/{name}" for name in NAMES], folder="celeba")
    write_labels(root)
    return root


def check(store) -> None:
    assert list(store.names) == NAMES
    assert store.attributes.names == ("Bald", "Smiling", "5_o_Clock_Shadow")
    np.testing.assert_array_equal(store.attributes.values, SIGNS)
    np.testing.assert_array_equal(store.attributes.column("Smiling"), SIGNS[:, 1])
    assert store.partition.tolist() == CODES
    assert store.indices("train").tolist() == [0, 1, 3]
    assert store.indices("valid").tolist() == [2, 5]
    assert store.indices("test").tolist() == [4]
    assert store.indices("all").tolist() == list(range(6))


def test_layout_is_read(celeba, spec, tmp_path):
    for _ in range(2):  # parsed, and kept
        check(open_dataset(celeba, spec, tmp_path / "cache"))
    check(open_dataset(celeba / "img_align_celeba", spec, tmp_path / "cache"))


def test_rows_in_any_order(celeba, spec, tmp_path):
    order = [3, 5, 0, 1, 4, 2]
    write_labels(celeba, [NAMES[i] for i in order], SIGNS[order], [CODES[i] for i in order])
    check(open_dataset(celeba, spec, tmp_path / "cache"))


def test_pictures_still_zipped_or_doubly_nested(celeba, spec, tmp_path):
    pictures = celeba / "img_align_celeba"
    with zipfile.ZipFile(celeba / "img_align_celeba.zip", "w") as archive:
        for path in pictures.iterdir():
            archive.write(path, f"img_align_celeba/{path.name}")
    pictures.rename(celeba / "aside")
    check(open_dataset(celeba, spec, tmp_path / "cache"))
    check(open_dataset(celeba / "img_align_celeba.zip", spec, tmp_path / "cache"))
    pictures.mkdir()
    (celeba / "aside").rename(pictures / "img_align_celeba")
    check(open_dataset(celeba, spec, tmp_path / "cache"))


def test_csv_copies_of_the_lists(celeba, spec, tmp_path):
    (celeba / "list_attr_celeba.txt").unlink()
    (celeba / "list_eval_partition.txt").unlink()
    rows = [f"{name}," + ",".join(str(v) for v in row) for name, row in zip(NAMES, SIGNS, strict=True)]
    (celeba / "list_attr_celeba.csv").write_text("image_id,Bald,Smiling,5_o_Clock_Shadow\n" + "\n".join(rows))
    lines = [f"{name},{code}" for name, code in zip(NAMES, CODES, strict=True)]
    (celeba / "list_eval_partition.csv").write_text("image_id,partition\n" + "\n".join(lines))
    check(open_dataset(celeba, spec, tmp_path / "cache"))


def test_a_part_of_the_pictures_keeps_its_rows(celeba, spec, tmp_path):
    for name in NAMES[:2]:
        (celeba / "img_align_celeba" / name).unlink()
    store = open_dataset(celeba, spec, tmp_path / "cache")
    assert list(store.names) == NAMES[2:]
    np.testing.assert_array_equal(store.attributes.values, SIGNS[2:])
    assert store.partition.tolist() == CODES[2:]


def test_a_picture_without_a_row_is_unknown(celeba, spec, tmp_path):
    write_labels(celeba, NAMES[1:], SIGNS[1:], CODES[1:])
    store = open_dataset(celeba, spec, tmp_path / "cache")
    assert store.attributes.values[0].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(store.attributes.values[1:], SIGNS[1:])
    assert store.partition[1:].tolist() == CODES[1:]


def test_training_pictures_alone_still_have_validation(celeba, spec, tmp_path):
    write_labels(celeba, codes=[0, 0, 0, 2, 0, 0])
    store = open_dataset(celeba, spec, tmp_path / "cache")
    assert len(store.indices("valid")) == 2
    assert store.indices("test").tolist() == [3]


def test_changed_labels_are_read_again_without_decoding(celeba, spec, tmp_path):
    path = open_dataset(celeba, spec, tmp_path / "cache").path
    write_labels(
        celeba,
        codes=[
            1,
            1,
            1,
            0,
            0,
            0,
        ],
    )
    calls = []
    store = open_dataset(celeba, spec, tmp_path / "cache", progress=lambda *c: calls.append(c))
    assert (store.path, calls) == (path, [])
    assert store.partition.tolist() == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Bald Smiling\na.jpg 1 1\n", "first line is not a count"),
        ("1\nBald Smiling\na.jpg 1\n", "line 3: 1 values"),
        ("1\nBald Smiling\na.jpg 1 maybe\n", "line 3: Smiling is 'maybe'"),
        ("9\nBald Smiling\na.jpg 1 1\n", "announces 9 pictures but lists 1"),
        ("1\nBald Bald\na.jpg 1 1\n", "a column twice"),
    ],
)
def test_damaged_attribute_lists_are_said(tmp_path, text, message):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_celeba_attributes(tmp_path / "list.txt")


@pytest.mark.parametrize("line", ["a.jpg", "a.jpg 3", "a.jpg 0 1"])
def test_damaged_partitions_are_said(tmp_path, line):
    (tmp_path / "list.txt").write_text(f"b.jpg 0\n{line}\n")
    with pytest.raises(DataError, match="line 2"):
        read_partition(tmp_path / "list.txt")


def test_other_folders_are_no_celeba(tmp_path):
    (tmp_path / "img_align_celeba").mkdir()
    assert find_celeba(tmp_path / "img_align_celeba") is None  # no lists beside it: a plain folder
    assert find_celeba(tmp_path / "nothing") is None
    assert find_celeba(tmp_path) is not None


def test_the_real_celeba(shared, spec, tmp_path):
    root = shared / "celeba" / "original"
    store = open_dataset(root, spec, tmp_path / "cache", align="never")
    assert (len(store), store.unreadable) == (1500, [])
    assert len(store.attributes.names) == 40
    assert set(np.unique(store.attributes.values)) == {-1, 1}
    assert 0 < len(store.indices("valid")) < 150
    line = (root / "list_attr_celeba.txt").read_text().splitlines()[777 + 2].split()
    assert line[0] == store.names[777]
    assert store.attributes.values[777].tolist() == [int(value) for value in line[1:]]


def test_pictures_saved_in_another_format_keep_their_official_place(celeba, spec, tmp_path):
    for path in list((celeba / "img_align_celeba").iterdir()):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    store = open_dataset(celeba, spec, tmp_path / "cache")
    assert store.partition.tolist() == CODES
    np.testing.assert_array_equal(store.attributes.values, SIGNS)


def test_a_partition_of_other_pictures_is_refused(celeba, spec, tmp_path):
    (celeba / "list_eval_partition.txt").write_text("900001.jpg 0\n")
    with pytest.raises(DataError, match="names none of the pictures"):
        open_dataset(celeba, spec, tmp_path / "cache")


def test_a_partition_of_some_pictures_is_counted(celeba, spec, tmp_path):
    (celeba / "list_eval_partition.txt").write_text("000001.jpg 2\n000002.jpg 1\n")
    store = open_dataset(celeba, spec, tmp_path / "cache")
    assert store.partition[:2].tolist() == [2, 1]
    assert [listing.pictures for listing in store.listings] == [6, 2]
    with pytest.raises(DataError, match="2 of 6 pictures have a place in the partition"):
        open_dataset(celeba, spec, tmp_path / "cache", strict=True)
