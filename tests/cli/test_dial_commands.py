"""`facette calibrate`, `facette vary` by level and by likeness, `facette sweep --report`: what they write and say."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from facette.checkpoint.native import find_model
from facette.checkpoint.tensors import read_header
from facette.judges.identity import available
from facette.latent.levels import DISTANCE

needs_judge = pytest.mark.skipif(not available(), reason="the extra identity is not installed")


@pytest.fixture(scope="module")
def face_file(drawn_faces, tmp_path_factory):
    path = tmp_path_factory.mktemp("face") / "face.png"
    Image.fromarray(drawn_faces[-1]).save(path)
    return path


@pytest.fixture
def call(run, calibrated, face_file):
    return lambda command, *options: run(command, face_file, "--no-align", "--model", calibrated, *options)


@needs_judge
def test_levels_go_farther_one_after_the_other_and_auto_is_the_default(call):
    drawn = {level: call("vary", "--diversity", level, "--count", 1, "--json").json for level in DISTANCE}
    strengths = [account["diversity"] for account in drawn.values()]
    assert strengths == sorted(strengths)
    assert all(account["noise"] == "people" for account in drawn.values())
    ended = call("vary", "--count", 1, "--json")
    assert ended.json["asked"] == "auto"
    assert ended.json["diversity"] == drawn["auto"]["diversity"]
    assert "almost as different as another photo of the same person" in ended.err


@needs_judge
def test_a_picked_seed_is_the_same_picture_again(call, tmp_path):
    options = ["--likeness", 0.6, "--spread", "best", "--pool", 12, "--count", 3]
    many = call("vary", *options, "--each", "many", "--json").json
    seed = many["seeds"][1]
    one = call("vary", *options, "--pick", seed, "--each", "one", "--json").json
    assert one["count"] == 1
    assert one["diversity"] == many["diversity"]
    assert (_read(tmp_path / "one/01.png") == _read(tmp_path / "many/02.png")).all()
    number = ["--noise", "people", "--diversity", many["diversity"]]
    again = call("vary", *number, "--pick", seed, "--each", "again", "--json").json
    assert again["seeds"] == [seed]
    assert (_read(tmp_path / "again/01.png") == _read(tmp_path / "many/02.png")).all()


@needs_judge
def test_a_report_stands_beside_the_sheet(call, tmp_path):
    options = ["--from", 0, "--to", 1.6, "--rows", 3, "--count", 2, "--noise", "people"]
    ended = call("sweep", "--report", *options, "--json")
    assert ended.code == 0
    assert [reading["factor"] for reading in ended.json["readings"]] == [0, 0.8, 1.6]
    page = (tmp_path / ended.json["page"]).read_text("utf-8")
    assert "another photo of the same person" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert (tmp_path / "face-sweep.png").exists()


def test_calibrating_writes_into_the_model_and_says_what_it_found(
    run, calibrated, drawn_faces, tmp_path, measured_less, monkeypatch
):
    monkeypatch.setattr("facette.dial.calibrate.CURVES", (("people", "photo"),))
    folder = tmp_path / "faces"
    folder.mkdir()
    for number, picture in enumerate(drawn_faces[:60]):
        Image.fromarray(picture).save(folder / f"{number:03d}.png")
    copy = shutil.copytree(calibrated, tmp_path / "model")
    ended = run("calibrate", copy, folder, "--photos", 2, "--count", 1, "--references", 50)
    assert ended.code == 0, ended.err
    header = read_header(find_model(copy))
    assert header["metrics"]["dial"]["data"] == "faces"
    assert not list(copy.glob(".*"))


@pytest.mark.parametrize("installed", [True, False])
def test_where_nobody_has_a_face_no_judge_of_faces_is_spoken_of(
    run, quick_run, tmp_path, monkeypatch, installed
):
    if not installed:
        monkeypatch.setattr("facette.judges.identity.find_spec", lambda name: None)
    discs = tmp_path / "discs"
    discs.mkdir()
    y, x = np.mgrid[:32, :32] - 16
    for radius in range(60):
        picture = np.where(np.hypot(x, y) < radius / 4, 240, 20).astype(np.uint8)
        Image.fromarray(picture).convert("RGB").save(discs / f"{radius:02d}.png")
    ended = run("calibrate", quick_run, discs, "--photos", 2, "--references", 40, "--out", "copy", "--json")
    assert ended.code == 0, ended.err
    assert "levels are fixed shares of how the pictures differ" in ended.err
    told = ended.err + str(read_header(find_model(tmp_path / "copy"))["metrics"]["dial"])
    assert not re.search(r"\bfaces?\b|judge|identity|likeness", told)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["vary", "PHOTO", "--diversity", "wild"], "one of subtle, medium, auto, bold, got 'wild'"),
        (["vary", "PHOTO", "--diversity", "-2"], "at least 0"),
        (["vary", "PHOTO", "--likeness", "2"], "--likeness"),
        (["vary", "PHOTO", "--likeness", "0.5", "--mode", "variance"], "not with mode 'variance'"),
        (["vary", "PHOTO", "--likeness", "0.5", "--diversity", "3"], "give one of them"),
        (["vary", "PHOTO", "--likeness", "0.5"], "facette calibrate"),
        (["sweep", "PHOTO", "--report"], "facette calibrate"),
        (["sweep", "PHOTO", "--report", "--mode", "variance"], "leave out --mode variance"),
        (["calibrate", "faces128", "synthetic-faces:10"], "--out FOLDER"),
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
