"""Runs that end before their length: after a time, or without progress; what they leave, and that they go on."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from facette.data import open_dataset
from facette.recipe import load_recipe
from facette.training import train
from facette.training.journal import read_journal
from facette.training.state import STATE

SMALL = [
    "input.size=16",
    "model.latent=4",
    "model.encoder.widths=[8,16]",
    "model.decoder.widths=[8,16]",
    "train.steps=12",
    "train.batch=8",
    "train.log_every=5",
    "train.validate_every=2",
    "train.preview_every=100",
    "train.save_every=100",
    "train.preview_count=2",
    "train.mixture_components=[]",
]


@pytest.fixture(scope="module")
def store():
    return open_dataset("synthetic-faces:40", load_recipe("quick", SMALL).input)


def validated(folder) -> list[int]:
    return [row["step"] for row in read_journal(folder) if row["event"] == "validation"]


def test_the_time_is_up_and_more_time_goes_on_to_the_same_weights(store, tmp_path):
    soon = load_recipe("quick", [*SMALL, "train.minutes=1e-9"])
    ended = train(soon, store, tmp_path / "short", device="cpu")
    assert (ended.step, ended.interrupted, ended.rule) == (1, False, "train.minutes")
    assert validated(tmp_path / "short") == [1]
    assert ended.model is not None
    assert (ended.model / "model.safetensors").is_file()
    again = train(soon, store, tmp_path / "short", device="cpu")
    assert (again.step, again.rule) == (1, "train.minutes")

    longer = load_recipe("quick", [*SMALL, "train.minutes=100.0"])
    whole = train(longer, store, tmp_path / "short", device="cpu")
    assert (whole.step, whole.interrupted, whole.rule) == (12, False, "")
    train(load_recipe("quick", SMALL), store, tmp_path / "long", device="cpu")
    one, other = (load_file(tmp_path / folder / STATE) for folder in ("short", "long"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_without_progress_ends(store, tmp_path):
    """A learning rate too small to move any weight: the first validation stays the best."""
    recipe = load_recipe(
        "quick", [*SMALL, "train.lr=1e-30", "train.patience=3", "model.likelihood.sigma=0.5", "train.ema=0.0"]
    )
    ended = train(recipe, store, tmp_path, device="cpu")
    assert (ended.step, ended.interrupted, ended.rule) == (8, False, "train.patience")
    assert validated(tmp_path) == [2, 4, 6, 8]
    assert train(recipe, store, tmp_path, device="cpu").step == 8


def test_a_run_with_progress_does_not(store, tmp_path):
    recipe = load_recipe("quick", [*SMALL, "train.patience=6"])
    assert train(recipe, store, tmp_path, device="cpu").step == 12
