"""`facette calibrate`, `facette vary` by likeness, `facette sweep --report`: what they write and say."""

import shutil

import numpy as np
import pytest
from PIL import Image

from facette.checkpoint.native import find_model
from facette.checkpoint.tensors import read_header


@pytest.fixture(scope="module")
def face_file(drawn_faces, tmp_path_factory):
    path = tmp_path_factory.mktemp("face") / "face.png"
    Image.fromarray(drawn_faces[-1]).save(path)
    return path


@pytest.fixture
def call(run, calibrated, face_file):
    return lambda command, *options: run(command, face_file, "--no-align", "--model", calibrated, *options)


def test_the_automatic_factor_is_found_and_said(call):
    ended = call("vary", "--diversity", "auto", "--count", 2, "--json")
    assert ended.code == 0
    assert ended.json["automatic"] is True
    assert ended.json["diversity"] > 0
    for score in ended.json["scores"]:
        assert score["cosine"] >= ended.json["threshold"]
        assert f"seed {score['seed']}" in ended.err


def test_a_picked_seed_is_the_same_picture_again(call, tmp_path):
    options = ["--likeness", 0.6, "--spread", "best", "--pool", 12, "--count", 3]
    many = call("vary", *options, "--each", "many", "--json").json
    seed = many["scores"][1]["seed"]
    one = call("vary", *options, "--pick", seed, "--each", "one", "--json").json
    assert one["count"] == 1
    assert one["diversity"] == many["diversity"]
    assert (_read(tmp_path / "one/01.png") == _read(tmp_path / "many/02.png")).all()
    plain = call("vary", "--diversity", many["diversity"], "--pick", seed, "--each", "plain", "--json").json
    assert plain["seeds"] == [seed]
    # measuring needs torch, and drawing alone does not: the two ways agree within one level of 255
    gaps = _read(tmp_path / "plain/01.png").astype(int) - _read(tmp_path / "one/01.png")
    assert np.abs(gaps).max() <= 1


def test_a_report_stands_beside_the_sheet(call, tmp_path):
    ended = call(
        "sweep",
        "--report",
        "--from",
        0,
        "--to",
        8,
        "--rows",
        3,
        "--count",
        2,
        "--noise",
        "aggregate",
        "--json",
    )
    assert ended.code == 0
    assert [reading["factor"] for reading in ended.json["readings"]] == [0, 4, 8]
    page = (tmp_path / ended.json["page"]).read_text("utf-8")
    assert "Recommended factor" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert (tmp_path / "face-sweep.png").exists()


def test_calibrating_writes_into_the_model_and_says_what_it_found(run, calibrated, drawn_faces, tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    for number, picture in enumerate(drawn_faces):
        Image.fromarray(picture).save(folder / f"{number:03d}.png")
    copy = shutil.copytree(calibrated, tmp_path / "model")
    options = ["--photos", 2, "--count", 2, "--references", 200]
    ended = run("calibrate", copy, folder, *options)
    assert ended.code == 0
    assert "impostor threshold" in ended.out
    header = read_header(find_model(copy))
    assert header["metrics"]["dial"]["data"] == "faces"
    assert header["metrics"]["dial"]["photos"] == 2
    assert not list(copy.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["vary", "PHOTO", "--diversity", "wild"], "or auto, got 'wild'"),
        (["vary", "PHOTO", "--diversity", "-2"], "at least 0"),
        (["vary", "PHOTO", "--likeness", "2"], "--likeness"),
        (["vary", "PHOTO", "--likeness", "0.5", "--mode", "variance"], "leave out --mode variance"),
        (["vary", "PHOTO", "--likeness", "0.5", "--diversity", "3"], "give one of them"),
        (["vary", "PHOTO", "--diversity", "auto"], "facette calibrate"),
        (["sweep", "PHOTO", "--report"], "facette calibrate"),
        (["sweep", "PHOTO", "--report", "--mode", "variance"], "leave out --mode variance"),
        (["calibrate", "faces64", "synthetic-faces:10"], "--out FOLDER"),
    ],
)
def test_mistakes_end_in_a_sentence_and_code_two(run, quick_run, photo_files, tmp_path, arguments, words):
    parts = [photo_files[0] if part == "PHOTO" else part for part in arguments]
    model = [] if arguments[0] == "calibrate" else ["--model", quick_run]
    ended = run(*parts, *model)
    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert not list(tmp_path.iterdir())


def _read(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)
