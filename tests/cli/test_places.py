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
        ("reconstruct", "reconstructions.png", "--out", "reconstructions.png"),
        ("blend", "blend.png", "me.png", "--out", "blend.png"),
        ("vary", "01.png", "--each", "."),
        ("vary", "me.png", "--each", "."),
        ("interpolate", "me.png", "01.png", "--out", "01.png"),
    ],
)
def test_no_result_is_written_over_what_is_read(run, tmp_path, words):
    (tmp_path / "sub").mkdir()
    for name in ("me.png", "01.png", "reconstructions.png", "blend.png"):
        Image.new("RGB", (128, 128), (120, 90, 70)).save(tmp_path / name)
    (tmp_path / "link.png").symlink_to("me.png")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.png")}
    ended = run(*words)
    assert ended.code == 2
    assert "name another" in ended.err
    assert {path: path.read_bytes() for path in tmp_path.glob("*.png")} == before


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "faces128", "synthetic-faces:8"),
        ("align", "photos"),
        ("train", "quick", "synthetic-faces:8"),
        ("export", "faces128"),
        ("import", "foreign.pth"),
        ("encode", "faces128", "photos"),
        ("vary-all", "faces128", "photos"),
        ("evaluate-all", "faces128", "photos"),
        ("mixture",),
        ("sample",),
        ("map", "faces128", "photos"),
        ("attributes", "fit", "faces128", "photos"),
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


@pytest.mark.parametrize(
    "words",
    [
        ("vary", "me.png"),
        ("sweep", "me.png", "--rows", "1"),
        ("reconstruct", "me.png"),
        ("blend", "me.png", "me.png"),
        ("interpolate", "me.png", "me.png", "--steps", "2"),
        ("edit", "me.png", "Smiling=1"),
        ("sample",),
        ("demo",),
    ],
    ids=lambda words: words[0],
)
def test_what_nobody_named_replaces_nothing(run, tmp_path, words):
    Image.new("RGB", (128, 128), (120, 90, 70)).save(tmp_path / "me.png")
    count = () if words[0] in ("reconstruct", "blend", "interpolate", "edit", "demo") else ("--count", "2")
    sheets = []
    for _ in range(2):
        ended = run(*words, *count)
        assert ended.code == 0, ended.err
        before = {path: path.read_bytes() for path in map(Path, sheets)}
        sheets.append(ended.out.split()[0])
        assert {path: path.read_bytes() for path in before} == before
    first = Path(sheets[0])
    assert sheets[1] == f"{first.stem}-2{first.suffix}"
    assert "replaced" not in ended.err
    if words[0] == "reconstruct":
        assert "reconstructions.png will be replaced" in run(*words, "--out", sheets[0]).err


def test_single_pictures_are_those_of_the_last_command_alone(run, tmp_path):
    Image.new("RGB", (128, 128), (120, 90, 70)).save(tmp_path / "me.png")
    assert run("vary", "me.png", "--count", "3", "--each", "each").code == 0
    Image.new("RGB", (9, 9)).save(tmp_path / "each" / "mine.png")
    ended = run("vary", "me.png", "--count", "2", "--seed", "5", "--each", "each")
    assert "3 single pictures of an earlier command in each will be replaced" in ended.err
    assert sorted(path.name for path in (tmp_path / "each").iterdir()) == ["01.png", "02.png", "mine.png"]
    ended = run("vary", "each/01.png", "--each", "each")
    assert ended.code == 2
    assert "would be replaced with its like" in ended.err


def test_settings_too_long_for_a_jpeg_are_shortened_and_told(tmp_path):
    from facette.images.sheets.file import read_metadata, write_image

    settings = {"made": "vary", "seeds": list(range(10**9, 10**9 + 20_000)), "seed": 7}
    path = write_image(Image.new("RGB", (16, 16)), tmp_path / "a.jpg", settings)
    assert read_metadata(path) == {"made": "vary", "seed": 7, "left_out": ["seeds"]}
    path = write_image(Image.new("RGB", (16, 16)), tmp_path / "a.png", settings)
    assert read_metadata(path) == settings


def test_a_whole_photo_with_long_exif_and_settings_is_written(tmp_path):
    from facette.images.whole import open_whole

    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8769)[0x927C] = b"n" * 65_300
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", exif=exif.tobytes()[:65_500])
    whole = open_whole(tmp_path / "a.jpg")
    path = whole.save(whole.pixels, tmp_path / "b.jpg", {"seeds": list(range(10**9, 10**9 + 20_000))})
    with Image.open(path) as image:
        assert image.getexif()[0x010F] == "a camera"


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
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    ended = run("reconstruct", "a.png", "meadow.png", "b.png", "torn.jpg", "--json")
    assert ended.code == 1  # what was named is not all there
    assert [entry["path"] for entry in ended.json["left_out"]] == ["meadow.png", "torn.jpg"]
    assert [Path(photo["path"]).name for photo in ended.json["photos"]] == ["a.png", "b.png"]
    assert "left out: meadow.png: no face was found" in ended.err
    alone = run("reconstruct", "meadow.png")
    assert alone.code == 2
    assert "meadow.png" in alone.err
    ended = run("blend", "a.png", "meadow.png")
    assert ended.code == 2
    assert "only one is left" in ended.err


def test_a_tilde_that_the_shell_left_is_the_home(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    Image.new("RGB", (128, 128), (120, 90, 70)).save(tmp_path / "home" / "me.png")
    (tmp_path / "~me.png").write_bytes((tmp_path / "home" / "me.png").read_bytes())
    ended = run("vary", "~/me.png", "--count", "1", "--out=~/out.png", "--each=~/each")
    assert (ended.code, ended.out) == (0, f"{tmp_path / 'home' / 'out.png'}\n")
    assert (tmp_path / "home" / "each" / "01.png").is_file()
    assert run("prepare", "~/", "--recipe", "quick", "--json").json["pictures"] == 3
    assert run("reconstruct", "~me.png").code == 0  # a name that begins with a tilde is a name
    assert not (tmp_path / "~").exists()
