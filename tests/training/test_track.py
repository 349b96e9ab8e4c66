"""Trackers are told what the journal holds, each row once, and send nothing anywhere that nobody named."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import facette
from facette.data import open_dataset
from facette.errors import MissingExtraError, TrainingError, UsageError
from facette.recipe import load_recipe
from facette.training import track
from facette.training.journal import read_journal
from facette.training.watch import Finished
from training.test_stop_rules import SMALL

RECIPE = load_recipe("quick", SMALL)


class Kept:
    """A tracker that keeps what it is told; it stops listening after so many rows."""

    def __init__(self, most: int = 1000):
        self.rows, self.ending, self.id, self._most = [], "", "first", most

    def log(self, numbers, step):
        if len(self.rows) == self._most:
            raise ConnectionError("the server is gone")
        self.rows.append((step, dict(numbers)))

    def close(self, ending):
        self.ending = ending


@pytest.fixture
def store():
    return open_dataset("synthetic-faces:40", RECIPE.input)


@pytest.fixture
def opened(monkeypatch):
    """The accounts that are opened in the place of MLflow's, and with which number each goes on."""
    accounts = []

    def opener(run, recipe, known):
        accounts.append(Kept(opener.most))
        opener.known.append(known)
        return accounts[-1]

    opener.most, opener.known = 1000, []
    monkeypatch.setattr(track, "check_trackers", lambda names: None)
    monkeypatch.setattr("facette.training.run.check_trackers", lambda names: None)
    monkeypatch.setattr(track, "open_mlflow", opener)
    accounts.append(opener)
    return accounts


def journal(folder: Path) -> list[tuple[int, str]]:
    return [(row["step"], row["event"]) for row in read_journal(folder)]


def kinds(account: Kept) -> list[tuple[int, str]]:
    return [(step, next(iter(numbers)).partition("/")[0]) for step, numbers in account.rows]


def test_a_tracker_is_told_the_numbers_of_the_journal_in_its_order(store, tmp_path, opened):
    facette.train(RECIPE, store, tmp_path / "run", device="cpu", track=["mlflow"])
    account = opened[1]
    assert kinds(account) == journal(tmp_path / "run")
    assert account.ending == "finished"
    row = read_journal(tmp_path / "run")[-1]
    assert account.rows[-1][1][f"{row['event']}/elbo"] == row["elbo"]


def test_what_was_told_is_not_told_again_and_what_was_missed_is_told_later(store, tmp_path, opened):
    soon = load_recipe("quick", [*SMALL, "train.minutes=1e-9"])
    facette.train(soon, store, tmp_path / "run", device="cpu")  # nobody listens yet
    opened[0].most = 4
    sentences = []

    class Ears:
        said = staticmethod(sentences.append)

    facette.train(RECIPE, store, tmp_path / "run", device="cpu", track=["mlflow"], watcher=Ears())
    assert kinds(opened[1]) == journal(tmp_path / "run")[:4]
    assert any("mlflow is told no more of this run (the server is gone)" in each for each in sentences)
    opened[0].most = 1000
    facette.train(RECIPE, store, tmp_path / "run", device="cpu", track=["mlflow"])
    assert kinds(opened[1]) + kinds(opened[2]) == journal(tmp_path / "run")
    assert opened[0].known == [None, "first"]


def test_the_second_stage_is_told_apart(tmp_path, opened):
    tracker = track.Tracker("mlflow", tmp_path, RECIPE, print)
    tracker.started(0, 2)
    tracker.measured({"event": "train", "step": 1, "rate": 1.0, "words": "none", "list": [1]})
    tracker.started(0, 2)
    tracker.measured({"event": "train", "step": 1, "critic": 2.0})
    tracker.finished(Finished(tmp_path, None, 1, 2, interrupted=True))
    assert opened[1].rows == [(1, {"train/rate": 1.0}), (1, {"sharpen/train/critic": 2.0})]
    assert opened[1].ending == "stopped"


