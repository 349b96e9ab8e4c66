"""A run on few pictures that starts from a trained model keeps what they cannot tell, and does not wear it out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from facette.checkpoint.native import load_model
from facette.data import open_dataset
from facette.latent.directions import FIGURES
from facette.model.vae import build_sharpener
from facette.recipe import SharpenSpec, load_recipe
from facette.training import train
from facette.training.rehearsal import rehearse
from facette.training.schedule import LEAST, PASSES, SLOWER, learning_on
from facette.training.state import has_layers_of

SHORT = [
    "train.steps=4",
    "train.batch=8",
    "train.validate_every=2",
    "train.preview_every=4",
    "train.log_every=2",
]


class Listener:
    """Keeps what is said."""

    def __init__(self):
        self.sentences: list[str] = []

    def said(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture
def bare(tmp_path):
    """A folder of ten pictures that nobody labelled."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for number, picture in enumerate(np.random.default_rng(3).integers(0, 256, (10, 4, 4, 3), np.uint8)):
        Image.fromarray(picture).resize((32, 32)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def learnt(quick_model):
    """A trained model that knows an attribute and has a second stage."""
    recipe = quick_model.recipe.model_copy(
        update={"sharpen": SharpenSpec(epochs=1, batch=4, widths=(8, 8, 16))}
    )
    torch.manual_seed(0)
    extras = quick_model.extras | {"directions.Smiling": torch.randn(quick_model.latent)}
    metrics = quick_model.metrics | {
        FIGURES: {"attributes": {"Smiling": {}}},
        "sharpening": {"sharpness": 1.0},
    }
    return replace(
        quick_model, recipe=recipe, sharpener=build_sharpener(recipe), extras=extras, metrics=metrics
    )


def test_what_few_unlabelled_pictures_cannot_tell_is_kept(learnt, bare, tmp_path):
    changes = [*SHORT, "train.mixture_components=[500]", "train.mixture_rank=4"]
    section = ["sharpen.epochs=1", "sharpen.batch=4", "sharpen.widths=[8,8,16]", "sharpen.critic_lead=100"]
    recipe = load_recipe("quick", [*changes, *section])
    told = Listener()
    train(
        recipe, open_dataset(bare, recipe.input), tmp_path / "run", device="cpu", start=learnt, watcher=told
    )
    model = load_model(tmp_path / "run")
    assert model.fitted_prior is not None
    for name in model.fitted_prior.state_dict():
        torch.testing.assert_close(
            model.fitted_prior.state_dict()[name],
            learnt.fitted_prior.state_dict()[name],
            rtol=1e-3,
            atol=1e-3,
        )
    kept = [name for name in learnt.extras if name.startswith(("people.", "directions."))]
    assert "directions.Smiling" in kept
    assert len(kept) > 1
    for name in kept:
        torch.testing.assert_close(
            model.extras[name].float(), learnt.extras[name].float(), rtol=1e-3, atol=1e-3
        )
    assert model.metrics[FIGURES] == learnt.metrics[FIGURES]
    assert model.metrics["elbo"] != learnt.metrics["elbo"], "what training measures is its own"
    assert model.sharpener is not None
    for name, weights in learnt.sharpener.state_dict().items():  # fewer steps than the critic is ahead
        torch.testing.assert_close(model.sharpener.state_dict()[name], weights, rtol=1e-3, atol=1e-3)
    said = " ".join(told.sentences)
    assert "begins with the sharpener that quick has" in said
    assert "keeps what quick knows" in said


def test_another_network_keeps_nothing(learnt, bare, tmp_path):
    recipe = load_recipe("quick", [*SHORT, "model.latent=8", "train.mixture_components=[]"])
    train(recipe, open_dataset(bare, recipe.input), tmp_path / "run", device="cpu", start=learnt)
    model = load_model(tmp_path / "run")
    assert not has_layers_of(model.vae, learnt.vae)
    assert "directions.Smiling" not in model.extras


def test_few_pictures_are_seen_a_hundred_times_at_a_smaller_rate():
    recipe = load_recipe("faces128")
    few = learning_on(recipe, 320).train
    assert (few.steps, few.epochs) == (PASSES * 10, None)
    assert few.lr == pytest.approx(SLOWER * recipe.train.lr)
    assert learning_on(recipe, 40).train.steps == LEAST
    assert learning_on(recipe, 40_000) is recipe
    for change in ("train.steps=9", "train.minutes=3", " train.lr = 1e-3"):
        assert learning_on(recipe, 320, [change]) is recipe
    assert learning_on(recipe, 320, ["train.batch=32"]) is not recipe


def test_a_rehearsal_meets_the_run_that_is_there(bare, tmp_path):
    from facette.errors import TrainingError

    recipe = load_recipe("quick", [*SHORT, "train.mixture_components=[]"])
    store = open_dataset(bare, recipe.input)
    train(recipe, store, tmp_path / "run", device="cpu")
    rehearse(recipe, store, device="cpu", run=tmp_path / "run")
    other = load_recipe("quick", [*SHORT, "train.mixture_components=[]", "model.latent=8"])
    with pytest.raises(TrainingError, match="another recipe"):
        rehearse(other, store, device="cpu", run=tmp_path / "run")
