"""Nothing that a command writes falls onto what it reads or onto another result; its place is seen before the work."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
import torch
from PIL import Image

from facette.cli.output import PLAIN, in_other_words
from facette.errors import UsageError
from facette.files import check_outputs, json_text, name_apart


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    skimage = pytest.importorskip("skimage")
    return (
        Image.open(Path(skimage.__path__[0]) / "data" / "astronaut.png")
        .convert("RGB")
        .crop((60, 0, 380, 300))
    )


@pytest.mark.parametrize(
    "words",
    [
        ("vary", "me.png", "--out", "me.png"),
        ("vary", "me.png", "--out", "link.png"),
        ("vary", "me.png", "--out", "sub/../me.png"),
        ("reconstruct", "reconstructions.png"),
        ("blend", "blend.png", "me.png"),
        ("vary", "01.png", "--each", "."),
        ("interpolate", "me.png", "01.png", "--out", "01.png"),
    ],
)
def test_no_result_is_written_over_what_is_read(run, tmp_path, words):
    (tmp_path / "sub").mkdir()
    for name in ("me.png", "01.png", "reconstructions.png", "blend.png"):
        Image.new("RGB", (64, 64), (120, 90, 70)).save(tmp_path / name)
    (tmp_path / "link.png").symlink_to("me.png")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.png")}
    ended = run(*words)
    assert ended.code == 2
    assert "name another" in ended.err
    assert {path: path.read_bytes() for path in tmp_path.glob("*.png")} == before


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "faces64", "synthetic-faces:8"),
        ("align", "photos"),
        ("train", "quick", "synthetic-faces:8"),
        ("export", "faces64"),
        ("import", "foreign.pth"),
        ("encode", "faces64", "photos"),
        ("vary-all", "faces64", "photos"),
        ("evaluate-all", "faces64", "photos"),
        ("mixture",),
        ("sample",),
        ("map", "faces64", "photos"),
        ("attributes", "fit", "faces64", "photos"),
    ],
)
@pytest.mark.parametrize("place", ["file.png/out.png", "n" * 252 + ".png"])
def test_a_place_where_nothing_can_be_written_is_seen_before_the_work(run, tmp_path, words, place):
    (tmp_path / "file.png").write_bytes(b"")
    (tmp_path / "foreign.pth").write_bytes(b"no model")
    (tmp_path / "photos").mkdir()
    ended = run(*words, "--out", place)
    assert ended.code == 2
    assert "nothing can be written" in ended.err or "too long a name" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_two_results_have_two_names(tmp_path):
    used: set[str] = set()
    names = [
        name_apart(tmp_path / name, used).name for name in ("a.png", "A.png", "a.png", "ü.png", "u\u0308.png")
    ]
    assert names == ["a.png", "A-2.png", "a-3.png", "ü.png", "u\u0308-2.png"]
    with pytest.raises(UsageError, match="two results"):
        check_outputs([tmp_path / "a.png", tmp_path / "sub" / ".." / "a.png"])


def test_photos_of_one_name_give_faces_of_three(run, tmp_path, astronaut):
    (tmp_path / "in" / "more").mkdir(parents=True)
    for name in ("anna.jpg", "anna.jpeg", "anna.JPG", "more/b.png"):
        astronaut.save(tmp_path / "in" / name)
    (tmp_path / "in" / "forgotten.heif_").write_bytes(b"?")
    ended = run("align", "in", "--out", "faces", "--json")
    pictures = [Path(entry["picture"]) for entry in ended.json["pictures"]]
    assert sorted(path.name for path in pictures) == ["anna-2.png", "anna-jpeg.png", "anna.png", "b.png"]
    assert all(path.is_file() for path in pictures)
    assert "1 files that are not called pictures (.heif_ 1)" in ended.err
    assert run("align", "in", "--out", "in").code == 2
    assert run("align", "in", "--out", ".").code == 0


def test_a_name_that_is_no_text_leaves_a_whole_report(run, tmp_path, astronaut):
    (tmp_path / "in").mkdir()
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    try:
        astronaut.save(tmp_path / "in" / name)
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    ended = run("align", "in", "--out", "faces", "--json")
    assert ended.code == 0
    assert ended.json["pictures"][0]["photo"].endswith(name)
    assert (tmp_path / "faces" / "report.json").read_text("utf-8") == json_text(ended.json)


def test_what_a_terminal_cannot_show_is_saidin_other_words():
    codecs.register_error("facette", in_other_words)
    assert (
        "σ −3 → caf\udce9 “2×2”".encode("cp1252", "facette").decode("cp1252")
        == "sigma -3 -> caf\\udce9 “2×2”"
    )
    assert "“2×2” …".encode("ascii", "facette") == b'"2x2" ...'
    assert all(words.isascii() for words in PLAIN.values())


@pytest.mark.parametrize("device", ["meta", "xpu", "mps", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device):
    from facette.runtime import choose_device

    present = {"mps": torch.backends.mps.is_available(), "xpu": torch.xpu.is_available()}
    if present.get(device):
        pytest.skip("this machine has one")
    with pytest.raises(UsageError, match="torch sees none of it here"):
        choose_device(device)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_recipes_as_windows_saves_them_are_read(run, tmp_path, encoding):
    from importlib.resources import files

    from facette.recipe import load_recipe

    text = files("facette.recipes").joinpath("quick.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_bytes(text.encode(encoding))
    assert load_recipe(tmp_path / "mine.toml").train.steps == load_recipe("quick").train.steps
    (tmp_path / "mine.toml").write_bytes('name = "café"'.encode("cp1252"))
    ended = run("train", "mine.toml", "synthetic-faces:8", "--dry-run")
    assert ended.code == 2
    assert "save it again as UTF-8" in ended.err


def test_a_photo_without_a_face_is_named_and_the_rest_is_done(run, tmp_path, astronaut):
    astronaut.save(tmp_path / "a.png")
    astronaut.save(tmp_path / "b.png")
    Image.new("RGB", (300, 200), (90, 140, 90)).save(tmp_path / "meadow.png")
    ended = run("reconstruct", "a.png", "meadow.png", "b.png", "--json")
    assert ended.code == 0
    assert [Path(photo["path"]).name for photo in ended.json["photos"]] == ["a.png", "b.png"]
    assert "left out: meadow.png: no face was found" in ended.err
    alone = run("reconstruct", "meadow.png")
    assert alone.code == 2
    assert "meadow.png" in alone.err
    ended = run("blend", "a.png", "meadow.png")
    assert ended.code == 2
    assert "only one is left" in ended.err
