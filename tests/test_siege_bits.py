"""A bit turns on the disk: it is noticed, or nothing differs; never is anything read that nobody wrote.

Five places of every kind of file in the ordinary suite, two hundred in the slow proof. Texts that people edit (recipes,
lists of labels) and finished pictures carry no digest and are not among them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facette.checkpoint.drawing import open_onnx
from facette.checkpoint.native import WEIGHTS, load_model
from facette.checkpoint.tensors import previous_of, read_newest, read_tensors
from facette.data.generated import FacesSource
from facette.data.packed import ImageStore
from facette.data.packing import pack
from facette.errors import FacetteError
from facette.latent.project import Projection, fit_projection
from facette.recipe import load_recipe
from facette.runtime import Rank
from facette.scale import Encode, Evaluate, run_job
from facette.scale.ledger import JOB, MODEL, JobLedger
from facette.scale.sums import Sums
from facette.scale.tables import about_table, read_table, write_table
from facette.training import train
from facette.training.journal import JOURNAL, read_journal
from facette.training.sharded import LATEST, PARTS, load_any
from facette.training.state import STATE, state_tensors

OFTEN = [pytest.param(5, id="5"), pytest.param(200, id="200", marks=pytest.mark.slow)]
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Kind:
    """A file among those it is read with."""

    folder: Path  # that is copied
    name: str  # of the file in it
    read: Callable[
        [Path], Any
    ]  # of the folder: all that reading it gives; raises FacetteError where it notices
    parts: bool = False  # whether what is read may be less, since what is damaged is made again or left out


@pytest.fixture(scope="module")
def kinds(tmp_path_factory) -> dict[str, Kind]:
    folder, draws = tmp_path_factory.mktemp("kinds"), np.random.default_rng(0)
    short = ["train.steps=4", "train.save_every=2", "train.validate_every=4", "train.log_every=1",
             "train.mixture_components=[1]"]  # fmt: skip
    recipe, sharded = load_recipe("quick", short), load_recipe("quick", [*short, "train.shard=true"])
    store = pack(FacesSource(24), recipe.input, folder / "cache")
    data = ImageStore(store)
    train(recipe, data, folder / "run", device="cpu")
    train(sharded, data, folder / "parts", device="cpu")
    columns = {
        "row": np.arange(5),
        "name": np.array(list("abcde")),
        "mean": draws.random((5, 3)).astype("f4"),
    }
    for name in ("table.npz", "table.parquet"):
        write_table(folder / "tables" / name, columns, {"rows": 5, "from": "a test"})
    latents = draws.standard_normal((8, 4)).astype(np.float32)
    fit_projection(latents, np.ones_like(latents), "pca").save(folder / "tables" / "map.npz")
    for task, name in ((Encode(), "encoded"), (Evaluate(), "evaluated")):
        run_job(folder / "run", "synthetic-faces:24", task, folder / name, device="cpu")

    def state_in_parts(place: Path) -> Any:
        said: list[str] = []
        state = load_any(place, sharded, data.fingerprint, Rank(), CPU, said.append)
        assert state is not None
        return [] if said else [(state_tensors(state), state.step, state.best)]

    def job(place: Path) -> Any:
        ledger = JobLedger(place)
        return [ledger.job, *ledger.accounts()]

    def everything_of(place: Path) -> Any:
        opened = ImageStore(place)
        opened.verify()
        about = (
            opened.fingerprint,
            opened.size,
            opened.source,
            opened.unreadable,
            opened.kind,
            opened.treated,
        )
        return list(opened.names), opened.read(np.arange(len(opened))), about

    part = next((folder / "parts" / PARTS).glob("step-*4/*.safetensors"))
    kinds = {
        "a model": Kind(folder / "run" / "last", WEIGHTS, model_of),
        "a model without torch": Kind(folder / "run" / "last", WEIGHTS, light_of),
        "a state": Kind(folder / "run", STATE, lambda p: read_tensors(p / STATE)),
        "the state before it": Kind(folder / "run", previous_of(Path(STATE)).name,
                                    lambda p: read_tensors(previous_of(p / STATE))),
        "a state that has one before it": Kind(folder / "run", STATE, newest_of, parts=True),
        "a journal": Kind(folder / "run", JOURNAL, read_journal, parts=True),
        "a part of a state": Kind(folder / "parts", str(part.relative_to(folder / "parts")),
                                  state_in_parts, parts=True),
        "what names the parts": Kind(folder / "parts", f"{PARTS}/{LATEST}", state_in_parts),
        "a table (npz)": Kind(folder / "tables", "table.npz", lambda p: read_table(p / "table.npz")),
        "a table (Parquet)": Kind(folder / "tables", "table.parquet", lambda p: read_table(p / "table.parquet")),
        "what an npz says": Kind(folder / "tables", "table.npz", lambda p: told(p / "table.npz"), parts=True),
        "what Parquet says": Kind(folder / "tables", "table.parquet", lambda p: told(p / "table.parquet"), parts=True),
        "a saved map": Kind(folder / "tables", "map.npz", map_of),
        "a job": Kind(folder / "encoded", JOB, job),
        "a job's model": Kind(folder / "encoded", MODEL, lambda p: read_tensors(p / MODEL)),
        "an account": Kind(folder / "encoded", "done/000000.json", job, parts=True),
        "a shard": Kind(folder / "encoded", "latents-000000.parquet", shard_of, parts=True),
        "sums": Kind(folder / "evaluated", "sums-000000.npz", lambda p: Sums.load(p / "sums-000000.npz").values),
    }  # fmt: skip
    packing_alone = ("states.u8", "treated.u8")
    files = [file for file in sorted(store.iterdir()) if file.name not in packing_alone]
    return kinds | {f"{file.name} of a store": Kind(store, file.name, everything_of) for file in files}


def model_of(place: Path) -> Any:
    model = load_model(place)
    prior = None if model.fitted_prior is None else model.fitted_prior.state_dict()
    return model.vae.state_dict(), prior, model.extras, model.metrics, model.provenance, model.recipe


def light_of(place: Path) -> Any:
    model = open_onnx(place)
    return model.decode_mean(np.linspace(-1, 1, model.latent, dtype=np.float32)[None]), model.name


def newest_of(place: Path) -> Any:
    """Of two states: a damaged one is passed over."""
    newest = read_newest(place / STATE)
    assert newest is not None
    return [newest[:2]] if not newest[2] else []


def told(path: Path) -> Any:
    about = about_table(path)
    return [] if about is None else [about]


def map_of(place: Path) -> Any:
    read = Projection.load(place / "map.npz")
    return {name: getattr(read, name) for name in read.__slots__}


def shard_of(place: Path) -> Any:
    """The table, where the ledger would not have the shard made again."""
    return [] if JobLedger(place).pending() else [read_table(place / "latents-000000.parquet")]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("often", OFTEN)
def test_a_bit_that_turns_is_noticed_or_nothing_differs(kinds, tmp_path, often):
    draws, noticed = np.random.default_rng(4), dict.fromkeys(kinds, 0)
    for name, kind in kinds.items():
        place = shutil.copytree(
            kind.folder, tmp_path / name, ignore=shutil.ignore_patterns("previews", "*.lock")
        )
        path = place / kind.name
        data, whole = path.read_bytes(), kind.read(place)
        for at in draws.integers(0, len(data), often).tolist():
            bit = 1 << int(draws.integers(8))
            path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
            sentence = ""
            try:
                read = kind.read(place)
            except FacetteError as error:
                sentence = str(error)
            assert "\n" not in sentence, f"{name}, byte {at}"
            if sentence:
                noticed[name] += 1
                continue
            less = kind.parts and any(not any(same(one, other) for other in read) for one in whole)
            noticed[name] += less
            fits = kind.parts and all(any(same(one, other) for other in whole) for one in read)
            assert fits or same(read, whole), f"{name}, byte {at}, bit {bit}: read as something else"
        shutil.rmtree(place)
    blind = [name for name, count in noticed.items() if not count]
    assert not blind, f"nothing was noticed in {blind}"
