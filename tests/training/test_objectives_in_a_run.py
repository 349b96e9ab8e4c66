"""Objectives in a step and a run: parts of a batch add up to it, and stopping changes nothing for any term."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facette.data import open_dataset
from facette.recipe import load_recipe
from facette.runtime import Rank
from facette.training import train
from facette.training.journal import read_journal
from facette.training.state import STATE, fresh_state
from facette.training.step import Objective, train_step

CPU = torch.device("cpu")
STEADY = ["input.size=16", "model.latent=6", "train.batch=9", "train.ema=0.0", "train.lr_schedule=constant"]
SMALL = ["model.encoder.widths=[8,16]", "model.decoder.widths=[8,16]"]
DISCRIMINATOR = [
    "objective.total_correlation.weight=3.0",
    "objective.total_correlation.estimate=discriminator",
    "objective.total_correlation.discriminator.width=16",
]
EVERY = {
    "bound": [],
    "focus": ["objective.focus={weight=4.0, centre=[0.5,0.5], half_axes=[0.3,0.3]}"],
    "free bits": ["objective.free_bits=0.3"],
    "capacity": ["objective.capacity.nats=3.0"],
    "total correlation": ["objective.total_correlation.weight=3.0"],
    "discriminator": DISCRIMINATOR,
    "dip": ["objective.dip.kind=i"],
    "mmd": ["objective.mmd.weight=100.0"],
    "importance": ["objective.importance.samples=3"],
    "laplace": ["model.likelihood.kind=laplace"],
    "logistic": ["model.likelihood.kind=logistic", "model.likelihood.sigma=learned"],
}


def stepped(overrides: list[str], accumulate: int):
    recipe = load_recipe("quick", [*STEADY, *SMALL, *overrides, f"train.accumulate={accumulate}"])
    state = fresh_state(recipe, CPU)
    from facette.objective import focus_weights

    focus = recipe.objective.focus and focus_weights(recipe.objective.focus, recipe.core)
    data = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), np.uint8)
    gradients = {}
    names = {parameter: name for name, parameter in state.vae.named_parameters()}
    for parameter, name in names.items():
        parameter.register_post_accumulate_grad_hook(
            lambda p, name=name: gradients.__setitem__(name, p.grad.clone())
        )
    terms = train_step(
        state, state.vae.train(), data, recipe, 10, Rank(), None, Objective(focus=focus, images=50)
    )
    return terms, gradients, dict(state.vae.named_buffers())


@pytest.mark.parametrize("name", EVERY)
def test_parts_of_a_batch_have_the_gradient_of_the_whole(name):
    """Three parts in two halves of a sum differ by rounding alone, whatever the objective looks at."""
    whole, gradients, buffers = stepped(EVERY[name], 1)
    parts, added, others = stepped(EVERY[name], 4)
    torch.testing.assert_close(parts.loss, whole.loss, rtol=1e-5, atol=1e-3)
    assert parts.terms.keys() == whole.terms.keys()
    for term, value in whole.terms.items():
        torch.testing.assert_close(parts.terms[term], value, rtol=1e-3, atol=1e-5)
    for weight, gradient in gradients.items():
        torch.testing.assert_close(
            added[weight], gradient, rtol=1e-3, atol=1e-4 * gradient.abs().max().item() + 1e-5
        )
    for buffer, value in buffers.items():
        torch.testing.assert_close(others[buffer], value, rtol=1e-4, atol=1e-5)


SHORT = [
    "train.steps=8",
    "train.batch=8",
    "train.log_every=2",
    "train.validate_every=4",
    "train.preview_every=100",
    "train.save_every=3",
    "train.preview_count=2",
    "train.mixture_components=[]",
]


class StopAt:
    """A watcher that sends the signal of a keyboard at a step."""

    def __init__(self, step: int):
        self.step = step

    def stepped(self, step: int, images: int) -> None:
        if step == self.step:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def store():
    return open_dataset("synthetic-faces:40", load_recipe("quick", ["input.size=16"]).input)


@pytest.mark.parametrize("name", ["discriminator", "mmd", "importance"])
def test_a_run_that_was_stopped_is_the_run_that_was_not(name, store, tmp_path):
    recipe = load_recipe("quick", [*STEADY, *SMALL, *SHORT, *EVERY[name]])
    train(recipe, store, tmp_path / "whole", device="cpu")
    stopped = train(recipe, store, tmp_path / "stopped", device="cpu", watcher=StopAt(5))
    assert stopped.interrupted
    train(recipe, store, tmp_path / "stopped", device="cpu")
    one, other = (load_file(tmp_path / folder / STATE) for folder in ("whole", "stopped"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[tensor], other[tensor]) for tensor in one)
    kept = {tensor.split(".")[0] for tensor in one}
    assert ("discriminator_optimizer" in kept) == (name == "discriminator")
    terms = {"discriminator": "total_correlation", "mmd": "mmd", "importance": "importance_bound"}
    rows = [row for row in read_journal(tmp_path / "whole") if row["event"] == "validation"]
    assert all(np.isfinite(row[terms[name]]) for row in rows)


def test_the_discriminator_does_not_travel_in_the_model(store, tmp_path):
    from facette.checkpoint.native import load_model

    recipe = load_recipe("quick", [*STEADY, *SMALL, *SHORT, *DISCRIMINATOR, "train.steps=2"])
    ended = train(recipe, store, tmp_path, device="cpu")
    assert ended.model is not None
    names = load_file(ended.model / "model.safetensors").keys()
    assert not [name for name in names if "discriminator" in name]
    assert load_model(ended.model).recipe.objective.total_correlation is not None
