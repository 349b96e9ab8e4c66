"""Runs as processes of their own: found again by whoever looks, stopped, gone on with, never mistaken for others."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facette.errors import UsageError
from facette.studio import runs
from facette.studio.runs import RunCommand, TrainingRun
from facette.training.journal import read_journal

LONG = 100_000  # steps: no run of them ends by itself while a test looks


def order(steps: int, *more: str) -> RunCommand:
    small = ("train.validate_every=100000", "train.log_every=5", "train.mixture_components=[]")
    return RunCommand("quick", "synthetic-faces:64", (f"train.steps={steps}", *small, *more))


def until(root: Path, name: str, settled, seconds: float = 90) -> TrainingRun:
    """The run once `settled` holds of it; the limit is there for a run that never gets so far."""
    ends = time.monotonic() + seconds
    while not settled(run := runs.look(root, name)):
        assert time.monotonic() < ends, f"{run} after {seconds} s:\n{runs.tail(run)}"
        time.sleep(0.05)
    return run


@pytest.fixture
def root(tmp_path):
    """A folder for runs; what a test leaves running is ended with it."""
    yield tmp_path / "runs"
    for run in runs.list_runs(tmp_path / "runs"):
        if run.alive:
            os.kill(json.loads((run.folder / runs.RECORD).read_text())["pid"], signal.SIGKILL)
            until(tmp_path / "runs", run.name, lambda run: not run.alive)


def test_a_run_stops_where_it_is_told_to_and_goes_on_to_its_end(root):
    begun = runs.start(root, "quick", order(LONG), steps=LONG)
    assert (begun.state, begun.steps) == ("running", LONG)
    pid = json.loads((begun.folder / runs.RECORD).read_text())["pid"]
    assert os.getsid(pid) == pid != os.getsid(0), "a run must outlive the session that began it"
    with pytest.raises(UsageError, match="running already"):
        runs.resume(root, "quick")
    until(root, "quick", lambda run: run.step >= 10)
    assert runs.stop(root, "quick").alive
    stopped = until(root, "quick", lambda run: not run.alive)
    assert (stopped.state, stopped.problem) == ("stopped", "")
    saved = json.loads((begun.folder / runs.RESULT).read_text())["step"]
    assert saved >= stopped.step >= 10
    with pytest.raises(UsageError, match="not running"):
        runs.stop(root, "quick")
    resumed = runs.resume(root, "quick")
    assert resumed.state == "running"
    until(root, "quick", lambda run: run.step > saved)
    assert f"at step {saved} of {LONG}" in runs.tail(resumed)
    steps = [row["step"] for row in read_journal(begun.folder)]
    assert steps == sorted(set(steps)), "each step is told once"


def test_a_run_that_is_killed_says_so(root):
    begun = runs.start(root, "killed", order(LONG), steps=LONG)
    os.kill(json.loads((begun.folder / runs.RECORD).read_text())["pid"], signal.SIGKILL)
    killed = until(root, "killed", lambda run: not run.alive)
    assert (killed.state, killed.model) == ("failed", None)
    assert "without a word" in killed.problem


def test_a_mistake_is_told_in_its_own_sentence(root):
    runs.start(root, "wrong", RunCommand("quick", str(root / "nowhere")))
    failed = until(root, "wrong", lambda run: not run.alive)
    assert failed.state == "failed"
    assert failed.problem.startswith(f"there is no '{root / 'nowhere'}'")


def test_a_process_with_the_same_number_is_not_the_run(tmp_path):
    """This very process stands in for a stranger that was given the number of a run which is long over."""
    root, folder = tmp_path, tmp_path / "old"
    folder.mkdir()
    ours = runs.began_at(os.getpid())
    record = {"recipe": "quick", "data": "", "overrides": [], "steps": 5, "pid": os.getpid(), "log_before": 0}
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    try:
        for began in ("", ours + "1"):
            (folder / runs.RECORD).write_text(json.dumps(record | {"began": began, "asked_to_stop": False}))
            assert runs.look(root, "old").state == "failed"
            with pytest.raises(UsageError, match="not running"):
                runs.stop(root, "old")
        assert not told, "a stranger was told to stop"
        (folder / runs.RECORD).write_text(json.dumps(record | {"began": ours, "asked_to_stop": False}))
        assert runs.look(root, "old").state == "running"
        assert runs.stop(root, "old").state == "stopping"
        assert told == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_two_processes_never_began_at_the_same_moment_and_the_dead_never_did():
    assert runs.began_at(os.getpid()) == runs.began_at(os.getpid()) != ""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert runs.began_at(child.pid) not in ("", runs.began_at(os.getpid()))
    child.kill()
    while runs.began_at(child.pid):  # a zombie, until it is waited for
        time.sleep(0.01)
    child.communicate()
    assert runs.began_at(child.pid) == ""


def test_what_others_began_is_shown_and_left_alone(root):
    folder = root / "elsewhere"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text('{"event": "train", "step": 7, "rate": 1.0}\n')
    (root / "no-run").mkdir()
    (shown,) = runs.list_runs(root)
    assert (shown.name, shown.state, shown.step, shown.order) == ("elsewhere", "other", 7, None)
    for act in (runs.stop, runs.resume):
        with pytest.raises(UsageError, match="elsewhere"):
            act(root, "elsewhere")
    (folder / runs.RECORD).write_text("{")  # cut off
    assert runs.look(root, "elsewhere").state == "other"


@pytest.mark.parametrize("name", ["", "..", "../away", "/etc", "a/b", ".hidden", "x" * 101, "a\n", "-flag"])
def test_no_name_leads_out_of_the_folder(root, name):
    for act in (runs.look, runs.stop, runs.resume, lambda at, called: runs.start(at, called, order(1))):
        with pytest.raises(UsageError, match="cannot be a run's name"):
            act(root, name)
    assert not root.exists()


def test_a_name_is_taken_once(root):
    (root / "quick").mkdir(parents=True)
    (root / "quick" / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="something in"):
        runs.start(root, "quick", order(1))
    assert runs.free_name(root, "quick") == "quick-2"
    (root / "quick-2").mkdir()
    assert runs.free_name(root, "quick") == "quick-3"
    assert runs.free_name(root / "not there", "quick") == "quick"
