"""A rehearsal meets what the run would meet, and leaves nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

import facette
from facette.errors import RecipeError, TrainingError
from facette.recipe import load_recipe
from facette.training import first_stage, run, second_stage, train
from facette.training.journal import read_journal
from facette.training.rehearsal import rehearse, rehearsed

SHARP = [
    "train.steps=500", "sharpen.steps=500", "sharpen.batch=4", "sharpen.widths=[8, 8, 16]",
    "sharpen.critic_width=8",
]  # fmt: skip
BERNOULLI = ["model.likelihood.kind=bernoulli", "input.range=unit", "model.decoder.output=sigmoid"]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """An own folder for temporary files, so that what is left in it is seen."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def test_every_stage_is_stepped_through_and_nothing_is_left(elsewhere, monkeypatch):
    recipe = load_recipe("quick", SHARP)
    store = facette.open_dataset("synthetic-faces:96", recipe.input)
    done = []
    for module, name in ((run, "finish_run"), (second_stage, "sharpen_step")):
        original = getattr(module, name)

        def told(*given, _name=name, _original=original, **more):
            done.append(_name)
            return _original(*given, **more)

        monkeypatch.setattr(module, name, told)
    rehearse(recipe, store, device="cpu")
    assert done == ["finish_run", "sharpen_step"]
    assert list(elsewhere.glob("facette-*")) == []
    once = rehearsed(recipe)
    assert (once.train.steps, once.sharpen and once.sharpen.steps) == (1, 1)
    assert once.model == recipe.model
    assert once.train.batch == recipe.train.batch


def test_what_the_run_would_meet_is_met_at_once(monkeypatch):
    recipe = load_recipe("quick")
    store = facette.open_dataset("synthetic-faces:40", recipe.input)
    step = first_stage.train_step

    def spoiled(*given):
        from dataclasses import replace

        return replace(step(*given), ok=torch.tensor(False))

    monkeypatch.setattr(first_stage, "train_step", spoiled)
    with pytest.raises(TrainingError, match="not finite at step 1 "):
        rehearse(recipe, store, device="cpu")


def test_a_bernoulli_model_is_trained_to_its_end(tmp_path):
    recipe = load_recipe(
        "quick", [*BERNOULLI, *SHARP, "train.steps=20", "sharpen.steps=2", "train.validate_every=10"]
    )
    store = facette.open_dataset("synthetic-faces:96", recipe.input)
    rehearse(recipe, store, device="cpu")
    train(recipe, store, tmp_path / "run", device="cpu")
    rows = [row for row in read_journal(tmp_path / "run") if row["event"] == "validation"]
    assert rows[-1]["elbo"] > rows[0]["elbo"]
    model = facette.load(tmp_path / "run")
    assert torch.isfinite(model.encode(store.read(np.arange(4))).mean).all()


def test_a_bernoulli_likelihood_of_values_outside_zero_and_one_is_refused():
    with pytest.raises(RecipeError, match=r"model\.decoder\.output 'sigmoid'"):
        load_recipe("faces64", ["model.likelihood.kind=bernoulli", "input.range=unit"])


def test_a_recipe_and_pictures_may_be_named(tmp_path):
    (tmp_path / "short.toml").write_text(
        load_recipe("quick", ["train.steps=2", "train.mixture_components=[]"]).to_toml()
    )
    ended = train(tmp_path / "short.toml", "synthetic-faces:40", tmp_path / "run", device="cpu")
    assert ended.step == 2
    with pytest.raises(RecipeError, match="no recipe 'quicker'"):
        train("quicker", "synthetic-faces:40", tmp_path / "other")
