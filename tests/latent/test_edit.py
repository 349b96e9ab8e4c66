"""Laws of edits: what is wished comes true, what is kept stays, and what else changes is said."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import facette
from facette.errors import DataError, UsageError
from facette.images.sheets.grid import read_metadata
from facette.latent import edit, fit_attributes, reconstruct, strip
from facette.latent.cloud import encode_set
from facette.latent.directions import fit_directions
from facette.latent.edit import NOTABLE, find_shift

WISHES = {"Smiling": 2.0, "Blond_Hair": -1.5}
KEPT = ("Eyeglasses", "Bangs")


@pytest.fixture(scope="module")
def store(quick_model):
    return facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)


@pytest.fixture(scope="module")
def directions(quick_model, store):
    posterior = encode_set(quick_model, store.read, store.indices())
    return fit_directions(posterior, store.attributes.values, store.attributes.names)[0]


@pytest.fixture(scope="module")
def photo(store):
    return store.read(np.array([5]))[0]


def _score(directions, latent, name):
    return float((directions.normals @ latent)[directions.place(name)])


@pytest.mark.parametrize("keep", [(), KEPT])
def test_every_wish_comes_true_and_nothing_kept_moves(directions, keep):
    shift = find_shift(directions, WISHES, keep)
    for name, strength in WISHES.items():
        assert _score(directions, shift.latent, name) == pytest.approx(strength, abs=1e-8)
    for name in keep:
        assert _score(directions, shift.latent, name) == pytest.approx(0, abs=1e-8)


def test_without_keeping_they_would_have_moved(directions):
    shift = find_shift(directions, WISHES)
    assert max(abs(_score(directions, shift.latent, name)) for name in KEPT) > 0.05


def test_a_wish_alone_is_its_move_and_is_linear(directions):
    once, twice = find_shift(directions, {"Smiling": 1}), find_shift(directions, {"Smiling": -2})
    np.testing.assert_allclose(once.latent, directions.moves[directions.place("Smiling")], atol=1e-12)
    np.testing.assert_allclose(twice.latent, -2 * once.latent, atol=1e-12)


def test_keeping_changes_the_move_as_little_as_can_be(directions):
    """The kept way is the nearest one, in the data's own metric, that keeps: nothing shorter could be added back."""
    free, kept = find_shift(directions, {"Smiling": 1}), find_shift(directions, {"Smiling": 1}, KEPT)
    share = float(kept.latent @ np.linalg.solve(directions.cloud.covariance, kept.latent))
    moved = free.latent - kept.latent / _own(directions, free, kept)
    inner = kept.latent @ np.linalg.solve(directions.cloud.covariance, moved)
    assert abs(float(inner)) < 1e-6 * share


def _own(directions, free, kept):
    """By how much the freed move was stretched to raise the wished score by the whole wish again."""
    normals = directions.normals[[directions.place(name) for name in KEPT]]
    spread = normals @ directions.cloud.covariance
    freed = free.latent - (normals @ free.latent) @ np.linalg.solve(spread @ normals.T, spread)
    return float(np.linalg.norm(kept.latent) / np.linalg.norm(freed))


def test_what_else_changes_is_what_the_scores_say(directions):
    shift = find_shift(directions, WISHES, ("Bangs",))
    moved = directions.normals @ shift.latent
    assert list(shift.effects) == list(directions.names)
    np.testing.assert_allclose(list(shift.effects.values()), moved)
    said = {n for n, e in shift.effects.items() if abs(e) >= NOTABLE * 2 and n not in (*WISHES, "Bangs")}
    assert set(shift.notable) == said
    assert list(map(abs, shift.notable.values())) == sorted(map(abs, shift.notable.values()), reverse=True)


def test_the_warning_reads_as_a_sentence(directions):
    shift = find_shift(directions, {"Smiling": 1})
    said = replace(shift, notable={"Heavy_Makeup": 0.31, "Male": -0.27, "Young": 0.25})
    assert said.warning == "also raises Heavy_Makeup by 0.3, Young by 0.2; lowers Male by 0.3"
    assert replace(shift, notable={}).warning == ""


def test_an_edit_by_nothing_is_the_photo_or_its_reconstruction(quick_model, directions, photo):
    still = edit(quick_model, photo, {"Smiling": 0}, directions=directions)
    assert (still.pictures[0] == photo).all()
    made = edit(quick_model, photo, {"Smiling": 0}, directions=directions, details="model")
    assert (made.pictures[0] == reconstruct(quick_model, photo).pictures[0]).all()
    assert (made.reconstruction == made.pictures[0]).all()
    assert made.shift.warning == ""


def test_an_edit_adds_the_way_to_the_mean(quick_model, directions, photo):
    made = edit(quick_model, photo, WISHES, KEPT, directions)
    mean = quick_model.encode(photo[None]).mean.numpy()
    wished = mean + find_shift(directions, WISHES, KEPT).latent
    np.testing.assert_allclose(made.latents, wished, atol=1e-6, rtol=1e-6)
    assert made.scores["Smiling"] == pytest.approx(
        float(directions.scores(mean)[0][directions.place("Smiling")])
    )
    assert (made.pictures[0] != made.reconstruction).any()


