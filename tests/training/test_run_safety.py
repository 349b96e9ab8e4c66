"""A run folder has one owner; what a disk has changed is noticed, and a run goes on from what is whole."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from facette.checkpoint.native import load_model
from facette.checkpoint.tensors import previous_of, read_newest, read_tensors, write_tensors
from facette.data import open_dataset
from facette.errors import BusyError, CheckpointError, TrainingError
from facette.files import owned
from facette.recipe import load_recipe
from facette.runtime import Rank
from facette.training import train
from facette.training.journal import JOURNAL, read_journal
from facette.training.sharded import LATEST, PARTS, load_any
from facette.training.state import STATE

SHORT = [
    *("train.steps=20", "train.save_every=5", "train.validate_every=10", "train.log_every=5"),
    *("train.preview_every=20", "train.mixture_components=[]"),
]


class Listener:
    """Keeps what is said."""

    def __init__(self):
        self.sentences: list[str] = []

    def said(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture(scope="module")
def recipe():
    return load_recipe("quick", SHORT)


@pytest.fixture(scope="module")
def store(recipe):
    return open_dataset("synthetic-faces:64", recipe.input)


@pytest.fixture(scope="module")
def finished(recipe, store, tmp_path_factory):
    """The folder of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("finished")
    train(recipe, store, folder, device="cpu")
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def flip(path, places) -> None:
    data = bytearray(path.read_bytes())
    for place in places:
        data[place] ^= 0x80
    path.write_bytes(bytes(data))


def weights(folder) -> dict[str, torch.Tensor]:
    return read_tensors(folder / "last" / "model.safetensors")[0]


def test_two_runs_never_share_a_folder(recipe, store, tmp_path):
    told = r"in use by facette train, process \d+ on \S+ since"
    with owned(tmp_path, "facette train"), pytest.raises(BusyError, match=told):
        train(recipe, store, tmp_path, device="cpu")
    assert not (tmp_path / STATE).exists()


