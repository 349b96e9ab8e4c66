"""Two of everything at once into one place: one wins, the other is told in a sentence, and nothing is lost.

Real processes, twenty times each, the second a moment after the first. The sentence alone, for every command, is
`tests/cli/test_two_at_once.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facette.checkpoint.native import WEIGHTS, load_model
from facette.checkpoint.tensors import read_tensors
from facette.data.packed import STORE, ImageStore
from facette.images.example import example_photo
from facette.latent.project import Projection
from facette.scale.ledger import JobLedger
from facette.scale.tables import read_table

pytestmark = pytest.mark.slow
TRIES = 20
SHORT = ["train.steps=12", "train.save_every=2", "train.validate_every=6", "train.mixture_components=[]"]
SOURCE = "synthetic-faces:128"


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two photos with a face."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(example_photo(), folder / name)
    return folder


def words_for(work: str, place: Path, model: Path, photos: Path) -> list[Any]:
    settings = [word for setting in SHORT for word in ("--set", setting)]
    job = [model, SOURCE, "--out", place, "--shard", 64]
    return {
        "train": ["train", "quick", "synthetic-faces:64", "--out", place, "--device", "cpu", *settings],
        "prepare": ["prepare", photos, "--recipe", "quick", "--cache", place],
        "prepare --fresh": ["prepare", photos, "--recipe", "quick", "--cache", place, "--fresh"],
        "encode": ["encode", *job],
        "encode to a table": ["encode", model, SOURCE, "--out", f"{place}.npz", "--shard", 64],
        "vary-all": ["vary-all", *job, "-n", 2],
        "evaluate-all": ["evaluate-all", *job],
        "align": ["align", photos, "--out", place],
        "map": ["map", model, SOURCE, "--method", "pca", "-n", 64, "--out", f"{place}.png"],
    }[work]


def result_of(work: str, place: Path) -> Any:
    """What is there in the end, whole and readable, as it compares with another's."""
    match work:
        case "train":
            load_model(place)
            return {name: read_tensors(place / name / WEIGHTS)[0] for name in ("best", "last")}
        case "prepare" | "prepare --fresh":
            (store,) = [ImageStore(path.parent) for path in place.glob(f"*/{STORE}")]
            store.verify()
            return store.fingerprint
        case "encode to a table":
            assert not Path(f"{place}.npz.parts").exists()
            return read_table(f"{place}.npz")
        case "map":
            assert place.with_name(f"{place.name}.png").is_file()
            return Projection.load(f"{place}.npz").points
        case "align":
            return {
                path.name: path.read_bytes() for path in sorted(place.iterdir()) if path.name != "report.json"
            }
    ledger = JobLedger(place)
    assert ledger.pending() == []
    hidden = {".lock", ".owner"}
    files = [path for path in sorted(place.rglob("*")) if path.is_file() and path.name not in hidden]
    return {str(path.relative_to(place)): path.read_bytes() for path in files}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


@pytest.mark.parametrize(
    "work",
    [
        *("train", "prepare", "prepare --fresh", "encode", "encode to a table", "vary-all", "evaluate-all"),
        *("align", "map"),
    ],
)
def test_of_two_at_once_one_wins_and_nothing_is_lost(commands, quick_run, photos, tmp_path, work):
    draws, refused = np.random.default_rng(0), 0
    alone = tmp_path / "alone" / "place"
    alone.parent.mkdir()
    commands.run(*words_for(work, alone, quick_run, photos))
    wanted = result_of(work, alone)
    for attempt in range(TRIES):
        place = tmp_path / str(attempt) / "place"
        place.parent.mkdir()
        words = words_for(work, place, quick_run, photos)
        if work == "prepare --fresh":
            commands.run(*words)
        first = commands.start(*words)
        first.wait(float(draws.choice([0, 0, 0.01, 0.05, 0.2])))
        pair = [first, commands.start(*words)]
        codes = [command.wait() for command in pair]
        told = [command.text for command in pair]
        assert sorted(codes) in ([0, 2], [0, 0]), told  # both, where one came after the other had ended
        if 2 in codes:
            refused += 1
            (sentence,) = [line for line in told[codes.index(2)].splitlines() if line.startswith("facette: ")]
            assert "in use by" in sentence
            assert "Traceback" not in sentence
        assert same(result_of(work, place), wanted), told
        assert not list(place.parent.glob(".facette-*"))
        shutil.rmtree(place.parent)
    assert work.startswith("prepare") or refused > TRIES // 4, "they hardly ever met"
