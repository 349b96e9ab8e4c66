"""What lies in the place of a file is named with its remedy, wherever a file is read; addresses are never fetched."""

from __future__ import annotations

import pytest
from PIL import Image

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html><html><head><title>404</title></head></html>"
READERS = {
    "photo": ("vary", "{}.png"),
    "model": ("info", "{}.safetensors"),
    "model of a photo": ("vary", "me.png", "--model", "{}.safetensors"),
    "collection": ("prepare", "{}.zip"),
    "recipe": ("train", "{}.toml", "synthetic-faces:8", "--dry-run"),
    "labels": ("prepare", "synthetic-faces:8", "--attributes", "{}.csv"),
    "foreign checkpoint": ("import", "{}.pth", "--out", "imported"),
}


@pytest.mark.parametrize(
    ("kind", "content", "said"), [("pointer", POINTER, "LFS"), ("page", PAGE, "download")]
)
@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_pointers_and_web_pages_are_told(run, tmp_path, words, kind, content, said):
    for ending in ("png", "safetensors", "zip", "toml", "csv", "pth"):
        (tmp_path / f"{kind}.{ending}").write_bytes(content)
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "pictures" / "a.png")
    ended = run(*(word.format(kind).replace("synthetic-faces:8", "pictures") for word in words))
    assert ended.code == 2
    assert said in ended.err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [("vary", "{}/a.png"), ("prepare", "{}/a.zip"), ("info", "{}/model"), ("sample", "--model", "{}/m")],
)
@pytest.mark.parametrize("scheme", ["https://example.org", "file:///tmp", "s3://bucket"])
def test_addresses_are_not_fetched(run, words, scheme):
    ended = run(*(word.format(scheme) for word in words))
    assert ended.code == 2
    assert "is an address, and nothing is fetched" in ended.err
