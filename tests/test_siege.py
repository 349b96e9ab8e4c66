"""Files of strangers against everything that reads: none is run, wastes memory or time, or ends in a traceback.

A tenth of them is read in the ordinary suite. Kills, pairs and bits that turn are in the files called like this one.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path

import foreign_malice as malice
import hostile_models
import numpy as np
import pytest
import torch
from PIL import Image

import facette
from facette.checkpoint.drawing import open_onnx
from facette.checkpoint.foreign import import_checkpoint, inspect_checkpoint
from facette.checkpoint.native import WEIGHTS, load_model
from facette.data.generated import FacesSource
from facette.data.packed import ImageStore
from facette.data.packing import pack
from facette.errors import FacetteError
from facette.files import sealed
from facette.images import reader as reader_process
from facette.images.open import open_image
from facette.latent.project import Projection, fit_projection
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.onnx_graph import Unserved, open_graph
from facette.recipe import load_recipe
from facette.scale.ledger import JOB, Job, JobLedger, ShardRecord
from facette.scale.sums import Sums
from facette.scale.tables import read_table, write_table
from facette.scale.tasks import Encode
from facette.training.journal import JOURNAL, read_journal

MEMORY = 1536 << 20  # bytes that reading all of them may add
SECONDS = 30  # of computing, for one file
HOSTILE = 500  # files
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
    return event == "subprocess.Popen" and list(arguments[1]) == reader_process.COMMAND


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
    for ending in ("png", "jpg", "webp", "tiff", "gif", "bmp", "ppm", "ico", "jp2", "avif"):
        if f".{ending}" in Image.registered_extensions():  # a lean build of Pillow may lack some
            picture.save(folder / f"picture.{ending}")
    columns = {"row": np.arange(5), "name": np.array(list("abcde")), "mean": np.zeros((5, 3), np.float32)}
    for name in ("table.npz", "table.parquet"):
        write_table(folder / name, columns, {"from": "a test"})
    latents = draws.standard_normal((8, 4)).astype(np.float32)
    fit_projection(latents, np.ones_like(latents), "pca").save(folder / "map.npz")
    Sums({"pictures": np.array(3.0), "mean": np.zeros(4)}).save(folder / "sums.npz")
    store = pack(FacesSource(8), recipe.input, folder / "cache")
    (folder / "job" / "done").mkdir(parents=True)
    job = Job(Encode(), "digest", False, "folder", "photos", "signature", 8, 64)
    (folder / "job" / JOB).write_text(json.dumps(sealed(job.to_dict())))
    (folder / "job" / "done" / "000000.json").write_text(json.dumps(sealed(asdict(ShardRecord(0, 8, [])))))
    graph = next((Path(facette.__file__).parent / "graphs").glob("*.onnx"))
    readers: dict[str, tuple[Path, Read]] = {
        "a model": (model, load_model),
        "a model without torch": (model, open_onnx),
        "a pickle in a zip": (folder / "zip.pth", inspect_checkpoint),
        "a stream of pickles": (folder / "stream.pth", inspect_checkpoint),
        "a recipe": (folder / "recipe.toml", load_recipe),
        "a journal": (folder / JOURNAL, lambda path: read_journal(path.parent)),
        "a saved map": (folder / "map.npz", Projection.load),
        "sums": (folder / "sums.npz", Sums.load),
        "a job": (folder / "job" / JOB, lambda path: JobLedger(path.parent)),
        "an account": (folder / "job" / "done" / "000000.json", lambda p: JobLedger(p.parents[1]).accounts()),
        "a graph": (graph, lambda path: open_graph(path.read_bytes(), {}, graph.stem)),
    }
    readers |= {p.name: (p, open_image) for p in folder.glob("picture.*")}
    readers |= {
        f"{p.name} of a store": (p, open_store) for p in sorted(store.iterdir()) if p.suffix != ".lock"
    }
    return readers | {p.name: (p, read_table) for p in folder.glob("table.*")}


def open_store(path: Path) -> ImageStore:
    """The store that a file belongs to, looked at as `prepare` does."""
    store = ImageStore(path.parent)
    store.verify()
    return store


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
    """Five hundred: pickles that act, headers that lie, greedy recipes, and every kind of file disfigured in turn."""
    model = honest["a model"][0].read_bytes()
    draws, number = np.random.default_rng(7), 0
    (folder / "live").mkdir()
    for name, path in islice(malice.write_live(folder / "live").items(), 60):
        number += 1
        yield name, path, import_checkpoint
    lying = [*hostile_models.greedy_recipes(model), *hostile_models.wrong_numbers(model)]
    lying += list(islice(hostile_models.hostile_headers(model), 0, None, 4))
    for name, content in lying[:120]:
        number += 1
        (folder / "m").mkdir(exist_ok=True)
        (folder / "m" / WEIGHTS).write_bytes(content)
        yield name, folder / "m" / WEIGHTS, load_model
    for kind, (path, reader) in islice(cycle(honest.items()), HOSTILE - number):
        number += 1
        place = folder / "disfigured"
        shutil.rmtree(place, ignore_errors=True)
        if path.parent.name == "done":  # an account is read with its job
            shutil.copytree(path.parents[1], place)
            place /= "done"
        elif path.parent.name in ("job", "done") or kind.endswith("of a store"):
            shutil.copytree(path.parent, place)
        place.mkdir(exist_ok=True)
        (place / path.name).write_bytes(disfigured(path.read_bytes(), draws))
        yield f"{kind}, number {number}", place / path.name, reader


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_no_hostile_file_runs_wastes_or_ends_in_a_traceback(honest, tmp_path, every):
    for path, reader in honest.values():
        if reader is not honest["a graph"][1]:
            reader(path)  # what is honest is read, and what is imported on first use is imported now
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Watch.seen.clear()
    refused = read = 0
    for name, path, reader in islice(hostile_files(honest, tmp_path), 0, None, every):
        began, Watch.reading, read = spent(), True, read + 1
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
        assert spent() - began < SECONDS, name
        assert not (tmp_path / "live" / "canary").exists(), name
    assert Watch.seen == []
    assert read == HOSTILE // every
    assert refused > read // 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MEMORY


def spent() -> float:
    """Seconds of computing, of this process and of the readers that it has ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