def test_a_run_that_fails_says_so_and_one_that_cannot_be_told_never_begins(
    store, tmp_path, opened, monkeypatch
):
    class Broken:
        def stepped(self, step, images):
            raise RuntimeError("a watcher's own fault")

    with pytest.raises(RuntimeError):
        facette.train(RECIPE, store, tmp_path / "run", device="cpu", track=["mlflow"], watcher=Broken())
    assert opened[1].ending == "failed"

    def unreachable(run, recipe, known):
        raise ConnectionError("no such host")

    monkeypatch.setattr(track, "open_mlflow", unreachable)
    with pytest.raises(TrainingError, match=r"mlflow cannot be opened: no such host"):
        facette.train(RECIPE, store, tmp_path / "other", device="cpu", track=["mlflow"])


def test_unknown_and_missing_trackers_are_refused_in_a_sentence(monkeypatch, run):
    with pytest.raises(UsageError, match="unknown tracker 'board': use one of wandb, mlflow"):
        track.check_trackers(["board"])
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "facette\[mlflow\]"'):
        track.check_trackers(["mlflow"])
    ended = run("train", "quick", "synthetic-faces:40", "--track", "mlflow", "--dry-run")
    assert ended.code == 2
    assert "which is not installed" in ended.err


# ── the libraries themselves, in processes of their own: both start threads and helpers ──────────────────

TRAIN = """
import sys, facette
from facette.recipe import load_recipe
for minutes in (1e-9, 100.0):  # one step, then all of them
    recipe = load_recipe("quick", [*sys.argv[2:], f"train.minutes={minutes}"])
    facette.train(recipe, "synthetic-faces:40", "runs/tried", device="cpu", track=[sys.argv[1]])
"""


def trained(library: str, folder: Path, listener: socket.socket) -> list[str]:
    """Run TRAIN in a folder, where every proxy is a listener of ours; what it was asked for."""
    asked: list[str] = []

    def listen():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            asked.append(connection.recv(200).decode("latin-1"))
            connection.close()

    threading.Thread(target=listen, daemon=True).start()
    proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ours = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), proxy)
    kept = {"PATH", "PYTHONPATH", "OMP_NUM_THREADS", "FACETTE_CACHE", "XDG_CACHE_HOME", "TMPDIR"}
    surroundings = {name: value for name, value in os.environ.items() if name in kept}
    ended = subprocess.run(
        [sys.executable, "-c", TRAIN, library, *SMALL],
        cwd=folder,
        env=surroundings | ours | {"HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return asked


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_mlflow_keeps_a_run_in_a_file_beside_it_and_asks_nobody(tmp_path, listener):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    pytest.importorskip("alembic", reason="the extra mlflow is not installed")
    assert trained("mlflow", tmp_path, listener) == []
    with sqlite3.connect(tmp_path / "runs" / "mlflow.db") as database:
        runs = database.execute("select name, status from runs").fetchall()
        metrics = database.execute("select key, step, value from metrics order by step").fetchall()
        latent = database.execute("select value from params where key = 'model.latent'").fetchall()
    database.close()
    assert runs == [("tried", "FINISHED")]
    assert latent == [("4",)]
    rows = [row for row in read_journal(tmp_path / "runs" / "tried") if row["event"] == "validation"]
    told = {step: value for key, step, value in metrics if key == "validation/elbo"}
    assert told == {row["step"]: row["elbo"] for row in rows}
    assert len([key for key, step, _ in metrics if key == "validation/elbo"]) == len(rows)  # each once


def test_wandb_keeps_a_run_in_files_beside_it_and_asks_nobody(tmp_path, listener):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    assert trained("wandb", tmp_path, listener) == []
    files = sorted((tmp_path / "runs" / "wandb").glob("offline-run-*/run-*.wandb"))
    known = json.loads((tmp_path / "runs" / "tried" / "tracked.json").read_text())["wandb"]
    assert len(files) == 2  # a sitting each, of one run
    assert {file.stem for file in files} == {f"run-{known['id']}"}
    content = b"".join(file.read_bytes() for file in files)
    assert b"validation/elbo" in content
    assert str(read_journal(tmp_path / "runs" / "tried")[-1]["elbo"])[:8].encode() in content
