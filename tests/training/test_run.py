"""Runs: what they leave behind, how they stop, and that stopping changes nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from facette.data import open_dataset
from facette.errors import TrainingError
from facette.recipe import load_recipe
from facette.training import train
from facette.training.journal import read_journal
from facette.training.state import STATE
from facette.training.validate import Validation, collapse_sentence

SHORT = [
    "train.steps=30",
    "train.batch=16",
    "train.log_every=5",
    "train.validate_every=10",
    "train.preview_every=15",
    "train.save_every=10",
    "train.mixture_components=[]",
]
SOURCE = "synthetic-faces:96"


@pytest.fixture(scope="module")
def recipe():
    return load_recipe("quick", SHORT)


@pytest.fixture(scope="module")
def store(recipe):
    return open_dataset(SOURCE, recipe.input)


@pytest.fixture(scope="module")
def whole(recipe, store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(recipe, store, folder, device="cpu", source=SOURCE)
    return folder


def words(folder, *more: str) -> list[str]:
    overrides = [part for value in SHORT for part in ("--set", value)]
    return ["train", "quick", SOURCE, "--out", str(folder), "--device", "cpu", *overrides, *more]


def same_weights(a, b) -> bool:
    one, two = load_file(a / STATE), load_file(b / STATE)
    assert one.keys() == two.keys()
    return all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_leaves_everything_it_promises(whole, recipe, store):
    assert load_recipe(whole / "recipe.toml") == recipe
    rows = read_journal(whole)
    assert [r["step"] for r in rows if r["event"] == "train"] == [5, 10, 15, 20, 25, 30]
    assert [r["step"] for r in rows if r["event"] == "validation"] == [10, 20, 30]
    assert all(np.isfinite(r["loss"]) for r in rows if r["event"] == "train")
    assert {"best", "last", "previews"} <= {p.name for p in whole.iterdir()}
    with Image.open(whole / "previews" / "step-0000015.png") as preview:
        shown = min(8, len(store.indices("valid")))
        assert preview.size == (shown * 32, 3 * 32)  # photos, reconstructions, samples


def test_it_learns(whole):
    rows = [r for r in read_journal(whole) if r["event"] == "validation"]
    assert rows[-1]["elbo"] > rows[0]["elbo"]
    assert rows[-1]["unexplained_variance"] < rows[0]["unexplained_variance"]


def test_the_same_recipe_gives_the_same_weights(recipe, store, whole, tmp_path):
    train(recipe, store, tmp_path, device="cpu", source=SOURCE)
    assert same_weights(whole, tmp_path)


def test_killed_at_a_random_step_and_run_again_is_never_having_stopped(commands, whole, tmp_path):
    seed = random.randrange(10**6)
    wanted = random.Random(seed).randrange(1, 30)
    for _ in range(2):  # killed twice: before the first save, perhaps, and after it
        command = commands.start(*words(tmp_path))
        while command.poll() is None:
            steps = [r["step"] for r in read_journal(tmp_path)]
            if steps and steps[-1] >= wanted - wanted % 5:
                command.kill()
            time.sleep(0.01)
    commands.run(*words(tmp_path))
    assert same_weights(whole, tmp_path), f"wanted step {wanted} of seed {seed}"
    steps = [r["step"] for r in read_journal(tmp_path) if r["event"] == "train"]
    assert steps == [5, 10, 15, 20, 25, 30]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_leaves_cleanly(commands, whole, tmp_path, number):
    command = commands.start(*words(tmp_path, "--json"))
    while command.poll() is None and not read_journal(tmp_path):
        time.sleep(0.01)
    os.kill(command.pid, number)
    assert command.wait() == 128 + number, command.text  # as a shell tells how a program was ended
    ended = json.loads(command.out.read_text())
    assert (ended["interrupted"], ended["step"] < 30) in {(True, True), (False, False)}
    commands.run(*words(tmp_path))
    assert same_weights(whole, tmp_path)


def test_a_finished_run_has_nothing_left_to_do(whole, recipe, store):
    before = (whole / STATE).read_bytes()
    ended = train(recipe, store, whole, device="cpu", source=SOURCE)
    assert (ended.step, ended.interrupted) == (30, False)
    assert (whole / STATE).read_bytes() == before


def test_a_run_of_another_recipe_or_other_pictures_is_not_overwritten(whole, recipe, store):
    with pytest.raises(TrainingError, match=r"train\.clip \(was 20000\.0, is 9\.0\)"):
        train(load_recipe("quick", [*SHORT, "train.clip=9.0"]), store, whole, device="cpu")
    assert load_recipe(whole / "recipe.toml") == recipe
    with pytest.raises(TrainingError, match="other pictures"):
        train(recipe, open_dataset("synthetic-faces:40", recipe.input), whole, device="cpu")
    assert load_recipe(whole / "recipe.toml") == recipe


def test_a_run_made_longer_is_the_longer_run(store, tmp_path):
    steady = [*SHORT, "train.lr_schedule=constant"]
    longer = load_recipe("quick", [*steady, "train.steps=30"])
    train(load_recipe("quick", [*steady, "train.steps=20"]), store, tmp_path / "grown", device="cpu")
    train(longer, store, tmp_path / "grown", device="cpu")
    train(longer, store, tmp_path / "whole", device="cpu")
    assert same_weights(tmp_path / "grown", tmp_path / "whole")


def test_a_run_whose_learning_rate_knows_its_end_is_not_made_longer(whole, store):
    falling = load_recipe("quick", [*SHORT, "train.steps=40"])
    assert falling.train.lr_schedule == "cosine"
    with pytest.raises(TrainingError, match="another recipe"):
        train(falling, store, whole, device="cpu")


def test_a_run_may_learn_from_the_first_pictures_only(store, tmp_path):
    read: set[int] = set()

    class Watched:
        names, fingerprint, indices = store.names, store.fingerprint, store.indices

        def __len__(self):
            return len(store)

        def read(self, indices):
            read.update(map(int, indices))
            return store.read(indices)

    train(
        load_recipe("quick", [*SHORT, "train.steps=30", "train.pictures=40"]),
        Watched(),
        tmp_path,
        device="cpu",
    )
    learnt = read & set(map(int, store.indices("train")))
    assert learnt == set(map(int, store.indices("train")[:40]))


def test_a_non_finite_loss_names_step_and_pictures_and_keeps_the_last_good_state(store, tmp_path):
    recipe = load_recipe("quick", [*SHORT, "train.lr=1e9", "train.lr_warmup_steps=0", "train.save_every=1"])
    with pytest.raises(TrainingError) as error:
        train(recipe, store, tmp_path, device="cpu")
    assert "not finite at step" in str(error.value)
    assert any(str(name) in str(error.value) for name in store.names)
    assert all(torch.isfinite(t).all() for t in load_file(tmp_path / STATE).values())


def test_without_pictures_there_is_no_run(recipe, store, tmp_path):
    from facette.errors import DataError

    class Empty:
        names, fingerprint, read = store.names, store.fingerprint, store.read

        def __len__(self):
            return 0

        def indices(self, partition="all"):
            return np.array([], int)

    with pytest.raises(DataError, match="no training pictures"):
        train(recipe, Empty(), tmp_path)
    assert not any(tmp_path.iterdir())


def test_posterior_collapse_is_said():
    alive = Validation(-1.0, -1.0, 1.0, 1.0, 0.5, 0.0, -1.0, 16, np.ones(16))
    dead = Validation(-1.0, -1.0, 1.0, 0.0, 0.9, 0.0, -1.0, 3, np.zeros(16))
    assert collapse_sentence(alive) is None
    assert (collapse_sentence(dead) or "").startswith("posterior collapse: only 0 of 16 latent units")


def test_a_huge_beta_collapses_and_is_noticed(store, tmp_path):
    said = []

    class Ear:
        def started(self, *_): ...
        def stepped(self, *_): ...
        def measured(self, *_): ...
        def said(self, sentence):
            said.append(sentence)

    overrides = [*SHORT, "objective.beta=10000.0", "objective.schedule=constant"]
    train(load_recipe("quick", overrides), store, tmp_path, device="cpu", watcher=Ear())
    assert any("posterior collapse" in s for s in said)


@pytest.mark.parametrize(
    ("name", "steps"), [pytest.param("celeba150", 3, marks=pytest.mark.slow), ("celeba64-z50", 40)]
)
def test_the_classics_train_on_celebas_own_layout(shared, tmp_path, name, steps, monkeypatch):
    monkeypatch.setattr("facette.latent.people.SAMPLED", 2)  # how people differ is not looked at
    short = [
        f"train.steps={steps}",
        "train.batch=4",
        "model.latent=16",
        "train.validate_count=8",
        "train.log_every=1",
    ]
    recipe = load_recipe(name, [*short, "train.preview_count=2", "train.mixture_components=[]"])
    store = open_dataset(shared / "celeba" / "original", recipe.input)
    ended = train(recipe, store, tmp_path, device="cpu")
    losses = [r["loss"] for r in read_journal(tmp_path) if r["event"] == "train"]
    assert ended.step == steps == len(losses)
    assert np.mean(losses[-steps // 3 :]) < np.mean(losses[: steps // 3])
