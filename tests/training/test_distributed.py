"""Several processes train as one: the same curve as a single process with the whole batch, and states for any number.

Every run below is the real command in two processes over gloo on one CPU: started by `torchrun` in the slow proofs,
forked with the variables that it sets in the others, which import torch once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facette.checkpoint.native import WEIGHTS, describe_model, load_model
from facette.data import open_dataset
from facette.errors import TrainingError
from facette.recipe import load_recipe
from facette.runtime import Rank
from facette.training import train
from facette.training.journal import read_journal
from facette.training.sharded import LATEST, PARTS, load_any, share_out
from facette.training.state import STATE, fresh_state, state_tensors

SOURCE = "synthetic-faces:96"
SHORT = [
    "train.steps=20",
    "train.batch=16",
    "train.lr=5e-4",
    "train.log_every=1",
    "train.validate_every=10",
    "train.preview_every=20",
    "train.save_every=5",
    "train.mixture_components=[]",
]
CPU = torch.device("cpu")


def recipe(*more: str):
    return load_recipe("quick", [*SHORT, *more])


@pytest.fixture(scope="module")
def store():
    return open_dataset(SOURCE, recipe().input)


@pytest.fixture(scope="module")
def alone(store, tmp_path_factory) -> Path:
    """The run of a single process that sees the whole batch."""
    folder = tmp_path_factory.mktemp("alone")
    train(recipe(), store, folder, device="cpu", source=SOURCE)
    return folder


def words(folder: Path, *more: str) -> list[str]:
    overrides = [part for value in (*SHORT, *more) for part in ("--set", value)]
    return ["train", "quick", SOURCE, "--out", str(folder), "--device", "cpu", *overrides]


def torchrun(folder: Path, *more: str, processes: int = 2) -> None:
    launcher = ["-m", "torch.distributed.run", "--nnodes", "1", "--nproc-per-node", str(processes)]
    meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    ended = subprocess.run(
        [sys.executable, *launcher, *meeting, "-m", "facette", *words(folder, *more)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]


def curve(folder: Path, event: str = "train", *names: str) -> np.ndarray:
    names = names or ("loss", "distortion", "rate", "grad_norm")
    return np.array([[row[name] for name in names] for row in read_journal(folder) if row["event"] == event])


def assert_same_curve(folder: Path, alone: Path) -> None:
    """Sums taken in another order differ in their last bits, and 20 steps do not make much of that."""
    assert curve(folder).shape == (20, 4)
    np.testing.assert_allclose(curve(folder), curve(alone), rtol=2e-4)
    measured = ("elbo", "distortion", "rate", "unexplained_variance")
    np.testing.assert_allclose(
        curve(folder, "validation", *measured), curve(alone, "validation", *measured), rtol=2e-4
    )


def assert_same_model(folder: Path, alone: Path) -> None:
    """The published files have the same names, tensors and description, and weights that agree."""
    for name in ("best", "last"):
        assert {p.name for p in (folder / name).iterdir()} == {p.name for p in (alone / name).iterdir()}
        one, other = load_file(folder / name / WEIGHTS), load_file(alone / name / WEIGHTS)
        assert one.keys() == other.keys()
        for key in one:
            assert one[key].dtype == other[key].dtype
            if key.startswith("extras.people."):
                continue  # directions of nearly the same spread turn into each other by the last digits
            torch.testing.assert_close(one[key], other[key], rtol=1e-3, atol=2e-4)
        assert describe_model(folder / name / WEIGHTS).keys() == describe_model(alone / name / WEIGHTS).keys()
        load_model(folder / name)


@pytest.fixture(scope="module")
def shared_out(commands, tmp_path_factory) -> Path:
    """A run of two processes that each hold a half of everything."""
    folder = tmp_path_factory.mktemp("sharded")
    commands.together(2, *words(folder, "train.shard=true"))
    return folder


def test_two_processes_with_half_a_batch_each_learn_as_one_with_the_whole(commands, alone, tmp_path):
    """Same batches, same noise, gradients averaged."""
    commands.together(2, *words(tmp_path))
    assert_same_curve(tmp_path, alone)
    assert_same_model(tmp_path, alone)


@pytest.mark.slow
def test_torchrun_starts_what_is_forked_here(alone, tmp_path):
    torchrun(tmp_path)
    assert_same_curve(tmp_path, alone)


@pytest.mark.slow
def test_terms_of_the_whole_batch_see_all_processes(commands, store, tmp_path):
    joint = ["train.accumulate=2", "objective.free_bits=0.05", "objective.total_correlation.weight=3.0"]
    joint += ["objective.total_correlation.estimate=discriminator", "objective.mmd.weight=50.0"]
    commands.together(2, *words(tmp_path / "two", *joint))
    train(recipe(*joint, "train.accumulate=1"), store, tmp_path / "one", device="cpu", source=SOURCE)
    assert_same_curve(tmp_path / "two", tmp_path / "one")
    names = ("total_correlation", "mmd", "discriminator")
    np.testing.assert_allclose(
        curve(tmp_path / "two", "train", *names),
        curve(tmp_path / "one", "train", *names),
        rtol=1e-2,
        atol=1e-3,
    )


def test_two_processes_with_half_of_the_weights_each_learn_as_one(shared_out, alone):
    assert_same_curve(shared_out, alone)
    assert_same_model(shared_out, alone)
    assert len(list((shared_out / "previews").iterdir())) == 1


def test_a_state_in_parts_is_whole_for_one_process(shared_out, alone, store):
    assert not (shared_out / STATE).exists()
    written = sorted((shared_out / PARTS).glob("step-*/*.safetensors"))
    assert [part.parent.name for part in written] == ["step-000000015"] * 2 + ["step-000000020"] * 2
    parts = written[2:]
    smaller = max(part.stat().st_size for part in parts)
    assert smaller < 0.6 * (alone / STATE).stat().st_size  # neither process wrote all of it
    state = load_any(shared_out, recipe(), store.fingerprint, Rank(), CPU)
    assert state is not None
    assert (state.step, state.best["step"]) == (20, 20)
    ours, theirs = state_tensors(state), load_file(alone / STATE)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-2, atol=2e-3, msg=name)
    published = load_model(shared_out / "last").vae.state_dict()
    for name, tensor in state.averaged.state_dict().items():
        assert torch.equal(tensor, published[name]), name


def test_a_state_in_parts_of_one_process_is_read_back_bit_for_bit(store, tmp_path):
    short = recipe("train.shard=true", "train.steps=10", "train.lr_schedule=constant")
    train(short, store, tmp_path / "parts", device="cpu", source=SOURCE)
    plain = recipe("train.steps=10", "train.lr_schedule=constant")
    train(plain, store, tmp_path / "whole", device="cpu", source=SOURCE)
    assert (tmp_path / "parts" / PARTS / LATEST).is_file()
    state = load_any(tmp_path / "parts", plain, store.fingerprint, Rank(), CPU)
    assert state is not None
    theirs = load_file(tmp_path / "whole" / STATE)
    for name, tensor in state_tensors(state).items():
        assert torch.equal(tensor, theirs[name]), name
    longer = recipe(
        "train.lr_schedule=constant"
    )  # one process goes on from parts, and saves as one file again
    train(longer, store, tmp_path / "parts", device="cpu", source=SOURCE)
    train(longer, store, tmp_path / "whole", device="cpu", source=SOURCE)
    assert not (tmp_path / "parts" / PARTS).exists()
    one, other = load_file(tmp_path / "parts" / STATE), load_file(tmp_path / "whole" / STATE)
    assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.slow
@pytest.mark.parametrize("begun", ["parts", "one file"])
def test_two_processes_go_on_with_what_one_began_and_one_with_what_two_began(alone, store, tmp_path, begun):
    steady = ["train.lr_schedule=constant"]
    first = [*steady, "train.steps=10", *(["train.shard=true"] if begun == "parts" else [])]
    train(recipe(*first), store, tmp_path / "a", device="cpu", source=SOURCE)
    torchrun(tmp_path / "a", *steady, "train.shard=true")  # ten steps of one, then ten of two
    torchrun(tmp_path / "b", *steady, "train.steps=10", "train.shard=true")
    train(recipe(*steady), store, tmp_path / "b", device="cpu", source=SOURCE)  # the reverse
    train(recipe(*steady), store, tmp_path / "c", device="cpu", source=SOURCE)
    for name in ("a", "b"):
        assert_same_curve(tmp_path / name, tmp_path / "c")
        assert_same_model(tmp_path / name, tmp_path / "c")


def test_parts_that_were_not_finished_are_not_read(shared_out, store, tmp_path):
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(shared_out, folder)
    newer = folder / PARTS / "step-000000025"
    newer.mkdir()
    (newer / "shard-00001-model-00001-of-00001.safetensors").write_bytes(b"half")
    state = load_any(folder, recipe(), store.fingerprint, Rank(), CPU)
    assert state is not None
    assert state.step == 20


def test_parts_of_another_run_are_refused(shared_out, store):
    with pytest.raises(TrainingError, match=r"train\.clip \(was 20000\.0, is 0\.1\)"):
        load_any(shared_out, recipe("train.clip=0.1"), store.fingerprint, Rank(), CPU)
    with pytest.raises(TrainingError, match="other pictures"):
        load_any(shared_out, recipe(), "another", Rank(), CPU)


def test_a_single_number_cannot_be_shared_out():
    learned = recipe("train.shard=true", "model.likelihood.sigma=learned")
    with pytest.raises(TrainingError, match=r"likelihood\.log_sigma, a single number"):
        share_out(fresh_state(learned, CPU), learned, Rank(0, 2, 0), CPU)
