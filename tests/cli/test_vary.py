"""`facette vary`: the files it writes and what it says."""

import numpy as np
import pytest
from PIL import Image

from facette.images.sheets.grid import read_metadata
from facette.latent import vary


def test_it_writes_the_sheet_and_says_where(run, quick_run, photo_files, tmp_path):
    ended = run("vary", photo_files[0], "--model", quick_run)
    assert (ended.code, ended.out) == (0, "anna-variations.png\n")
    with Image.open(tmp_path / "anna-variations.png") as sheet:
        assert sheet.width > sheet.height > 200
    settings = read_metadata(tmp_path / "anna-variations.png")
    assert (settings["count"], settings["diversity"], settings["seed"]) == (10, 1.0, 0)


def test_it_makes_what_the_python_call_makes(run, quick_run, quick_model, photo_files, tmp_path):
    ended = run(
        "vary",
        photo_files[0],
        "-n",
        3,
        "-d",
        2.5,
        "--seed",
        4,
        "--model",
        quick_run,
        "--each",
        "each",
        "--json",
    )
    made = vary(quick_model, photo_files[0], count=3, diversity=2.5, seed=4)
    assert ended.json["seeds"] == list(made.seeds)
    assert len(ended.json["each"]) == 3
    for path, picture in zip(ended.json["each"], made.pictures, strict=True):
        # drawn without torch where onnxruntime is installed, so within one level of what torch draws
        assert np.abs(np.asarray(Image.open(tmp_path / path)).astype(int) - picture).max() <= 1


def test_the_same_seed_gives_the_same_file(run, quick_run, photo_files, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert (
            run("vary", photo_files[0], "--model", quick_run, "--seed", seed, "--out", f"{name}.jpg").code
            == 0
        )
    a, b, c = ((tmp_path / f"{name}.jpg").read_bytes() for name in "abc")
    assert a == b != c


def test_variance_mode_has_its_own_default(run, quick_run, photo_files):
    said = run("vary", photo_files[0], "--mode", "variance", "--model", quick_run, "--json").json
    assert (said["mode"], said["diversity"]) == ("variance", 0.01)


def test_the_photo_can_be_squeezed_in_without_a_face(run, quick_run, photo_files):
    said = run("vary", photo_files[0], "--no-align", "--model", quick_run, "--json").json
    assert said["photo"]["path"] == str(photo_files[0])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["nobody.jpg"], "nobody.jpg"),
        (["PHOTO", "--model", "nomodel"], "nomodel"),
        (["PHOTO", "--mode", "wild"], "--mode"),
        (["PHOTO", "--out", "sheet.txt"], "sheet.txt"),
        (["PHOTO", "--eyes", "1,2,3"], "--eyes takes four numbers"),
        (["PHOTO", "--count", "0"], "--count"),
    ],
)
def test_mistakes_end_in_a_sentence_and_code_two(run, quick_run, photo_files, tmp_path, wrong, words):
    arguments = [photo_files[0] if part == "PHOTO" else part for part in wrong]
    model = [] if "--model" in wrong else ["--model", quick_run]
    ended = run("vary", *arguments, *model)
    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert not ended.out
    assert not list(tmp_path.iterdir())
