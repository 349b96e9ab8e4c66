"""What is added to a run's models once training has ended."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from facette.checkpoint.native import load_model, save_model
from facette.data import open_dataset
from facette.latent.noise import people_noise
from facette.latent.people import WEIGHT
from facette.latent.photo import take_photo
from facette.latent.typicality import FEWEST
from facette.model.prior import FactorMixturePrior
from facette.model.trained import TrainedModel
from facette.recipe import load_recipe
from facette.training.finish import _latents_to_fit, finish_run, latents_of


def test_best_and_last_have_a_mixture_of_their_latents(quick_run):
    best, last = load_model(quick_run / "best"), load_model(quick_run / "last")
    assert best.fitted_prior is not None
    assert last.fitted_prior is not None
    store = open_dataset("synthetic-faces:256", best.input)
    latents = latents_of(best, store, store.indices("train"))
    assert torch.equal(latents, latents_of(best, store, store.indices("train")))
    # the mixture knows where the latents are better than N(0, I) does
    assert best.fitted_prior.log_prob(latents).mean() > best.vae.prior.log_prob(latents).mean()


def test_finishing_again_changes_nothing(quick_run, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(quick_run, again)
    said: list[str] = []
    model = load_model(again)
    store = open_dataset("synthetic-faces:256", model.input)
    finish_run(again, model.recipe, store, store.indices("train"), store.indices("valid"), said.append)
    assert said == []
    assert (again / "best" / "model.safetensors").read_bytes() == (
        quick_run / "best" / "model.safetensors"
    ).read_bytes()


def known(model: TrainedModel, picture: np.ndarray) -> dict | None:
    """What a photo's report says of it."""
    return take_photo(model, picture).report.typicality


def test_a_model_knows_how_typical_pictures_are_for_it(quick_run, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(quick_run, again)
    recipe = load_model(again).recipe
    store = open_dataset("synthetic-faces:256", recipe.input)
    rows = store.indices("train")
    finish_run(again, recipe, store, rows, rows[: FEWEST - 1], print)
    assert known(load_model(again), store.read(rows[:1])[0]) is None  # too few to compare with
    finish_run(again, recipe, store, rows, rows[:FEWEST], print)
    drawn = known(load_model(again), store.read(rows[:1])[0])
    noise = known(load_model(again), np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    assert drawn is not None
    assert noise is not None
    assert noise["error_percentile"] == 100 > drawn["error_percentile"]


def test_a_model_knows_how_the_people_it_learnt_from_differ(quick_run):
    best = load_model(quick_run / "best")
    shape = people_noise(best)
    store = open_dataset("synthetic-faces:256", best.input)
    means = best.encode(store.read(store.indices("train"))).mean.double().numpy()
    # no direction is longer than the widest in which the latents differ, up to the largest weight of a part
    widest = np.sqrt(np.linalg.eigvalsh(np.cov(means.T))[-1])
    lengths = np.linalg.norm(shape.basis, axis=0)
    assert (lengths > 0).all()
    assert lengths.max() <= 1.01 * max(WEIGHT.values()) * widest


@pytest.fixture
def unfitted(quick_run, tmp_path):
    """The run, without the mixture."""
    again = tmp_path / "again"
    shutil.copytree(quick_run, again)
    model = load_model(again)
    model.fitted_prior = None
    for name in ("best", "last"):
        save_model(model, again / name)
    return again


def test_too_few_pictures_for_a_mixture_are_said_and_do_no_harm(unfitted):
    model = load_model(unfitted)
    said: list[str] = []
    store = open_dataset("synthetic-faces:256", model.input)
    finish_run(unfitted, model.recipe, store, store.indices("train")[:5], store.indices("valid"), said.append)
    assert any("no mixture was fitted" in s for s in said)
    assert load_model(unfitted).fitted_prior is None


def test_a_mixture_of_factors_is_fitted_to_whole_pictures_and_their_mirrors(unfitted):
    model = load_model(unfitted)
    recipe = load_recipe("quick", ["train.mixture_components=[4]", "train.mixture_rank=3", "input.flip=true"])
    store = open_dataset("synthetic-faces:256", model.input)
    model.recipe = recipe
    latents = _latents_to_fit(model, store, store.indices("train"))
    assert len(latents) == 2 * len(store.indices("train"))
    finish_run(unfitted, recipe, store, store.indices("train"), store.indices("valid"), lambda line: None)
    prior = load_model(unfitted).fitted_prior
    assert isinstance(prior, FactorMixturePrior)
    assert (prior.components, prior.rank) == (4, 3)


def test_a_signal_during_the_fit_ends_the_run_and_the_same_command_makes_up_for_it(run, tmp_path):
    """The last step is saved before the fit begins, so nothing is lost, and nobody has to wait for it."""
    code = (
        "import os, signal, facette.training.run as run\n"
        "def fit(*_):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "run.finish_run = fit\n"
        "from facette.cli import main; import sys; main(sys.argv[1:])"
    )
    overrides = ["--set", "train.steps=6", "--set", "train.mixture_components=[1]"]
    command = ["train", "quick", "synthetic-faces:96", "--out", str(tmp_path), "--device", "cpu", *overrides]
    ended = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGTERM
    assert load_model(tmp_path).fitted_prior is None
    assert run(*command).code == 0
    assert load_model(tmp_path).fitted_prior is not None
