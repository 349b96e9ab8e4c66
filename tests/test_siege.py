"""Everything at once against everything that reads: files of strangers, kills, two of each, bits that turn.

A tenth of the hostile files is read in the ordinary suite; the rest, the kills and the pairs are slow.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import hostile_models
import numpy as np
import pytest
import torch
from PIL import Image

import facette
from facette.checkpoint.drawing import open_onnx
from facette.checkpoint.foreign import inspect_checkpoint
from facette.checkpoint.native import WEIGHTS, load_model
from facette.checkpoint.tensors import read_tensors
from facette.errors import FacetteError
from facette.images.open import open_image
from facette.images.reader import COMMAND
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.onnx_graph import Unserved, open_graph
from facette.recipe import load_recipe
from facette.scale.tables import read_table, write_table
from facette.training.journal import JOURNAL, read_journal

MEMORY = 1536 << 20  # bytes that reading all of them may add
SECONDS = 30  # of this process's own computing, for one file
ACTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "os.remove",
)

Read = Callable[[Path], object]


class Watch:
    """Notes what a program could only do by running a stranger's code."""

    reading = False
    seen: list[str] = []  # noqa: RUF012 - one for the process, as its hook is


def _listen(event: str, arguments: tuple) -> None:
    if Watch.reading and event in ACTS and not _starts_a_reader(event, arguments):
        Watch.seen.append(f"{event} {arguments!r:.100}")


def _starts_a_reader(event: str, arguments: tuple) -> bool:
    """Facette's own process that decodes pictures, by exactly its command."""
    return event == "subprocess.Popen" and list(arguments[1]) == COMMAND


