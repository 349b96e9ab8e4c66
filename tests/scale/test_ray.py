"""Jobs on a Ray cluster of this machine: what it leaves is what one process leaves, whoever was killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from extras import needs

from facette.scale import Encode, Evaluate, Vary, run_job
from facette.scale.cluster import Worker
from facette.scale.tables import read_table

needs("ray", "the extra `scale` is not installed")

SHARD, SHARDS_OF_MANY = 64, 24
PATIENCE = 900  # seconds until a cluster that does not answer is given up


def command(*words) -> list[str]:
    return [sys.executable, "-m", "facette", *map(str, words), "--shard", str(SHARD), "--json"]


def started(words: list[str], folder: Path) -> subprocess.Popen:
    """The command on its way, in a session of its own, so that nothing of it outlives the test."""
    out, err = (folder / "out.txt").open("w"), (folder / "err.txt").open("w")
    with out, err:
        return subprocess.Popen(words, stdout=out, stderr=err, start_new_session=True)


def wait_for(what, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert what()


def workers_of(driver: int) -> list[int]:
    """The processes below the driver that do shards."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            name = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if b"MapWorker" in name and driver in ancestors(int(path.name)):
            found.append(int(path.name))
    return found


def ancestors(process: int) -> list[int]:
    line = []
    while process > 1:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return line
        process = int(fields[1])
        line.append(process)
    return line


def done(out: Path) -> int:
    return len(list((out / "done").glob("*.json")))


