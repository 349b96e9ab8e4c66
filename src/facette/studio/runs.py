"""Training runs as processes of their own: started, stopped, and found again.

Enters: the folder that holds runs, a run's name, and what to train. Leaves: a `TrainingRun`, which is what the run's
folder says of it. A run is the command `facette train` in a session of its own, so it outlives the studio; all that is
known of it stands in its folder, so another tab, or the studio after a restart, sees the same. Knows nothing of pages.

A process is known by its number *and* the moment it began: numbers are given again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from facette.errors import TrainingError, UsageError
from facette.files import json_of, write_atomically
from facette.training.journal import JOURNAL, read_journal

RECORD, LOG, RESULT = "studio.json", "studio.log", "studio-result.json"  # in a run's folder
TAIL = 64 * 1024  # bytes of a log that are looked at
WIDE = "160"  # characters of a log's line before it is broken
MISTAKE = "facette: "  # begins the sentence about a user's mistake on stderr
YIELDING = 5  # of niceness: a run leaves the processor to whoever turns a dial

State = Literal["running", "stopping", "stopped", "finished", "failed", "other"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CHANGING = threading.Lock()  # two tabs that start the same run at once start it once


@dataclass(frozen=True, slots=True)
class RunCommand:
    """What to train: everything that `facette train` is told but the folder."""

    recipe: str
    data: str
    overrides: tuple[str, ...] = ()

    def arguments(self, folder: Path) -> list[str]:
        """What stands behind `facette` on the command line."""
        changes = [part for change in self.overrides for part in ("--set", change)]
        return ["train", self.recipe, *([self.data] if self.data else []), "--out", str(folder), *changes]


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A run as its folder tells it."""

    name: str
    folder: Path
    state: State  # "other": started by somebody else, and perhaps still running
    order: RunCommand | None  # None for a run of somebody else
    step: int  # the last one in the journal
    steps: int | None  # of the whole run, where it is known
    problem: str = ""  # why it failed, a sentence

    @property
    def alive(self) -> bool:
        return self.state in ("running", "stopping")

    @property
    def model(self) -> Path | None:
        """The best model so far."""
        best = self.folder / "best"
        return best if best.is_dir() else None


def list_runs(root: Path) -> list[TrainingRun]:
    """Every run in the folder, the one that changed last first."""
    if not root.is_dir():
        return []
    folders = [path for path in root.iterdir() if _NAME.fullmatch(path.name) and _is_run(path)]
    return [look(root, path.name) for path in sorted(folders, key=_changed, reverse=True)]


def look(root: Path, name: str) -> TrainingRun:
    """The run of this name as it stands now. Raises UsageError where there is none."""
    folder = _folder(root, name)
    if not _is_run(folder):
        raise UsageError(f"there is no run {name!r} in {root}.")
    rows = read_journal(folder)
    step = max((row["step"] for row in rows), default=0)
    record = _record(folder)
    if record is None:
        return TrainingRun(name, folder, "other", None, step, None)
    order = RunCommand(record["recipe"], record["data"], tuple(record["overrides"]))
    state, problem = _state(folder, record)
    return TrainingRun(name, folder, state, order, step, record["steps"], problem)


def start(root: Path, name: str, order: RunCommand, steps: int | None = None) -> TrainingRun:
    """Begin a new run. `steps`: how many it will take, for those who look.

    Raises UsageError for a name that cannot be a folder's or is taken, TrainingError where no process can be started.
    """
    with _CHANGING:
        folder = check_free(root, name)
        folder.mkdir(parents=True, exist_ok=True)
        _launch(folder, order, steps)
        return look(root, name)


def resume(root: Path, name: str) -> TrainingRun:
    """Go on with a run that stopped or failed: the same command again. Raises UsageError for one that runs, has
    finished, or was started by somebody else."""
    with _CHANGING:
        run = look(root, name)
        if run.alive:
            raise UsageError(f"the run {name!r} is running already.")
        if run.order is None:
            raise UsageError(
                f"the run {name!r} was not started here: go on with it by the command that began it."
            )
        if run.state == "finished":
            raise UsageError(f"the run {name!r} has finished: use its model, or start another run.")
        _launch(run.folder, run.order, run.steps)
        return look(root, name)


