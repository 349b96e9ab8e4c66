"""Who comes second into one place is told who is there, before any work; what is there stays.

The same with real processes, twenty times each, is `tests/test_siege_pairs.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facette.files import claimed, owned


@pytest.fixture
def photos(tmp_path):
    """Sixteen pictures of noise."""
    folder = tmp_path / "photos"
    folder.mkdir()
    draws = np.random.default_rng(0)
    for number in range(16):
        Image.fromarray(draws.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


COMMANDS = {
    "align": (["align", "PHOTOS", "--out", "place"], lambda place: owned(place, "facette align")),
    "encode": (["encode", "MODEL", "PHOTOS", "-o", "place"], lambda place: owned(place, "facette encode")),
    "encode to a table": (
        ["encode", "MODEL", "PHOTOS", "-o", "place.npz"],
        lambda place: owned(place.with_name("place.npz.parts"), "facette encode"),
    ),
    "vary-all": (["vary-all", "MODEL", "PHOTOS", "-o", "place"], lambda p: owned(p, "facette vary-all")),
    "evaluate-all": (["evaluate-all", "MODEL", "PHOTOS", "-o", "place"], lambda p: owned(p, "facette …")),
    "map": (["map", "MODEL", "PHOTOS", "-o", "place.png"], lambda p: claimed(p.with_suffix(".png"), "facette map")),
    "map, where nobody named a place": (["map", "MODEL", "PHOTOS"], lambda p: claimed(p.with_name("map.png"), "…")),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_who_comes_second_is_told_who_is_there(run, tmp_path, photos, quick_run, name):
    words, held = COMMANDS[name]
    places = {"PHOTOS": photos, "MODEL": quick_run}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with held(tmp_path / "place"):
        ended = run(*(places.get(word, word) for word in words))
    assert ended.code == 2, ended.err
    (told,) = [line for line in ended.err.splitlines() if "is in use by facette" in line or "by …" in line]
    assert "wait for it, or end it" in told
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "place").exists()


def test_a_place_is_free_again_when_its_command_has_ended(run, tmp_path, photos):
    for _ in range(2):
        assert run("align", photos, "--out", tmp_path / "place").code == 2  # noise has no faces
        assert not (tmp_path / "place").exists()
    with claimed(tmp_path / "new" / "map.png", "a test"), claimed(tmp_path / "map.png", "another"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