def end(process: subprocess.Popen) -> None:
    """Take the whole session down."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def rows(out: Path) -> dict[str, np.ndarray]:
    parts = [read_table(path) for path in sorted(out.glob("latents-*.parquet"))]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def assert_same_rows(out: Path, expected: Path) -> None:
    """Every row once, with the values that one process gives."""
    here, there = rows(out), rows(expected)
    assert here["row"].tolist() == list(range(1500))
    assert here["name"].tolist() == there["name"].tolist()
    np.testing.assert_allclose(here["mean"], there["mean"], atol=1e-5)
    np.testing.assert_allclose(here["scale"], there["scale"], atol=1e-5)


@pytest.fixture(scope="module")
def by_one_process(many, quick_run, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("one") / "shards"
    run_job(quick_run, many, Encode(), out, shard=SHARD, device="cpu")
    return out


@pytest.mark.parametrize("task", [Encode(), Vary(count=2), Evaluate()], ids=lambda task: task.kind)
def test_a_worker_accounts_for_its_shard_and_says_what_it_cannot_do(collection, quick_run, tmp_path, task):
    run_job(quick_run, collection, task, tmp_path / "shards", shard=SHARD, device="cpu")
    before = (tmp_path / "shards" / "done" / "000002.json").read_text()
    worker = Worker(str(tmp_path / "shards"), "cpu")
    (tmp_path / "shards" / "done" / "000002.json").unlink()
    said = worker({"shard": np.array([2])})
    assert said["error"] == [""]
    sealed = json.loads(before)
    assert sealed.pop("digest")
    assert json.loads(said["account"][0]) == sealed
    assert (tmp_path / "shards" / "done" / "000002.json").read_text() == before
    (tmp_path / "shards" / "model.safetensors").write_bytes(b"not a model")
    said = Worker(str(tmp_path / "shards"), "cpu")({"shard": np.array([1])})
    assert said["account"] == [""]
    assert "model.safetensors" in said["error"][0]


@pytest.mark.slow
def test_a_killed_worker_leaves_no_gap_and_no_double(many, quick_run, by_one_process, tmp_path):
    out = tmp_path / "shards"
    process = started(
        command("encode", quick_run, many, "--out", out, "--engine", "ray", "--workers", 2), tmp_path
    )
    try:
        wait_for(lambda: done(out) and workers_of(process.pid), process)
        victim = workers_of(process.pid)[0]
        before = done(out)
        os.kill(victim, signal.SIGKILL)
        assert before < SHARDS_OF_MANY
        assert process.wait(PATIENCE) == 0, (tmp_path / "err.txt").read_text()
    finally:
        end(process)
    ended = json.loads((tmp_path / "out.txt").read_text())
    assert (ended["shards_here"], ended["rows"]) == (SHARDS_OF_MANY, 1500)
    assert_same_rows(out, by_one_process)


@pytest.mark.slow
def test_a_killed_driver_goes_on_where_it_was(many, quick_run, by_one_process, tmp_path):
    out = tmp_path / "shards"
    words = command("encode", quick_run, many, "--out", out, "--engine", "ray", "--workers", 2)
    process = started(words, tmp_path)
    try:
        wait_for(lambda: done(out) >= 2, process)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        end(process)
    before = done(out)
    assert 2 <= before < SHARDS_OF_MANY
    again = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
    here = json.loads(again.stdout)["shards_here"]
    assert (
        0 < here <= SHARDS_OF_MANY - before
    )  # its workers may have ended what they were at before they noticed
    assert_same_rows(out, by_one_process)


@pytest.mark.slow
def test_an_interrupted_driver_says_how_to_go_on_and_does(many, quick_run, by_one_process, tmp_path):
    out = tmp_path / "shards"
    words = command("encode", quick_run, many, "--out", out, "--engine", "ray", "--workers", 2)
    process = started(words, tmp_path)
    try:
        wait_for(lambda: done(out) >= 2, process)
        os.kill(process.pid, signal.SIGINT)
        code = process.wait(PATIENCE)
    finally:
        end(process)
    stopped = json.loads((tmp_path / "out.txt").read_text())
    assert code == (130 if stopped["interrupted"] else 0), (tmp_path / "err.txt").read_text()
    assert stopped["interrupted"] == (stopped["shards_done"] < SHARDS_OF_MANY)
    run_job(quick_run, many, Encode(), out, shard=SHARD, device="cpu")  # and one process may end it
    assert_same_rows(out, by_one_process)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "kind"), [("vary-all", Vary(count=2, format="png")), ("evaluate-all", Evaluate())]
)
def test_the_other_tasks_give_what_one_process_gives(collection, quick_run, tmp_path, task, kind):
    more = ["-n", 2, "--format", "png"] if task == "vary-all" else []
    words = command(
        task, quick_run, collection, "--out", tmp_path / "ray", "--engine", "ray", "--workers", 2, *more
    )
    subprocess.run(words, capture_output=True, timeout=PATIENCE, check=True)
    ended = run_job(quick_run, collection, kind, tmp_path / "one", shard=SHARD, device="cpu")
    one, other = tmp_path / "one", tmp_path / "ray"
    if task == "evaluate-all":
        assert ended.collected is not None
        found = json.loads((other / "evaluation.json").read_text())["figures"]
        for name, figure in ended.collected.figures.items():
            assert found[name]["value"] == pytest.approx(figure.value, rel=1e-6), name
    else:
        here, there = rows(one), rows(other)
        assert here["seed"].tolist() == there["seed"].tolist()
        files = sorted(path.relative_to(one) for path in one.glob("pictures-*/*"))
        assert files == sorted(path.relative_to(other) for path in other.glob("pictures-*/*"))
        assert len(files) == 149 * 2


@pytest.mark.slow
def test_what_a_worker_cannot_do_is_one_sentence(many, quick_run, tmp_path):
    out = tmp_path / "shards"
    run_job(quick_run, many, Encode(), out, shard=SHARD, device="cpu")
    (out / "latents-000003.parquet").unlink()
    (out / "latents-000003.parquet").mkdir()  # a damaged model would be mended by the driver
    words = command("encode", quick_run, many, "--out", out, "--engine", "ray")
    ended = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert "latents-000003.parquet" in ended.stderr
    assert "Traceback" not in ended.stderr