def test_a_strip_goes_from_end_to_end_through_the_photo(quick_model, directions, photo):
    made = strip(quick_model, photo, "smiling", (-3, 3), steps=5, directions=directions)
    assert made.strengths == (-3, -1.5, 0, 1.5, 3)
    assert (made.pictures[2] == photo).all()
    last = edit(quick_model, photo, {"Smiling": 3}, directions=directions)
    assert (made.pictures[-1] == last.pictures[0]).all()
    assert made.shift.notable == find_shift(directions, {"Smiling": 3}).notable or made.shift.notable == (
        find_shift(directions, {"Smiling": -3}).notable
    )


def test_other_wishes_hold_all_along_a_strip(quick_model, directions, photo):
    made = strip(
        quick_model, photo, "Smiling", (-1, 1), 3, wishes={"Blond_Hair": 2}, keep=KEPT, directions=directions
    )
    mean = quick_model.encode(photo[None]).mean
    risen = directions.scores(made.latents) - directions.scores(mean)
    np.testing.assert_allclose(risen[:, directions.place("Blond_Hair")], 2, atol=1e-5)
    assert np.abs(risen[:, directions.place("Bangs")]).max() < 1e-5


def test_the_sheet_shows_photo_and_edit_and_knows_how_it_was_made(quick_model, directions, photo, tmp_path):
    made = edit(quick_model, photo, WISHES, KEPT, directions)
    assert len(made.sheet().tiles[0]) == 2
    by_model = edit(quick_model, photo, WISHES, KEPT, directions, details="model")
    assert len(by_model.sheet().tiles[0]) == 3  # with the reconstruction between them
    settings = read_metadata(made.save(tmp_path / "edit.png"))
    assert settings["wishes"] == WISHES
    assert settings["keep"] == list(KEPT)
    assert made._repr_png_().startswith(b"\x89PNG")


def test_a_strip_is_a_sheet_or_a_film(quick_model, directions, photo, tmp_path):
    made = strip(quick_model, photo, "Smiling", (-2, 2), 4, directions=directions)
    assert len(made.sheet().tiles[0]) == 4
    with Image.open(made.save(tmp_path / "strip.gif")) as film:
        assert film.n_frames == 6  # there and back
    assert read_metadata(made.save(tmp_path / "strip.png"))["strengths"] == list(made.strengths)


def test_directions_in_the_model_file_are_used(quick_model, directions, photo):
    with pytest.raises(UsageError, match="knows no attributes"):
        edit(quick_model, photo, {"Smiling": 1})


def test_what_is_fitted_and_saved_is_what_edits_use(quick_run, store, photo, directions, tmp_path):
    made = fit_attributes(str(quick_run), store, split="all")
    assert made.data == "256 pictures of synthetic-faces:256 (all)"
    np.testing.assert_allclose(made.moves, directions.moves, atol=1e-9)
    made.save(quick_run, tmp_path / "knowing")
    by_file = edit(tmp_path / "knowing", photo, WISHES)
    given = edit(str(quick_run), photo, WISHES, directions=directions)
    np.testing.assert_allclose(by_file.latents, given.latents, atol=1e-4, rtol=1e-4)
    assert "| Smiling |" in made._repr_markdown_()


def test_pictures_without_labels_fit_nothing(quick_model, photo):
    bare = facette.open_dataset([photo] * 12, quick_model.recipe.input)
    with pytest.raises(DataError, match="no attributes"):
        fit_attributes(quick_model, bare, split="all")


def _twins(directions):
    """The same directions with a second name for the first of them."""
    place = directions.place("Smiling")
    return replace(
        directions,
        names=(*directions.names, "Twin"),
        normals=np.concatenate([directions.normals, directions.normals[[place]]]),
        moves=np.concatenate([directions.moves, directions.moves[[place]]]),
    )


@pytest.mark.parametrize(
    ("wishes", "keep", "words"),
    [
        ({}, (), "nothing is wished for"),
        ({"Smiling": 1, "smiling": 2}, (), "wished for twice"),
        ({"Smiling": 1}, ("Smiling",), "both changed and kept"),
        ({"Smiling": float("nan")}, (), "finite number"),
        ({"Smyling": 1}, (), "do you mean Smiling"),
        ({"Smiling": 1}, ("Twin",), "cannot be changed like this while Twin stay"),
        ({"Smiling": 1, "Twin": -1}, (), "cannot be changed like this at once"),
    ],
)
def test_senseless_wishes_are_refused_in_a_sentence(directions, wishes, keep, words):
    with pytest.raises(UsageError, match=words):
        find_shift(_twins(directions), wishes, keep)


def test_a_range_and_a_strength_for_one_attribute_are_refused(quick_model, directions, photo):
    with pytest.raises(UsageError, match="wished for twice"):
        strip(quick_model, photo, "Smiling", wishes={"smiling": 1}, directions=directions)
