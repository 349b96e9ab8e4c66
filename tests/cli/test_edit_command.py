"""`facette attributes`, `edit` and `traverse`: from labelled pictures to an edited photo, through the model file."""

import contextlib
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from facette.checkpoint.native import load_model
from facette.cli.edit import parse_wishes
from facette.errors import UsageError
from facette.latent import edit, strip, traverse
from facette.latent.directions import known_directions

DATA = ("synthetic-faces:256", "--split", "all")


@pytest.fixture(scope="module")
def fitted(quick_run, tmp_path_factory):
    """A copy of the model that knows the attributes of generated faces."""
    from facette.cli import main

    folder = tmp_path_factory.mktemp("fitted") / "model"
    with pytest.raises(SystemExit) as ended:
        main(["attributes", "fit", str(quick_run), *DATA, "--orthogonal", "--out", str(folder)])
    assert ended.value.code == 0
    return folder


def test_fit_keeps_directions_in_the_model_file_and_show_lists_them(run, fitted):
    known = known_directions(load_model(fitted))
    assert "Smiling" in known.names
    assert known.orthogonal
    assert known.data == "256 pictures of synthetic-faces:256 (all)"
    said = run("attributes", "show", fitted, "--json").json
    assert set(said["attributes"]) == set(known.names)
    assert said["attributes"]["Smiling"]["auc"] == known.quality[known.place("Smiling")].auc
    table = run("attributes", "show", fitted).out
    assert all(name in table for name in known.names)


def test_fit_writes_into_the_model_itself_when_no_other_place_is_named(run, quick_run, tmp_path):
    folder = shutil.copytree(quick_run / "best", tmp_path / "own")
    ended = run(
        "attributes", "fit", folder, *DATA, "--factors", "--method", "difference", "--count", 60, "--json"
    )
    assert ended.code == 0
    known = known_directions(load_model(folder))
    assert (known.method, known.orthogonal) == ("difference", False)
    assert {"skin_tone", "background_hue:sine"} <= set(known.names)
    assert "left out" in ended.err  # rare categories


def test_pictures_without_labels_leave_their_main_axes(run, quick_run, tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    for place, picture in enumerate(np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)):
        Image.fromarray(picture).save(folder / f"{place:02d}.png")
    said = run("attributes", "fit", quick_run, folder, "--split", "all", "--out", "axes", "--json").json
    shares = [axis["share"] for axis in said["axes"]]
    assert shares == sorted(shares, reverse=True)
    sheet = run("traverse", "axes", "--along", "axes", "--rows", 2, "--json").json
    assert [row["figure"] for row in sheet["directions"]] == pytest.approx(shares[:2])


def test_edit_makes_what_the_python_call_makes(run, fitted, photo_files, tmp_path):
    wishes = {"Smiling": 2.0, "Blond_Hair": -1.5}
    options = ["Smiling=+2", "Blond_Hair=-1.5", "--keep", "Bangs, Eyeglasses", "--each", "each", "--json"]
    ended = run("edit", photo_files[0], *options, "--model", fitted)
    made = edit(fitted, photo_files[0], wishes, ("Bangs", "Eyeglasses"))
    said = ended.json
    assert (said["sheet"], said["wishes"], said["keep"]) == (
        "anna-edited.png",
        wishes,
        ["Bangs", "Eyeglasses"],
    )
    assert (np.asarray(Image.open(tmp_path / said["each"][0])) == made.pictures[0]).all()
    assert said["warning"] == made.shift.warning
    assert made.shift.warning in ended.err
    assert said["also"] == {name: round(effect, 3) for name, effect in made.shift.notable.items()}


def test_pasting_says_which_files_it_wrote(run, fitted, photo_files, tmp_path):
    ended = run("edit", photo_files[0], "Smiling=-1..1", "--steps", 2, "--paste", "--model", fitted)
    files = [f"anna-edited-photo-{number:02d}.png" for number in (1, 2)]
    assert ended.out.split() == ["anna-edited.png"]
    assert f"into the photo: {', '.join(files)}" in ended.err.splitlines()
    assert {path.name for path in tmp_path.iterdir()} == {"anna-edited.png", *files}


def test_a_range_makes_a_strip_or_a_film(run, fitted, photo_files, tmp_path):
    options = ["Smiling=-2..2", "Blond_Hair=1", "--steps", 5, "--each", "each", "--json", "--model", fitted]
    said = run("edit", photo_files[0], *options).json
    made = strip(fitted, photo_files[0], "Smiling", (-2, 2), 5, {"Blond_Hair": 1})
    assert said["strengths"] == [-2, -1, 0, 1, 2]
    for path, picture in zip(said["each"], made.pictures, strict=True):
        assert (np.asarray(Image.open(tmp_path / path)) == picture).all()
    film = run("edit", photo_files[0], *options, "--out", "film.gif", "--seconds", 1, "--side", 64).json
    with Image.open(tmp_path / film["sheet"]) as shown:
        assert (shown.n_frames, shown.size) == (8, (64, 64))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "takes a photo and what to change"),
        (["Smiling="], "is no wish"),
        (["Smyling"], "do you mean Smiling"),
        (["Smiling", "Smiling=-"], "wished for twice"),
        (["Smiling=much"], "is no wish"),
        (["Smiling=1", "Smiling=2"], "wished for twice"),
        (["Smyling=1"], "do you mean Smiling"),
        (["Smiling=1", "--keep", "Smiling"], "both changed and kept"),
        (["Smiling=1..2", "Bangs=1..2"], "one range at a time"),
        (["Smiling=1", "--steps", "3"], "need a range"),
        (["Smiling=1", "--out", "a.gif"], "need a range"),
        (["Smiling=1", "--out", "a.tiff"], "choose a file name"),
        (["Smiling=1", "--seconds", "3"], "for films"),
    ],
)
def test_senseless_wishes_end_in_a_sentence(run, fitted, photo_files, arguments, words):
    ended = run("edit", photo_files[0], *arguments, "--model", fitted)
    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err


