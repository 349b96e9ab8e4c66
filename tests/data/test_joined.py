"""Several data sets as one, masks in the store, and who is set apart."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facette.data.open import open_dataset, open_datasets
from facette.errors import UsageError
from facette.recipe import ImageInput
from facette.training.batches import balanced, spread, unlabelled

PLAIN, MASKED = ImageInput(size=16), ImageInput(size=16, alpha="mask")


@pytest.fixture
def folders(tmp_path):
    draws = np.random.default_rng(0)
    for name, count in (("ada", 20), ("bob", 5)):
        (tmp_path / name).mkdir()
        for number in range(count):
            pixels = draws.integers(0, 256, (16, 16, 4), np.uint8)
            pixels[..., 3] = 255
            if name == "bob":
                pixels[:, :4, 3] = 0
            Image.fromarray(pixels).save(tmp_path / name / f"{number:03d}.png")
    rows = "".join(f"{number:03d}.png,{-1 if number else 1}\n" for number in range(20))
    (tmp_path / "ada_attributes.csv").write_text("image_id,Eyeglasses\n" + rows)
    return tmp_path


def test_joined_pictures_are_those_of_their_folders(folders):
    paths = [folders / "ada", folders / "bob"]
    joined = open_datasets(paths, MASKED, folders / "cache")
    ada, bob = (open_dataset(path, MASKED, folders / "cache") for path in paths)
    assert len(joined) == 25
    assert joined.names[0] == "ada/000.png"
    assert joined.names[20] == "bob/000.png"
    rows = np.array([24, 3, 20, 0, 3])
    expected = np.stack([bob.read(np.array([4]))[0], ada.read(np.array([3]))[0], bob.read(np.array([0]))[0],
                         ada.read(np.array([0]))[0], ada.read(np.array([3]))[0]])  # fmt: skip
    np.testing.assert_array_equal(joined.read(rows), expected)
    np.testing.assert_array_equal(joined.partition, np.concatenate([ada.partition, bob.partition]))
    with pytest.raises(UsageError):
        joined.read(np.array([25]))


def test_a_masked_store_keeps_what_is_unknown_and_a_plain_one_lays_it_on_white(folders):
    masked = open_dataset(folders / "bob", MASKED, folders / "cache")
    plain = open_dataset(folders / "bob", PLAIN, folders / "cache")
    rows = np.arange(5)
    pictures = masked.read_masked(rows)
    assert (pictures[:, :, :4, 3] == 0).all()
    assert (pictures[:, :, 4:, 3] == 255).all()
    assert (plain.read(rows)[:, :, :4] == 255).all()
    np.testing.assert_array_equal(masked.read(rows)[:, :, 4:], plain.read(rows)[:, :, 4:])
    assert (plain.read_masked(rows)[..., 3] == 255).all()
    assert masked.path != plain.path


def test_unknown_colours_do_not_run_into_known_ones(tmp_path):
    (tmp_path / "pictures").mkdir()
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, 32:] = (200, 100, 50, 255)  # black lies under what is unknown
    Image.fromarray(pixels).save(tmp_path / "pictures" / "half.png")
    store = open_dataset(tmp_path / "pictures", ImageInput(size=24, alpha="mask"), tmp_path / "cache")
    picture = store.read_masked(np.array([0]))[0]
    known = picture[picture[..., 3] == 255][:, :3].astype(int)
    assert abs(known - (200, 100, 50)).max() <= 5  # Lanczos rings a little at the edge
    assert 0.45 < (picture[..., 3] == 255).mean() < 0.55


def test_a_rare_attribute_is_seen_as_often_as_the_recipe_says(folders):
    joined = open_datasets([folders / "ada", folders / "bob"], MASKED, folders / "cache")
    rows = balanced(np.arange(25), joined, {"Eyeglasses": 3})
    assert np.bincount(rows, minlength=25).tolist() == [3] + [1] * 24
    assert unlabelled(joined, {"Eyeglasses": 3, "Wearing_Hat": 2}) == ["Wearing_Hat"]
    assert (balanced(np.arange(25), joined, {"Eyeglasses": 3, "Wearing_Hat": 2}) == rows).all()
    bare = open_dataset(folders / "bob", MASKED, folders / "cache")
    assert unlabelled(bare, {"Eyeglasses": 3}) == ["Eyeglasses"]
    assert balanced(np.arange(5), bare, {"Eyeglasses": 3}).tolist() == list(range(5))


def test_a_tenth_of_the_people_is_set_apart_with_all_their_pictures(folders):
    rows = "".join(f"{number:03d}.png,{number // 2 + 5}\n" for number in range(20))
    (folders / "ada_people.csv").write_text("image_id,person\n" + rows)
    store = open_dataset(folders / "ada", PLAIN, folders / "cache")
    assert store.indices("valid").tolist() == [10, 11]  # the person numbered 10
    assert len(store.indices("train")) == 18


def test_a_part_of_the_rows_is_taken_from_everywhere():
    rows = np.arange(100)
    assert spread(rows, 200) is rows
    part = spread(rows, 10)
    assert len(part) == 10
    assert part[0] == 0
    assert part[-1] == 99
