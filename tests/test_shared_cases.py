"""Small inputs that once failed, as people brought them: what their README says is right, they give.

Tables of labels, hostile files and the damaged journal are tried in the rooms that they are of.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from facette.data import open_dataset
from facette.errors import FacetteError
from facette.images.open import open_image
from facette.recipe import load_recipe


@pytest.fixture(scope="module")
def cases(shared) -> Path:
    folder = shared / "cases"
    if not (folder / "README.md").is_file():
        pytest.skip(f"there are no cases in {folder}")
    return folder


@pytest.mark.parametrize(
    ("name", "mean", "remark"),
    [
        ("float_over1.tif", (100, 160), "reduced to 8 bits"),
        ("gray_linear_icc.jpg", (145, 147), "colours converted"),
        ("bigitxt.png", (50, 220), "texts or a profile"),
    ],
)
def test_pictures_are_read_rightly(cases, name, mean, remark):
    opened = open_image(cases / "img" / name)
    assert mean[0] <= np.asarray(opened.image).mean() <= mean[1]
    assert any(remark in note for note in opened.notes)


def test_names_in_another_normal_form_are_met(cases, tmp_path):
    store = open_dataset(cases / "nfd", load_recipe("quick").input, tmp_path)
    assert [labels.sentence() for labels in store.listings] == [
        "40 of 40 pictures have labels (attributes.csv)"
    ]


def test_names_of_a_japanese_archive_are_met(cases, tmp_path):
    spec, labels = load_recipe("quick").input, cases / "sjis_attributes.csv"
    (listing,) = open_dataset(cases / "sjis.zip", spec, tmp_path, attributes=labels).listings
    assert listing.sentence().startswith("12 of 12 pictures have labels")
    assert "cp932" in listing.sentence()


@pytest.mark.parametrize("name", ["bom", "utf16", "crlf", "utf8"])
def test_recipes_are_read_however_an_editor_saved_them(cases, name):
    assert load_recipe(cases / "recipes" / f"{name}.toml").name == load_recipe("quick").name


def test_a_recipe_in_a_code_page_is_one_sentence(cases):
    with pytest.raises(FacetteError, match="save it again as UTF-8") as refused:
        load_recipe(cases / "recipes" / "cp1252.toml")
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_there_are_as_many_files_as_faces(cases, run, tmp_path):
    ended = run("align", cases / "coll", "--all-faces", "--out", tmp_path / "faces", "--size", 64)
    assert ended.code == 0, ended.err
    assert "9 faces written, 0 photos left out" in ended.err
    assert len(list((tmp_path / "faces").glob("*.png"))) == 9


@pytest.mark.slow
def test_everybody_in_a_group_of_sixty_is_found(cases, run, tmp_path):
    (tmp_path / "photos").mkdir()
    shutil.copy(cases / "group60.jpg", tmp_path / "photos")
    ended = run("align", tmp_path / "photos", "--all-faces", "--out", tmp_path / "faces", "--size", 64)
    assert ended.code == 0, ended.err
    assert 57 <= len(list((tmp_path / "faces").glob("*.png"))) <= 62


@pytest.mark.slow
def test_a_small_face_of_a_large_photo_and_a_landscape_among_portraits(cases, run, tmp_path):
    portrait = cases / "person_in_12mp_800.jpg"
    ended = run("reconstruct", portrait, cases / "landscape.jpg", portrait, "--out", tmp_path / "r.png")
    assert ended.code == 1
    assert "left out: " in ended.err
    assert "landscape.jpg: no face was found" in ended.err
    assert (tmp_path / "r.png").is_file()