sys.addaudithook(_listen)


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> dict[str, tuple[Path, Read]]:
    """A small honest file of every kind, and what reads it."""
    folder, draws = tmp_path_factory.mktemp("honest"), np.random.default_rng(0)
    recipe = load_recipe("quick")
    model = facette.save(TrainedModel(build_vae(recipe), recipe), folder / "model") / WEIGHTS
    torch.save({"weight": torch.zeros(8, 8), "epoch": 3}, folder / "zip.pth")
    torch.save({"weight": torch.zeros(8, 8)}, folder / "stream.pth", _use_new_zipfile_serialization=False)
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    (folder / JOURNAL).write_text('{"event": "train", "step": 1, "loss": 2.0}\n' * 20)
    picture = Image.fromarray(draws.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    for name in ("picture.png", "picture.jpg", "picture.webp", "picture.tiff", "picture.gif"):
        picture.save(folder / name)
    columns = {"row": np.arange(5), "name": np.array(list("abcde")), "mean": np.zeros((5, 3), np.float32)}
    for name in ("table.npz", "table.parquet"):
        write_table(folder / name, columns, {"from": "a test"})
    graph = next((Path(facette.__file__).parent / "graphs").glob("*.onnx"))
    readers: dict[str, tuple[Path, Read]] = {
        "a model": (model, load_model),
        "a model without torch": (model, open_onnx),
        "a pickle in a zip": (folder / "zip.pth", inspect_checkpoint),
        "a stream of pickles": (folder / "stream.pth", inspect_checkpoint),
        "a recipe": (folder / "recipe.toml", load_recipe),
        "a journal": (folder / JOURNAL, lambda path: read_journal(path.parent)),
        "a graph": (graph, lambda path: open_graph(path.read_bytes(), {}, graph.stem)),
    }
    readers |= {p.name: (p, open_image) for p in folder.glob("picture.*")}
    return readers | {p.name: (p, read_table) for p in folder.glob("table.*")}


def disfigured(data: bytes, draws: np.random.Generator) -> bytes:
    """Cut short, filled with noise, doubled, or with bits that have turned."""
    changed = bytearray(data)
    match int(draws.integers(5)):
        case 0:
            return data[: int(draws.integers(len(data)))]
        case 1:
            start = int(draws.integers(len(data)))
            noise = draws.bytes(int(draws.integers(1, 64)))
            return data[:start] + noise + data[start:]
        case 2:
            start = int(draws.integers(len(data)))
            changed[start : start + 8] = b"\xff" * 8
        case 3:
            return data + data
        case _:
            for place in draws.integers(0, len(data), 5).tolist():
                changed[place] ^= 1 << int(draws.integers(8))
    return bytes(changed)


def hostile_files(honest: dict[str, tuple[Path, Read]], folder: Path) -> Iterator[tuple[str, Path, Read]]:
    """Five hundred and more: headers that lie, greedy recipes, and every kind of file disfigured in turn."""
    model = honest["a model"][0].read_bytes()
    draws, number = np.random.default_rng(7), 0
    lying = [*hostile_models.greedy_recipes(model), *hostile_models.wrong_numbers(model)]
    lying += list(islice(hostile_models.hostile_headers(model), 0, None, 4))
    for name, content in lying:
        number += 1
        (folder / "m").mkdir(exist_ok=True)
        (folder / "m" / WEIGHTS).write_bytes(content)
        yield name, folder / "m" / WEIGHTS, load_model
    while number < 500:
        for kind, (path, reader) in honest.items():
            number += 1
            place = folder / "disfigured" / path.name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(disfigured(path.read_bytes(), draws))
            yield f"{kind}, number {number}", place, reader


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_no_hostile_file_runs_wastes_or_ends_in_a_traceback(honest, tmp_path, every):
    for path, reader in honest.values():
        if reader is not honest["a graph"][1]:
            reader(path)  # what is honest is read, and what is imported on first use is imported now
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Watch.seen.clear()
    refused = 0
    for name, path, reader in islice(hostile_files(honest, tmp_path), 0, None, every):
        began, Watch.reading = time.process_time(), True
        sentence = ""
        try:
            reader(path)
        except FacetteError as error:
            sentence = str(error)
        except Unserved:
            sentence = "not served"
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
        finally:
            Watch.reading = False
        refused += bool(sentence)
        assert "\n" not in sentence, name
        assert time.process_time() - began < SECONDS, name
    assert Watch.seen == []
    assert refused > 250 // every
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MEMORY


# ── kills and pairs ──────────────────────────────────────────────────────────────────────────────────────

SHORT = ["train.steps=40", "train.save_every=4", "train.validate_every=8", "train.mixture_components=[]"]


def started(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "facette", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def train_words(folder: Path) -> list[object]:
    settings = [word for setting in SHORT for word in ("--set", setting)]
    return ["train", "quick", "synthetic-faces:64", "--out", folder, "--device", "cpu", *settings]


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_weights(tmp_path):
    """A kill at any time, while saving too; until forty have struck and one run came through."""
    draws, strikes = np.random.default_rng(0), 0
    assert started(*train_words(tmp_path / "whole")).wait(600) == 0
    while True:
        process = started(*train_words(tmp_path / "killed"))
        try:
            process.wait(float(draws.uniform(2, 12)) if strikes < 40 else 600)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            strikes += 1
            continue
        finally:
            process.communicate()
        assert process.returncode == 0
        break
    for name in ("best", "last"):
        one, other = (read_tensors(tmp_path / folder / name / WEIGHTS)[0] for folder in ("whole", "killed"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert not list((tmp_path / "killed").glob(".facette-*"))


@pytest.mark.slow
@pytest.mark.parametrize("work", ["train", "encode", "evaluate-all"])
def test_of_two_at_once_one_wins_and_nothing_is_lost(quick_run, tmp_path, work):
    source = "synthetic-faces:256"
    for attempt in range(20):
        place = tmp_path / f"{attempt}"
        words = {
            "train": train_words(place),
            "encode": ["encode", quick_run, source, "--out", f"{place}.npz", "--shard", 64],
            "evaluate-all": ["evaluate-all", quick_run, source, "--out", place, "--shard", 64],
        }[work]
        pair = [started(*words), started(*words)]
        told = [process.communicate(timeout=600)[1] for process in pair]
        codes = [process.returncode for process in pair]
        assert sorted(codes) in ([0, 2], [0, 0]), told  # both, when one came after the other had ended
        if 2 in codes:
            assert "in use by facette" in told[codes.index(2)]
        if work == "encode":
            table = read_table(f"{place}.npz")
            assert len(table["row"]) == 256
            assert not Path(f"{place}.npz.parts").exists()
        elif work == "train":
            load_model(place)


def test_every_bit_of_a_picture_may_turn(honest):
    """What is drawn of it may differ; that it is opened or refused in a sentence may not."""
    draws = np.random.default_rng(3)
    for path, reader in honest.values():
        if reader is not open_image:
            continue
        data = path.read_bytes()
        for place in draws.integers(0, len(data), 20).tolist():
            changed = bytearray(data)
            changed[place] ^= 1 << int(draws.integers(8))
            sentence = ""
            try:
                open_image(io.BytesIO(bytes(changed)))
            except FacetteError as error:
                sentence = str(error)
            assert "\n" not in sentence
