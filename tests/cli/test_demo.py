"""`facette demo`: a photo that a library brought along, and nothing from outside."""

import socket
from pathlib import Path

import pytest
from PIL import Image

from facette.cli.demo import find_photo


def test_it_varies_a_photo_that_is_already_here(run, quick_run, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the demo reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    ended = run("demo", "--model", quick_run)
    assert (ended.code, ended.out) == (0, "facette-demo.png\n")
    assert "public domain" in ended.err
    with Image.open(tmp_path / "facette-demo.png") as sheet:
        assert sheet.width > 800


def test_the_astronaut_comes_with_the_package():
    import facette

    photo = find_photo("astronaut")
    assert photo.is_relative_to(Path(facette.__file__).parent)
    assert photo.stat().st_size < 150_000


@pytest.mark.parametrize("photo", ["hopper", "astronaut"])
def test_the_photos_are_real_files(photo):
    with Image.open(find_photo(photo)) as image:
        assert min(image.size) >= 400
