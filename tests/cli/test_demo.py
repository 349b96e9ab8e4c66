"""`facette demo`: a photo that a library brought along, and nothing from outside."""

import socket

import pytest
from PIL import Image

from facette.cli.demo import find_photo, first_at_hand


def test_it_varies_a_photo_that_is_already_here(run, quick_run, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the demo reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    ended = run("demo", "--model", quick_run)
    assert (ended.code, ended.out) == (0, "facette-demo.png\n")
    assert "public domain" in ended.err
    with Image.open(tmp_path / "facette-demo.png") as sheet:
        assert sheet.width > 800


def test_without_scikit_image_there_is_still_a_photo(monkeypatch):
    assert first_at_hand() == "astronaut"
    monkeypatch.setattr("facette.cli.demo.find_spec", lambda _: None)
    assert first_at_hand() == "hopper"


@pytest.mark.parametrize("photo", ["hopper", "astronaut"])
def test_the_photos_are_real_files(photo):
    with Image.open(find_photo(photo)) as image:
        assert min(image.size) >= 400
