"""The cache folder: everything that Facette keeps is listed and can be cleared, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from facette.data import open_dataset
from facette.data.cache import clear_cache, list_cache
from facette.recipe import load_recipe


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with one packed store, and files of somebody else beside it."""
    open_dataset("synthetic-faces:64", load_recipe("quick").input, cache_dir=tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(b"mine")
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    return tmp_path


def test_a_packed_store_is_listed_with_its_size(cache: Path):
    (store,) = list_cache(cache)
    assert store.kind == "packed pictures"
    assert store.size >= 64 * 32 * 32 * 3


def test_clearing_frees_what_is_ours_and_touches_nothing_else(cache: Path):
    size = sum(entry.size for entry in list_cache(cache))
    clearance = clear_cache(cache)
    assert clearance.freed == size
    assert clearance.kept == []
    assert sorted(path.name for path in cache.iterdir()) == ["notes.txt", "photos"]
    assert (cache / "photos" / "me.jpg").read_bytes() == b"mine"


def test_a_store_that_is_being_packed_stays(cache: Path):
    (store,) = list_cache(cache)
    with FileLock(store.path.with_name(store.path.name + ".lock")):
        clearance = clear_cache(cache)
    assert clearance.deleted == []
    assert clearance.kept == [(store, "another process is packing it")]
    assert list_cache(cache) == [store]


def test_a_cleared_store_comes_back_the_same(cache: Path):
    spec = load_recipe("quick").input
    before = open_dataset("synthetic-faces:64", spec, cache_dir=cache).fingerprint
    clear_cache(cache)
    assert open_dataset("synthetic-faces:64", spec, cache_dir=cache).fingerprint == before


def test_no_folder_is_an_empty_cache(tmp_path: Path):
    assert list_cache(tmp_path / "nowhere") == []
    assert clear_cache(tmp_path / "nowhere").freed == 0