def test_a_state_with_flipped_signs_is_passed_over_for_the_one_before_it(recipe, store, finished, copied):
    """And the run ends in the weights of an undisturbed one."""
    state = copied / STATE
    size = state.stat().st_size
    flip(state, np.random.default_rng(0).integers(size // 2, size, 50).tolist())
    listener = Listener()
    ended = train(recipe, store, copied, device="cpu", watcher=listener)
    assert ended.step == 20
    (told,) = [sentence for sentence in listener.sentences if "damaged" in sentence]
    assert "the one before it is whole" in told
    for name, tensor in weights(finished).items():
        assert torch.equal(weights(copied)[name], tensor), name


def test_where_no_state_is_whole_the_run_says_so_and_changes_nothing(recipe, store, copied):
    for state in (copied / STATE, previous_of(copied / STATE)):
        flip(state, [state.stat().st_size // 2])
    before = (copied / "best" / "model.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="no whole one before it"):
        train(recipe, store, copied, device="cpu")
    assert (copied / "best" / "model.safetensors").read_bytes() == before


def test_a_damaged_model_of_a_finished_run_has_a_way_out(recipe, store, copied):
    best = copied / "best" / "model.safetensors"
    flip(best, [best.stat().st_size - 10])
    with pytest.raises(CheckpointError, match="does not hold what was written"):
        load_model(copied / "best")
    listener = Listener()
    train(recipe, store, copied, device="cpu", watcher=listener)
    assert any("takes its place" in sentence for sentence in listener.sentences)
    load_model(copied / "best")


def test_every_bit_of_a_tensor_file_counts(tmp_path):
    """Whatever place is changed, reading it back raises, or gives what was written."""
    draws = np.random.default_rng(1)
    tensors = {
        name: torch.from_numpy(draws.standard_normal((30, 7)).astype(np.float32)) for name in ("a", "b.c")
    }
    path, header = tmp_path / "t.safetensors", {"step": 3, "said": "a sentence"}
    write_tensors(path, tensors, header)
    data = path.read_bytes()
    noticed = 0
    for place in draws.integers(0, len(data), 200).tolist():
        changed = bytearray(data)
        changed[place] ^= 1 << int(draws.integers(8))
        path.write_bytes(bytes(changed))
        try:
            again, about = read_tensors(path)
        except CheckpointError:
            noticed += 1
            continue
        assert about == header
        assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())
    assert noticed > 150


def test_the_file_before_the_newest_is_kept_whole(tmp_path):
    path = tmp_path / STATE
    assert read_newest(path) is None
    for step in range(3):
        write_tensors(path, {"weight": torch.full((4,), float(step))}, {"step": step}, keep_previous=True)
    _, header, problem = read_newest(path) or pytest.fail("nothing was read")
    assert (header["step"], problem) == (2, "")
    path.write_bytes(b"")
    _, header, problem = read_newest(path) or pytest.fail("nothing was read")
    assert header["step"] == 1
    assert "damaged" in problem
    assert len(list(tmp_path.iterdir())) == 2


BAD_LINES = [
    b"\xff\xfe garbage ",
    b'{"event": "train", "st',
    b"null",
    b"[1, 2]",
    b'{"event": "train"}',
    b'{"event": 3, "step": 1}',
    b'{"event": "train", "step": "3"}',
    b"[" * 100_000,
    b"\x00" * 500,
]


@pytest.mark.parametrize("line", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_damaged_line_of_a_journal_costs_that_line_alone(tmp_path, line):
    rows = [{"event": "train", "step": step, "loss": 1.0} for step in (1, 2, 3)]
    lines = [json.dumps(row).encode() for row in rows]
    (tmp_path / JOURNAL).write_bytes(b"\n".join([*lines[:2], line, lines[2]]) + b"\n")
    assert read_journal(tmp_path) == rows


def test_a_run_goes_on_beside_a_damaged_line_and_tells_of_it(recipe, store, copied, shared):
    case = shared / "cases" / "run_bad_journal" / JOURNAL
    if not case.is_file():
        pytest.skip(f"there is no {case}")
    (copied / JOURNAL).write_bytes(
        (copied / JOURNAL).read_bytes() + case.read_bytes().splitlines()[-1] + b"\n"
    )
    listener = Listener()
    train(recipe, store, copied, device="cpu", watcher=listener)
    assert any("1 damaged line" in sentence for sentence in listener.sentences)
    assert b"garbage" not in (copied / JOURNAL).read_bytes()


# ── what is turned after the end ─────────────────────────────────────────────────────────────────────────

TINY_SHARP = [
    *("sharpen.steps=2", "sharpen.batch=4", "sharpen.widths=[8,8,16]", "sharpen.critic_width=8"),
    *(
        "sharpen.critic_lead=0",
        "sharpen.validate_every=2",
        "sharpen.save_every=2",
        "sharpen.validate_count=4",
    ),
]


def sharpened(*more: str):
    return load_recipe("quick", [*SHORT, "model.likelihood.kind=gaussian", *TINY_SHARP, *more])


@pytest.fixture(scope="module")
def with_second_stage(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharpened")
    train(sharpened(), store, folder, device="cpu")
    return folder


@pytest.mark.parametrize("change", ["sharpen.steps=4", "sharpen.lr=1e-3", "sharpen.critic_width=16"])
def test_a_second_stage_that_is_changed_after_its_end_is_refused(store, with_second_stage, change):
    key = change.partition("=")[0]
    before = (with_second_stage / "best" / "model.safetensors").read_bytes()
    with pytest.raises(
        TrainingError, match=rf"has ended with another recipe: {key} \(was .*; give another folder"
    ):
        train(sharpened(change), store, with_second_stage, device="cpu")
    assert (with_second_stage / "best" / "model.safetensors").read_bytes() == before
    train(
        sharpened("sharpen.log_every=7"), store, with_second_stage, device="cpu"
    )  # says only how it was told


def test_a_second_stage_that_is_left_out_after_its_end_is_told(store, with_second_stage):
    listener = Listener()
    plain = sharpened().model_copy(update={"sharpen": None})
    train(plain, store, with_second_stage, device="cpu", watcher=listener)
    assert any("keeps its second stage" in sentence for sentence in listener.sentences)


@pytest.mark.parametrize("change", ["train.lr=1e-4", "train.mixture_components=[2]"])
def test_what_is_turned_in_a_run_that_has_ended_is_told_to_be_in_vain(store, finished, copied, change):
    fitted = load_recipe("quick", [*SHORT[:-1], "train.mixture_components=[1]"])
    listener = Listener()
    train(
        fitted, store, copied, device="cpu", watcher=listener
    )  # the mixture that was left out is fitted now
    assert not any("in vain" in s or "changes nothing" in s for s in listener.sentences)
    train(load_recipe("quick", [*SHORT[:-1], "train.mixture_components=[1]", change]), store, copied,
          device="cpu", watcher=listener)  # fmt: skip
    (told,) = [sentence for sentence in listener.sentences if "changes nothing" in sentence]
    assert change.partition("=")[0] in told


# ── states in parts ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def shared_out(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    train(load_recipe("quick", [*SHORT, "train.shard=true"]), store, folder, device="cpu")
    return folder


@pytest.fixture
def in_parts(shared_out, tmp_path):
    return shutil.copytree(shared_out, tmp_path / "parts")


def parts_of(folder):
    return sorted((folder / PARTS).glob("step-*/*.safetensors"))


def test_of_a_state_in_parts_two_are_kept_and_a_damaged_one_is_passed_over(recipe, store, finished, in_parts):
    older, newest = parts_of(in_parts)
    size = newest.stat().st_size
    flip(newest, np.random.default_rng(0).integers(size // 2, size, 50).tolist())
    listener = Listener()
    ended = train(
        load_recipe("quick", [*SHORT, "train.shard=true"]), store, in_parts, device="cpu", watcher=listener
    )
    assert ended.step == 20
    assert any("the one before it is whole" in sentence for sentence in listener.sentences)
    for name, tensor in weights(finished).items():
        assert torch.equal(weights(in_parts)[name], tensor), name
    for path in parts_of(in_parts):
        flip(path, [path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="no whole one before it"):
        train(recipe, store, in_parts, device="cpu")
    assert older.parent.name == "step-000000015"


def test_every_bit_of_what_names_the_parts_counts(recipe, store, in_parts):
    path = in_parts / PARTS / LATEST
    data, draws = path.read_bytes(), np.random.default_rng(2)
    before = load_any(in_parts, recipe, store.fingerprint, Rank(), torch.device("cpu"))
    assert before is not None
    noticed = 0
    for place in draws.integers(0, len(data), 60).tolist():
        changed = bytearray(data)
        changed[place] ^= 1 << int(draws.integers(8))
        path.write_bytes(bytes(changed))
        try:
            state = load_any(in_parts, recipe, store.fingerprint, Rank(), torch.device("cpu"))
        except CheckpointError:
            noticed += 1
            continue
        assert state is not None
        assert (state.step, state.best) == (before.step, before.best)
    assert noticed > 50


def test_parts_of_an_older_version_have_no_digests_and_are_read(recipe, store, in_parts):
    path = in_parts / PARTS / LATEST
    saved = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in saved.items() if k not in ("digest", "digests", "before")}))
    state = load_any(in_parts, recipe, store.fingerprint, Rank(), torch.device("cpu"))
    assert state is not None
    assert state.step == 20
