"""SIGKILL at any moment, two hundred times: what is run again ends as if nobody had disturbed it, to the bit.

Over both stages of a run, while they save too, over packing, and over the jobs of a collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked_commands import Commands
from PIL import Image

from facette.checkpoint.native import WEIGHTS
from facette.checkpoint.tensors import read_tensors
from facette.data.packed import DIGESTS, STORE, ImageStore
from facette.scale.ledger import JobLedger
from facette.scale.tables import read_table
from facette.training.journal import read_journal
from facette.training.run import SHARPEN

pytestmark = pytest.mark.slow
PICTURES = 640
RUN = ["train.batch=8", "train.log_every=5", "train.mixture_components=[1]", "model.likelihood.kind=gaussian"]
FIRST = [*RUN, "train.steps=40", "train.save_every=2", "train.validate_every=10", "train.preview_every=20"]
SECOND = [
    *(*RUN, "train.steps=2", "train.save_every=2", "train.validate_every=2", "sharpen.steps=30"),
    *("sharpen.batch=4", "sharpen.widths=[8,8,16]", "sharpen.critic_width=8", "sharpen.critic_lead=0"),
    *("sharpen.save_every=2", "sharpen.validate_every=10", "sharpen.validate_count=4", "sharpen.log_every=5"),
]
TIMES = ("seconds", "images_per_second")


@dataclass(frozen=True, slots=True)
class Work:
    words: Callable[[Path], list[Any]]  # by the place where the result goes
    result: Callable[[Path], Any]
    strikes: int
    within: float  # seconds: until when a kill comes
    moment: Callable[[Path], bool] = lambda place: True  # from when on


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder, draws = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(PICTURES):
        noise = draws.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:04d}.png")
    return folder


def trained(settings: list[str]) -> Callable[[Path], list[Any]]:
    words = [word for setting in settings for word in ("--set", setting)]
    return lambda place: ["train", "quick", "synthetic-faces:48", "--out", place, "--device", "cpu", *words]


def weights_and_rows(place: Path) -> Any:
    """The weights that a run ends in, and what its journals say but for how long it took."""
    folders = [place, *(folder for folder in [place / SHARPEN] if folder.is_dir())]
    rows = [
        {name: value for name, value in row.items() if name not in TIMES}
        for folder in folders
        for row in read_journal(folder)
    ]
    models = sorted(place.rglob(f"best/{WEIGHTS}")) + sorted(place.rglob(f"last/{WEIGHTS}"))
    return {str(path.relative_to(place)): read_tensors(path)[0] for path in models}, rows


def store_of(place: Path) -> Any:
    (store,) = [path.parent for path in place.glob(f"*/{STORE}")]
    opened = ImageStore(store)
    opened.verify()
    (pixels,) = store.glob("pixels.*")
    return opened.fingerprint, pixels.read_bytes(), (store / DIGESTS).read_bytes()


def files_of(place: Path) -> Any:
    assert JobLedger(place).pending() == []
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


def saving(place: Path) -> bool:
    """Whether a file is being written this moment."""
    return next(place.rglob(".facette-*.tmp*"), None) is not None


def works(model: Path, pictures: Path) -> dict[str, Work]:
    job = [model, pictures, "--shard", 64]
    return {
        "first stage": Work(trained(FIRST), weights_and_rows, 40, 2.0),
        "first stage, while saving": Work(trained(FIRST), weights_and_rows, 20, 0.003, saving),
        "second stage": Work(
            trained(SECOND),
            weights_and_rows,
            20,
            2.0,
            lambda place: (place / SHARPEN / "journal.jsonl").exists(),
        ),
        "second stage, while saving": Work(
            trained(SECOND), weights_and_rows, 20, 0.003, lambda place: saving(place / SHARPEN)
        ),
        "prepare": Work(
            lambda place: ["prepare", pictures, "--recipe", "quick", "--cache", place], store_of, 35, 0.6
        ),
        "encode": Work(lambda place: ["encode", *job, "--out", place], files_of, 20, 2.0),
        "encode to a table": Work(
            lambda place: ["encode", *job, "--out", f"{place}.npz"],
            lambda place: read_table(f"{place}.npz"),
            20,
            2.0,
        ),
        "vary-all": Work(lambda place: ["vary-all", *job, "--out", place, "-n", 2], files_of, 25, 2.0),
    }


NAMES = list(works(Path(), Path()))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def until_at_work(command, work: Work, place: Path) -> None:
    """Wait for the moment from which on it is to be killed, or for its end."""
    until = time.monotonic() + 300
    while command.poll() is None and not work.moment(place) and time.monotonic() < until:
        time.sleep(0.001)


def struck(commands: Commands, work: Work, place: Path, draws: np.random.Generator, most: int) -> int:
    """Run the work, killed up to `most` times and run again each time, to its end; how often it was killed at work."""
    strikes = 0
    while True:
        command = commands.start(*work.words(place))
        if strikes < most:
            until_at_work(command, work, place)
            command.wait(float(draws.uniform(0, work.within)))
            if command.kill():
                strikes += 1
                continue
        assert command.wait() == 0, command.text
        return strikes


@pytest.mark.parametrize("name", NAMES)
def test_what_is_killed_and_run_again_ends_as_if_nobody_had(commands, quick_run, pictures, tmp_path, name):
    work, draws, strikes, tries = works(quick_run, pictures)[name], np.random.default_rng(1), 0, 0
    whole = commands.start(*work.words(tmp_path / "whole"))
    until_at_work(whole, work, tmp_path / "whole")
    began = time.monotonic()
    assert whole.wait() == 0, whole.text
    at_work = time.monotonic() - began
    work = replace(work, within=min(work.within, at_work))  # a quick machine is struck sooner
    wanted = work.result(tmp_path / "whole")
    while strikes < work.strikes:
        tries += 1
        assert tries <= work.strikes, "it is hardly ever met at work"
        place = tmp_path / str(tries)
        strikes += struck(commands, work, place, draws, work.strikes - strikes)
        assert same(work.result(place), wanted)
        assert not list(tmp_path.rglob(".facette-*"))
