"""Laws of class folders: what a folder's name says of its pictures, and when it says nothing."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from facette.data import open_dataset
from facette.data.attributes import CLASSES
from facette.data.class_folders import classes_of_folders
from facette.errors import DataError
from facette.recipe import ImageInput

SPEC = ImageInput(size=8)


def classes(*names, asked=False, outer=0):
    """What the folders of these pictures say; None for nothing."""
    answer = classes_of_folders(list(names), asked, outer)
    if answer is None:
        return None
    category = answer[0].categories[0]
    return [category.labels[code] if code >= 0 else "" for code in category.codes]


def test_folders_are_classes_wherever_they_begin_to_differ():
    assert classes("cat/1.png", "dog/2.png", "dog/old/3.png") == ["cat", "dog", "dog"]
    assert classes("pets/cat/1.png", "pets/dog/1.png") == ["cat", "dog"]
    assert classes("train/cat/1.png", "valid/dog/1.png") == ["cat", "dog"]
    assert classes("test/1.png", "control/1.png") == ["test", "control"]  # no part of a data set
    assert classes("s-0/cat/1.png", "s-1/dog/1.png", outer=1) == ["cat", "dog"]


def test_folders_that_say_nothing():
    assert classes("1.png", "2.png") is None
    assert classes("train/1.png", "valid/2.png") is None
    assert classes("cat/1.png", "cat/2.png") is None
    assert classes("cat/1.png", "dog/2.png", "3.png") is None  # unless somebody asks
    assert classes("cat/1.png", "dog/2.png", "3.png", asked=True) == ["cat", "dog", ""]
    many = [f"{number}/1.png" for number in range(CLASSES + 1)]
    assert classes(*many) is None
    with pytest.raises(DataError, match="in 101 folders: up to 100 are classes"):
        classes(*many, asked=True)
    with pytest.raises(DataError, match="make one for each"):
        classes("1.png", asked=True)


def test_numbers_are_classes_in_their_order():
    answer = classes_of_folders([f"{number}/a.png" for number in (10, 2, 1, 0)], False)
    assert answer is not None
    table, listing = answer
    assert table.names == ("class:0", "class:1", "class:2", "class:10")
    assert table.column("class:2").tolist() == [-1, 1, -1, -1]
    assert listing.sentence() == "4 of 4 pictures have a class (their folders' names)"


@pytest.fixture
def pets(tmp_path):
    folder = tmp_path / "pets"
    for number in range(12):
        place = folder / ("cat", "dog", "emu")[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(place / f"{number:02d}.png")
    return folder


def test_a_folder_of_folders_is_labelled_unless_a_list_lies_beside_it(pets, tmp_path):
    store = open_dataset(pets, SPEC, tmp_path / "cache")
    assert store.attributes is not None
    assert store.attributes.names == ("class:cat", "class:dog", "class:emu")
    assert store.attributes.column("class:cat").sum() == 4 - 8
    (tmp_path / "pets_labels.csv").write_text(
        "name,tame\n" + "".join(f"{name},1\n" for name in store.names), "utf-8"
    )
    listed = open_dataset(pets, SPEC, tmp_path / "cache")
    assert listed.attributes.names == ("tame",)
    asked = open_dataset(pets, SPEC, tmp_path / "cache", attributes="folders")
    assert asked.attributes.names == store.attributes.names
    np.testing.assert_array_equal(asked.attributes.values, store.attributes.values)


def test_tars_of_folders_are_labelled_too(pets, tmp_path):
    shards = tmp_path / "shards"
    shards.mkdir()
    for number, files in enumerate((range(6), range(6, 12))):
        with tarfile.open(shards / f"s-{number}.tar", "w") as archive:
            for place in files:
                name = f"{('cat', 'dog', 'emu')[place % 3]}/{place:02d}.png"
                archive.add(pets / name, name)
    store = open_dataset(shards, SPEC, tmp_path / "cache")
    assert store.attributes is not None
    assert store.attributes.column("class:dog").tolist().count(1) == 4


def test_commands_say_it_and_take_the_word(pets, run):
    for labels in ((), ("--labels", "folders")):
        ended = run("prepare", str(pets), "--recipe", "pictures", *labels)
        assert ended.code == 0, ended.err
        assert "12 of 12 pictures have a class (their folders' names)" in ended.out
    assert run("prepare", str(pets / "cat"), "--recipe", "pictures", "--labels", "folders").code == 2