def stop(root: Path, name: str) -> TrainingRun:
    """Ask a run to save and stop; it does so after the step it is in. Raises UsageError for one that does not run."""
    with _CHANGING:
        run = look(root, name)
        record = _record(run.folder)
        if record is None or not run.alive:
            raise UsageError(f"the run {name!r} is not running here.")
        _write(run.folder, record | {"asked_to_stop": True})
        # Not SIGINT: before the run listens, that would be a traceback, and a shell's background jobs ignore it.
        os.kill(record["pid"], signal.SIGTERM)
        return look(root, name)


def check_free(root: Path, name: str) -> Path:
    """The folder of a run that can be started under this name. Raises UsageError where it cannot."""
    folder = _folder(root, name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"there is something in {folder} already: give the run another name, or go on with it."
        )
    return folder


def free_name(root: Path, wished: str) -> str:
    """The name, or the name with the first number behind it that no run has."""
    names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    numbered = (f"{wished}-{number}" for number in range(2, len(names) + 3))
    return next(name for name in (wished, *numbered) if name not in names)


def tail(run: TrainingRun, lines: int = 40) -> str:
    """The last lines of what the run has said."""
    return "\n".join(_log_lines(run.folder)[-lines:])


def began_at(pid: int) -> str:
    """When the living process began, in its system's own words; empty where there is none, or one that has ended
    and is only waited for. Two processes with the same number never began at the same moment."""
    if not Path("/proc/self/stat").is_file():  # no Linux
        listing = subprocess.run(
            ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True
        )
        state, _, moment = listing.stdout.strip().partition(" ")
        return "" if state.startswith("Z") else moment.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"  # ticks since the machine was started


# ── a run's folder ───────────────────────────────────────────────────────────────────────────────────────


def _folder(root: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a run's name: use letters, digits, '.', '-' and '_', and begin with a letter or digit."
        )
    return root / name


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (RECORD, JOURNAL))


def _changed(folder: Path) -> float:
    there = [folder / name for name in (RECORD, JOURNAL, LOG) if (folder / name).is_file()]
    return max((path.stat().st_mtime for path in there), default=0.0)


def _record(folder: Path) -> dict[str, Any] | None:
    """What was noted when the run was started; None for a run of somebody else."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        return record if isinstance(record["pid"], int) and isinstance(record["began"], str) else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, record: dict[str, Any]) -> None:
    write_atomically(folder / RECORD, json_of(record, indent=2))


def _launch(folder: Path, order: RunCommand, steps: int | None) -> None:
    command = [sys.executable, "-m", "facette", *order.arguments(folder), "--json"]
    try:
        with (folder / LOG).open("ab") as log, (folder / RESULT).open("wb") as result:
            before = log.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"COLUMNS": WIDE},
            )
    except OSError as error:
        raise TrainingError(f"the run could not be started: {error}") from None
    began = began_at(process.pid)
    threading.Thread(target=process.wait, name=f"run {folder.name}", daemon=True).start()  # no zombie is left
    _yield(process.pid)
    launched = {"pid": process.pid, "began": began, "asked_to_stop": False, "log_before": before}
    _write(folder, asdict(order) | {"steps": steps} | launched)


def _yield(pid: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid) + YIELDING)
    except ProcessLookupError:
        return  # it has ended already; its log says why


def _state(folder: Path, record: dict[str, Any]) -> tuple[State, str]:
    """Whether the process lives, else how it ended: what it printed last, and what it logged last."""
    if record["began"] and began_at(record["pid"]) == record["began"]:
        return ("stopping" if record["asked_to_stop"] else "running"), ""
    try:
        ended = json.loads((folder / RESULT).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        if record["asked_to_stop"]:
            return "stopped", ""
        return "failed", _last_words(folder, record["log_before"])
    return ("stopped" if ended["interrupted"] else "finished"), ""


def _log_lines(folder: Path, since: int = 0) -> list[str]:
    """The lines of the log's end, none of them from before byte `since`."""
    path = folder / LOG
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(since, path.stat().st_size - TAIL))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return [line.rstrip() for line in lines if line.strip()]


def _last_words(folder: Path, since: int) -> str:
    """Why a process ended that has left no result: its own sentence, or the last line of its traceback."""
    lines = _log_lines(folder, since)
    if lines and lines[-1].startswith(MISTAKE):
        return lines[-1].removeprefix(MISTAKE)
    if any(line.startswith("Traceback ") for line in lines):
        return f"it met a fault of ours: {lines[-1]}"
    return (
        "it ended without a word, as a process does that is killed: going on begins at the last saved step."
    )
