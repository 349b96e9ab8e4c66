"""A run computes by the choices that it began with, wherever it goes on."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from facette.checkpoint.tensors import read_header
from facette.data import open_dataset
from facette.model.kernels import choices as kernels
from facette.model.kernels.choices import USUAL, KernelChoices
from facette.recipe import load_recipe
from facette.training import first_stage, train
from facette.training.state import STATE

OTHER = KernelChoices("contiguous", False, 1000, False, False, False, 1)
SHORT = [
    *(
        "train.steps=8",
        "train.batch=8",
        "train.log_every=1",
        "train.validate_every=8",
        "train.preview_every=8",
    ),
    *(
        "train.save_every=4",
        "train.mixture_components=[]",
        "input.size=40",
        "model.decoder.start_size=2",
        "model.latent=8",
    ),
]
SOURCE = "synthetic-faces:48"


@pytest.fixture(scope="module")
def recipe():
    return load_recipe("celeba150", SHORT)


@pytest.fixture(scope="module")
def store(recipe):
    return open_dataset(SOURCE, recipe.input)


class Half:
    """Stops in the middle, and hears what is said."""

    def __init__(self) -> None:
        self.step, self.told = 0, []

    def stepped(self, step: int, images: int) -> None:
        self.step = step

    def stops(self) -> bool:
        return self.step == 3

    def said(self, sentence: str) -> None:
        self.told.append(sentence)


def same(a, b) -> bool:
    mine, theirs = load_file(a / STATE), load_file(b / STATE)
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_it_goes_on_as_it_began_bit_for_bit(recipe, store, tmp_path, monkeypatch):
    whole, halved, usual = (tmp_path / name for name in ("whole", "halved", "usual"))
    monkeypatch.setattr(first_stage, "machine_choices", lambda: OTHER)
    train(recipe, store, whole, device="cpu")
    half = Half()
    assert train(recipe, store, halved, device="cpu", watcher=half).interrupted
    assert any("by a measurement on this machine: layout contiguous" in sentence for sentence in half.told)
    monkeypatch.setattr(first_stage, "machine_choices", lambda: USUAL)  # another machine, or another cache
    train(recipe, store, halved, device="cpu")
    assert same(whole, halved)
    assert KernelChoices.read(read_header(halved / STATE)["kernels"]) == OTHER
    train(recipe, store, usual, device="cpu")
    assert not same(whole, usual)  # or nothing was chosen


def test_the_usual_ways_are_never_measured(recipe, store, tmp_path, monkeypatch):
    def measured() -> KernelChoices:
        raise AssertionError("nobody asked for it")

    monkeypatch.setattr(first_stage, "machine_choices", measured)
    plain = recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"kernels": "usual", "steps": 1})}
    )
    train(plain, store, tmp_path, device="cpu")


def test_a_real_measurement_is_kept_and_shown(recipe, store, tmp_path, monkeypatch, run):
    monkeypatch.setenv("FACETTE_CACHE", str(tmp_path / "cache"))
    assert run("doctor", "--system", "--json").json["compute"]["kernels"] is None
    assert "not measured here yet" in run("doctor", "--system").out
    short = recipe.model_copy(update={"train": recipe.train.model_copy(update={"steps": 1})})
    train(short, store, tmp_path / "run", device="cpu")
    kept = kernels.kept_choices()
    assert kept is not None
    assert KernelChoices.read(read_header(tmp_path / "run" / STATE)["kernels"]) == kept
    assert run("doctor", "--system", "--json").json["compute"]["kernels"] == kept.unusual()
    assert "layers       measured: " in run("doctor", "--system").out
