"""`facette prepare` as a person types it: what it prints, what it leaves, how it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.cli import main

SMALL = ["--recipe", "faces64", "--set", "input.size=16"]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    root.mkdir()
    for i in range(5):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"face{i}.png")
    return root


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    try:
        main(["prepare", *map(str, arguments)])
    except SystemExit as ended:
        code = ended.code or 0
    else:
        code = 0
    spoken = capsys.readouterr()
    return int(code), spoken.out, spoken.err


def test_says_where_and_how_many(faces, tmp_path, capsys):
    code, out, _ = run(capsys, faces, *SMALL, "--cache", tmp_path / "cache")
    assert code == 0
    first, second = out.splitlines()[:2]
    assert (Path(first) / "pixels.u8").stat().st_size == 5 * 16 * 16 * 3
    assert Path(first).parent == tmp_path / "cache"
    assert second == "5 pictures of 16×16: 3 train, 2 valid"


def test_json_holds_it_all(faces, tmp_path, capsys):
    (faces / "bad.png").write_bytes(b"bad")
    (tmp_path / "x.csv").write_text("id,Smiling\nface0.png,1\n")
    options = ["--cache", tmp_path / "cache", "--labels", tmp_path / "x.csv", "--json"]
    code, out, _ = run(capsys, faces, *SMALL, *options)
    account = json.loads(out)
    assert code == 0
    assert (account["pictures"], account["size"], account["attributes"]) == (5, 16, ["Smiling"])
    assert account["splits"] == {"train": 3, "valid": 2, "test": 0}
    assert [entry["name"] for entry in account["unreadable"]] == ["bad.png"]
    again = json.loads(run(capsys, faces, *SMALL, *options, "--fresh")[1])
    assert again == account


def test_every_unreadable_picture_is_listed(faces, tmp_path, capsys):
    for i in range(12):
        (faces / f"bad{i:02d}.png").write_bytes(b"bad")
    code, out, _ = run(capsys, faces, *SMALL, "--cache", tmp_path / "cache")
    assert code == 0
    assert "12 unreadable, left out:" in out
    assert sum("bad" in line and "is not a picture" in line for line in out.splitlines()) == 12


def test_strict_refuses(faces, tmp_path, capsys):
    (faces / "bad.png").write_bytes(b"bad")
    code, out, error = run(capsys, faces, *SMALL, "--cache", tmp_path / "cache", "--strict")
    assert (code, out) == (2, "")
    assert "bad.png is not a picture" in error


def test_a_source_that_is_not_there(tmp_path, capsys):
    code, out, error = run(capsys, tmp_path / "nowhere", *SMALL, "--cache", tmp_path / "cache")
    assert (code, out) == (2, "")
    assert "nowhere" in error
    assert "Traceback" not in error


def test_a_recipe_of_vectors_has_nothing_to_prepare(faces, tmp_path, capsys):
    code, _, error = run(capsys, faces, "--recipe", "mixture3d", "--cache", tmp_path / "cache")
    assert code == 2
    assert "takes vectors" in error
