"""Weights that move within the backward pass move as they would after it, and their gradients are never all there."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facette.data import open_dataset
from facette.errors import RecipeError, TrainingError
from facette.recipe import load_recipe
from facette.runtime import Rank
from facette.training import train
from facette.training.first_stage import FirstStage
from facette.training.journal import read_journal
from facette.training.state import STATE, fresh_state
from facette.training.step import train_step
from facette.training.update import Adam
from facette.training.watch import Attended

CPU = torch.device("cpu")
SHORT = [
    *("train.steps=12", "train.batch=8", "train.clip=none", "train.log_every=1", "train.validate_every=6"),
    *("train.preview_every=12", "train.save_every=4", "train.mixture_components=[]"),
]
BOTH = ["train.recompute=true", "train.fused_update=true"]
SOURCE = "synthetic-faces:64"


def recipe(*more: str):
    return load_recipe("quick", [*SHORT, *more])


@pytest.fixture(scope="module")
def store():
    return open_dataset(SOURCE, recipe().input)


@pytest.fixture(scope="module")
def plain(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    train(recipe(), store, folder, device="cpu")
    return folder


def assert_same_run(folder, other) -> None:
    mine, theirs = load_file(folder / STATE), load_file(other / STATE)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    rows = [[row["loss"] for row in read_journal(f) if row["event"] == "train"] for f in (folder, other)]
    assert rows[0] == rows[1]
    norms = [
        [row["grad_norm"] for row in read_journal(f) if row["event"] == "train"] for f in (folder, other)
    ]
    np.testing.assert_allclose(*norms, rtol=1e-6)


@pytest.mark.parametrize("options", [BOTH[:1], BOTH[1:], BOTH], ids=["recomputed", "fused", "both"])
def test_losses_and_weights_are_those_of_a_plain_run_to_the_bit(options, store, plain, tmp_path):
    train(recipe(*options), store, tmp_path, device="cpu")
    assert_same_run(tmp_path, plain)


class StopsAt:
    def __init__(self, step: int):
        self.step, self.now = step, 0

    def stepped(self, step: int, images: int) -> None:
        self.now = step

    def stops(self) -> bool:
        return self.now >= self.step


def test_a_run_may_be_stopped_with_the_options_and_gone_on_with_without_them(store, plain, tmp_path):
    assert train(recipe(*BOTH), store, tmp_path, device="cpu", watcher=StopsAt(3)).interrupted
    assert train(recipe(), store, tmp_path, device="cpu", watcher=StopsAt(7)).interrupted
    assert not train(recipe(*BOTH), store, tmp_path, device="cpu").interrupted
    assert_same_run(tmp_path, plain)


def pictures(count: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


def test_few_gradients_are_there_at_once():
    state = fresh_state(recipe(*BOTH), CPU)
    most, weights = 0, list(state.vae.train().parameters())

    def look(_: torch.Tensor) -> None:
        nonlocal most
        most = max(most, sum(weight.grad is not None for weight in weights))

    for weight in weights:
        weight.register_post_accumulate_grad_hook(look)
    train_step(state, state.vae, pictures(), recipe(*BOTH), 10, Rank(), None)
    # a layer's own weight and bias, and what is told of it before the hook: all others are gone, or not there yet
    assert most <= 3 < len(weights)
    assert all(weight.grad is None for weight in weights)


def test_a_loss_that_is_not_finite_moves_nothing():
    state = fresh_state(recipe(*BOTH), CPU)
    before = [p.detach().clone() for p in state.vae.parameters()]
    with torch.no_grad():
        state.vae.decoder.linear.bias.fill_(float("nan"))
        before = [p.detach().clone() for p in state.vae.parameters()]
    terms = train_step(state, state.vae.train(), pictures(), recipe(*BOTH), 10, Rank(), None)
    assert not terms.ok
    assert all(
        torch.equal(p.nan_to_num(), b.nan_to_num())
        for p, b in zip(state.vae.parameters(), before, strict=True)
    )
    assert not state.optimizer.state


def test_a_gradient_that_is_not_finite_keeps_its_own_weight_from_moving():
    state = fresh_state(recipe(*BOTH), CPU)
    struck = state.vae.encoder.linear.weight
    struck.register_hook(lambda gradient: gradient * float("inf"))
    before = {name: p.detach().clone() for name, p in state.vae.named_parameters()}
    terms = train_step(state, state.vae.train(), pictures(), recipe(*BOTH), 10, Rank(), None)
    assert not terms.ok
    assert torch.equal(struck, before["encoder.linear.weight"])
    assert all(p.isfinite().all() for p in state.vae.parameters())
    assert not torch.equal(state.vae.encoder.linear.bias, before["encoder.linear.bias"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["train.fused_update=true", "train.clip=5.0"], "norm of all gradients"),
        (["train.fused_update=true", "train.accumulate=2"], "several parts"),
        (["train.fused_update=true", "train.shard=true"], "several processes"),
        (["train.fused_update=true", "train.compile=true"], "all at once"),
        (["train.recompute=true", "train.compile=true"], "do not go together"),
    ],
)
def test_what_does_not_go_together_is_refused(more, says):
    with pytest.raises(RecipeError, match=says):
        recipe(*more)


def test_several_processes_are_refused(store, tmp_path):
    with pytest.raises(TrainingError, match="one process"):
        FirstStage(recipe(*BOTH), store, tmp_path, Rank(0, 2), CPU, Attended(None), "", "", None)


def test_a_states_memory_is_free_as_soon_as_nobody_has_it():
    state = fresh_state(recipe(*BOTH), CPU)
    train_step(state, state.vae.train(), pictures(), recipe(*BOTH), 10, Rank(), None)
    weight = weakref.ref(next(state.vae.decoder.parameters()))
    gc.disable()
    try:
        del state
        assert weight() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("shape", [(7,), (8, 3, 4, 4), (33, 65)])
def test_adam_is_torchs_own(shape):
    draws = torch.Generator().manual_seed(0)
    start, sound = torch.randn(shape, generator=draws), torch.tensor(True)
    mine, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    ours = Adam([mine], 1e-2, (0.5, 0.99))
    reference = torch.optim.Adam([theirs], 1e-2, (0.5, 0.99), fused=True)
    for step in range(4):
        gradient = torch.randn(shape, generator=draws)
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        ours.step(1e-2 / (1 + step), sound)
        reference.param_groups[0]["lr"] = 1e-2 / (1 + step)
        reference.step()
        assert torch.equal(mine, theirs)
    kept = mine.detach().clone()
    ours.step(1e-2, ~sound)
    assert torch.equal(mine, kept)
    for name, moment in reference.state[theirs].items():
        assert torch.equal(ours.state[mine][name], moment)


def test_a_training_imports_no_compiler(tmp_path):
    """Nor does a model of any kind of prior where it has shapes alone, as when it is saved, loaded or imported."""
    code = f"""
import sys, torch
from facette.model.vae import build_sharpener, build_vae
from facette.recipe import load_recipe, shipped_recipes
from facette.training import train
from facette.data import open_dataset
recipe = load_recipe("quick", {[*SHORT, *BOTH, "train.steps=2"]!r})
train(recipe, open_dataset("synthetic-faces:32", recipe.input), {str(tmp_path / "run")!r}, device="cpu")
assert "torch._dynamo" not in sys.modules
shapes = [load_recipe(name) for name in shipped_recipes()]
shapes += [load_recipe("quick", [f"model.prior.kind={{kind}}"]) for kind in ("mixture", "vamp", "flow")]
for shape in shapes:
    with torch.device("meta"):
        built = [build_vae(shape), *([build_sharpener(shape)] if shape.sharpen else [])]
    assert all(tensor.is_meta for part in built for tensor in part.state_dict().values())
    assert "torch._dynamo" not in sys.modules, shape.model.prior
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
