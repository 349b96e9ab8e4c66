"""What is done to the pictures of a folder is found, counted and said, whichever way they are read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facette.cli.data import open_source
from facette.data import open_dataset
from facette.data.treatment import WORDS, in_words
from facette.recipe import load_recipe

SPEC = load_recipe("quick").input


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Twelve pictures that something is done to, one that nothing is done to, and files that are none."""
    root = tmp_path_factory.mktemp("treated") / "pictures"
    root.mkdir()
    for number in range(3):
        Image.new("RGB", (60, 40 + number), (90, 40, 10)).save(root / f"wide{number}.jpg")
    half = Image.new("RGBA", (40, 40), (90, 40, 10, 255))
    half.save(root / "opaque.png")
    half.paste((0, 0, 0, 0), (0, 0, 20, 40))
    half.save(root / "half.png")
    frames = [Image.new("RGB", (40, 40), (level, 0, 0)) for level in (0, 250)]
    frames[0].save(root / "moving.gif", save_all=True, append_images=frames[1:])
    for number in range(7):
        ramp = np.full((40, 40), 300 * (number + 1), np.uint16)
        ramp[0, 0] = 4_000 if number == 3 else 0
        assert cv2.imwrite(str(root / f"deep{number}.png"), ramp)
    for name in ("a.pic_", "b.PIC_", "notes.txt", "raw"):
        (root / name).write_bytes(b"?")
    return root


EXPECTED = {"cut": 3, "flattened": 1, "narrow": 7, "first": 1}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_treatments_are_counted(folder, tmp_path, kind):
    source = folder
    if kind == "zip":
        source = tmp_path / "pictures.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name)
    store = open_dataset(source, SPEC, tmp_path / "cache")
    assert store.treated == EXPECTED
    assert store.passed_over == "3 files that are not called pictures (.pic_ 2, no ending 1)"
    again = open_dataset(source, SPEC, tmp_path / "cache")
    assert again.treated == EXPECTED
    # All pictures of 12 bits share one white, however dark each of them is.
    deep = [list(store.names).index(f"deep{number}.png") for number in range(7)]
    levels = store.read(np.array(deep))[:, -1, -1, 0].tolist()
    assert levels == [round(300 * (number + 1) * 255 / 4_095) for number in range(7)]


def test_commands_say_it(folder, run, tmp_path, capsys):
    ended = run("prepare", folder, "--recipe", "quick")
    assert "of 13 pictures 3 cropped to their middle, 1 with transparent parts laid on white" in ended.out
    assert "passed over: 3 files that are not called pictures" in ended.out
    assert run("prepare", folder, "--recipe", "quick", "--json").json["treated"] == EXPECTED
    capsys.readouterr()
    open_source(str(folder), load_recipe("quick"))  # as every other command does
    assert "of 13 pictures 3 cropped to their middle" in capsys.readouterr().err
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "a.pic").write_bytes(b"?")
    empty = run("prepare", "bare", "--recipe", "quick")
    assert "there are no pictures in" in empty.err
    assert "but 1 files that are not called pictures (.pic 1)" in empty.err


def test_every_treatment_has_words():
    sentence = in_words(dict.fromkeys(WORDS, 2_000), 9_000)
    assert sentence.startswith("of 9,000 pictures 2,000 cropped")
    assert sentence.count("2,000 ") == len(WORDS)
    assert in_words({}, 5) == ""
    assert len(WORDS) <= 8, "the bits of one byte"


def test_with_a_mask_nothing_is_laid_on_white(folder, tmp_path):
    masked = SPEC.model_copy(update={"alpha": "mask"})
    assert "flattened" not in open_dataset(folder, masked, tmp_path).treated
