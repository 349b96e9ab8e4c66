"""`facette interpolate`: the path between two photos."""

import numpy as np
import pytest
from PIL import Image

from facette.latent import field, interpolate


@pytest.mark.parametrize("method", ["linear", "slerp"])
def test_it_makes_what_the_python_call_makes(run, quick_run, quick_model, photo_files, tmp_path, method):
    options = ["--steps", 4, "--method", method, "--each", "each", "--json"]
    said = run("interpolate", *photo_files, *options, "--model", quick_run).json
    assert (said["sheet"], said["method"], len(said["each"])) == ("anna-to-bert.png", method, 4)
    made = interpolate(quick_run, *photo_files, steps=4, method=method)
    for path, picture in zip(said["each"], made.pictures, strict=True):
        assert (np.asarray(Image.open(tmp_path / path)) == picture).all()


def test_a_longer_way_in_equal_steps(run, quick_run, quick_model, photo_files, tmp_path):
    photos = [*photo_files, photo_files[0]]
    options = [
        "--steps",
        4,
        "--path",
        "norm",
        "--equal-steps",
        "--each",
        "each",
        "--json",
        "--model",
        quick_run,
    ]
    said = run("interpolate", *photos, *options).json
    made = interpolate(quick_run, *photos, steps=4, method="norm", equal_steps=True)
    assert (said["steps"], said["equal_steps"], said["sheet"]) == (7, True, "anna-to-anna.png")
    assert said["unevenness"] == round(made.unevenness, 4)
    for path, picture in zip(said["each"], made.pictures, strict=True):
        assert (np.asarray(Image.open(tmp_path / path)) == picture).all()


def test_a_geodesic_says_what_it_saves(run, quick_run, photo_files):
    ended = run("interpolate", *photo_files, "--path", "geodesic", "--steps", 2, "--model", quick_run)
    assert ended.code == 0
    assert "shorter than the straight line" in ended.err


def test_the_ending_makes_it_a_film(run, quick_run, photo_files, tmp_path):
    options = ["--steps", 3, "--seconds", 2, "--side", 48, "--out", "walk.gif", "--model", quick_run]
    assert run("interpolate", *photo_files, *options).out == "walk.gif\n"
    with Image.open(tmp_path / "walk.gif") as film:
        assert (film.n_frames, film.size, film.info["duration"]) == (4, (48, 48), 500)


def test_four_photos_span_a_field(run, quick_run, quick_model, photo_files, tmp_path):
    corners = [*photo_files, *photo_files[::-1]]
    options = ["--grid", "--steps", 3, "--each", "each", "--json", "--model", quick_run]
    said = run("interpolate", *corners, *options).json
    made = field(quick_run, corners, rows=3, columns=3)
    assert (said["rows"], said["columns"], len(said["each"])) == (3, 3, 9)
    assert (np.asarray(Image.open(tmp_path / said["each"][4])) == made.pictures[4]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--grid"], "exactly 4 photos, got 2"),
        (["--grid", "--equal-steps"], "leave out --equal-steps"),
        (["--grid", "--out", "walk.gif"], "even steps"),
        (["--seconds", "3"], "for films"),
        (["--out", "walk.avi"], "choose a file name"),
    ],
)
def test_senseless_wishes_end_in_a_sentence(run, quick_run, photo_files, options, words):
    ended = run("interpolate", *photo_files, *options, "--model", quick_run)
    assert ended.code == 2
    assert words in ended.err


def test_one_photo_is_no_path(run, quick_run, photo_files):
    ended = run("interpolate", photo_files[0], "--model", quick_run)
    assert ended.code == 2
    assert "at least two photos" in ended.err


def test_an_unknown_method_is_refused(run, quick_run, photo_files):
    ended = run("interpolate", *photo_files, "--method", "bow", "--model", quick_run)
    assert ended.code == 2
    assert "--method" in ended.err
