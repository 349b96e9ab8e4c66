"""A small collection on disk, and jobs over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facette
from facette.scale import Encode, run_job

PICTURES, SHARD = 150, 64  # two whole shards and a part


@pytest.fixture(scope="session")
def collection(quick_model, tmp_path_factory) -> Path:
    """150 drawn faces as files, nested, one of them damaged."""
    root = tmp_path_factory.mktemp("collection") / "pictures"
    pictures = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input).read(np.arange(PICTURES))
    for number, picture in enumerate(pictures):
        path = root / f"{number // 40}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).resize((40, 40)).save(path)
    (root / "1" / "070.png").write_bytes(b"not a picture")
    return root


@pytest.fixture(scope="session")
def store(collection, quick_model, tmp_path_factory):
    """The same collection as a data set."""
    return facette.open_dataset(collection, quick_model.recipe.input, tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="session")
def encoded(collection, quick_run, tmp_path_factory) -> Path:
    """The table of latents of the collection, made in one go."""
    out = tmp_path_factory.mktemp("encoded") / "latents.parquet"
    run_job(quick_run, collection, Encode(), out, shard=SHARD, device="cpu")
    return out


@pytest.fixture(scope="session")
def many(collection, tmp_path_factory) -> Path:
    """1,500 pictures: the readable ones of the collection under many names."""
    root = tmp_path_factory.mktemp("many") / "pictures"
    root.mkdir()
    files = [path for path in sorted(collection.rglob("*.png")) if path.stat().st_size > 100]
    for number in range(1500):
        (root / f"{number:05d}.png").hardlink_to(files[number % len(files)])
    return root