@pytest.fixture(scope="module")
def rated(fitted, tmp_path_factory):
    """A copy whose edits were rated on twenty pictures, without a judge of who, and what the command said of them."""
    from facette.cli import main

    folder, said = tmp_path_factory.mktemp("rated") / "model", io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        main(["attributes", "rate", str(fitted), *DATA, "--count", "20", "--out", str(folder), "--json"])
    assert ended.value.code == 0
    return folder, json.loads(said.getvalue())["attributes"]


def test_an_edit_that_was_rated_is_asked_for_by_its_name(run, rated, photo_files):
    """What the file then has is what `--list` says and `edit` takes."""
    model, rows = rated
    tried = [(name, way, row) for name, ways in rows.items() for way, row in ways.items()]
    assert tried
    assert all(0 <= row["seen"] <= 1 and row["people"] >= 10 and row["same"] is None for _, _, row in tried)
    assert {row["offered"] for _, _, row in tried} == {row["seen"] >= 0.8 for _, _, row in tried}
    assert run("edit", "--list", "--model", model, "--json").json["attributes"] == rows
    table = run("edit", "--list", "--model", model).out
    assert all(name in table for name, _, _ in tried)
    for name, way, row in tried[:6]:
        asked = run(
            "edit", photo_files[0], name + ("=-" if way == "lower" else ""), "--model", model, "--json"
        )
        if row["offered"]:
            assert asked.json["wishes"] == {name: row["strength"] * (-1 if way == "lower" else 1)}
        else:
            assert asked.code == 2
            assert f"cannot {way} {name}" in asked.err


def test_directions_fitted_anew_forget_what_edits_were_worth(run, rated, tmp_path):
    copy = shutil.copytree(rated[0], tmp_path / "copy")
    assert run("edit", "--list", "--model", copy, "--json").json["measured"]
    run("attributes", "fit", copy, *DATA)
    assert not run("edit", "--list", "--model", copy, "--json").json["measured"]


def test_a_model_without_directions_says_how_to_get_them(run, quick_run, photo_files):
    for arguments in (
        ("edit", photo_files[0], "Smiling=1", "--model", quick_run),
        ("attributes", "show", quick_run),
        ("traverse", quick_run),
    ):
        ended = run(*arguments)
        assert ended.code == 2
        assert "facette attributes fit" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit"], "fit needs pictures"),
        (["show", "synthetic-faces"], "show takes a model alone"),
        (["fit", "synthetic-faces:256", "--split", "test"], "empty"),
    ],
)
def test_senseless_fits_end_in_a_sentence(run, quick_run, arguments, words):
    ended = run("attributes", arguments[0], quick_run, *arguments[1:])
    assert ended.code == 2
    assert words in ended.err


def test_factors_are_for_generated_faces(run, quick_run, photo_files):
    ended = run("attributes", "fit", quick_run, photo_files[0].parent, "--factors", "--split", "all")
    assert ended.code == 2
    assert "generated faces" in ended.err


def test_traverse_makes_what_the_python_call_makes(run, fitted, photo_files, tmp_path):
    options = [
        "--photo",
        photo_files[0],
        "--along",
        "axes",
        "--rows",
        2,
        "--steps",
        3,
        "--each",
        "each",
        "--json",
    ]
    said = run("traverse", fitted, *options).json
    made = traverse(fitted, photo_files[0], along="axes", rows=2, steps=3)
    assert [row["name"] for row in said["directions"]] == ["axis 1", "axis 2"]
    assert said["directions"][0]["attribute"] == made.rows[0].attribute
    for path, picture in zip(said["each"], made.pictures, strict=True):
        assert (np.asarray(Image.open(tmp_path / path)) == picture).all()


def test_traverse_measures_the_data_it_is_given(run, quick_run):
    said = run("traverse", quick_run, "synthetic-faces:64", "--rows", 3, "--steps", 2, "--json").json
    nats = [row["figure"] for row in said["directions"]]
    assert nats == sorted(nats, reverse=True)
    assert said["sheet"] == "traversal.png"


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("Smiling=+2", ({"Smiling": 2.0}, {}, {})),
        ("Smiling=-.5", ({"Smiling": -0.5}, {}, {})),
        ("smile:sine=2.", ({"smile:sine": 2.0}, {}, {})),
        ("Smiling=-3..3", ({}, {"Smiling": (-3.0, 3.0)}, {})),
        ("Smiling", ({}, {}, {"Smiling": "raise"})),
        ("Smiling=+", ({}, {}, {"Smiling": "raise"})),
        ("smile:sine=-", ({}, {}, {"smile:sine": "lower"})),
        ("Smiling=-1.5..+.5", ({}, {"Smiling": (-1.5, 0.5)}, {})),
    ],
)
def test_wishes_are_read_as_they_are_meant(wish, expected):
    assert parse_wishes([wish]) == expected


@pytest.mark.parametrize("wish", ["=2", "Smiling=", "Smiling=1e3", "Smiling=nan", "Smiling==2", ""])
def test_what_is_no_wish_is_refused(wish):
    with pytest.raises(UsageError, match="is no wish"):
        parse_wishes([wish])
