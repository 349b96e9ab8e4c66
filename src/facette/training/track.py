"""Trackers that other people make, fed with a run's journal: Weights & Biases, MLflow.

Off unless asked for, and offline: what they keep lies beside the run, unless the user's own settings of these libraries
name a server (WANDB_MODE, MLFLOW_TRACKING_URI). Only the recipe and the journal's numbers are told, no picture.

    tracked.json    in the run's folder: which run of a tracker this is, and up to which step it has been told

A run that goes on is told as one, each row once. A tracker that is asked for later is told what was before it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal, Protocol, get_args

from facette.errors import TrainingError, UsageError, import_extra
from facette.files import write_atomically
from facette.recipe import Recipe
from facette.training.journal import SHARPEN, read_journal
from facette.training.state import flatten
from facette.training.watch import Finished

TrackerName = Literal["wandb", "mlflow"]
TOLD = "tracked.json"
PROJECT = "facette"  # what runs are kept under, unless the user's settings say otherwise
AT_ONCE = 100  # parameters that MLflow takes
Ending = Literal["finished", "stopped", "failed"]


class TrackedRun(Protocol):
    """A run as one of these libraries keeps it."""

    id: str  # by which it is known when the run goes on

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Keep numbers of a step."""
        ...

    def close(self, ending: Ending) -> None:
        """Write what is not written yet."""
        ...


def check_trackers(names: Sequence[str]) -> None:
    """Raises UsageError for a tracker that is not known, MissingExtraError for one that is not installed."""
    for name in names:
        if name not in get_args(TrackerName):
            raise UsageError(f"unknown tracker {name!r}: use one of {', '.join(get_args(TrackerName))}.")
        import_extra(name, name, f"tracking a run with {name}")


@contextmanager
def tracking(
    names: Sequence[str], run: Path, recipe: Recipe, say: Callable[[str], object]
) -> Iterator[tuple[Tracker, ...]]:
    """Watchers that tell these trackers of the run in a folder, closed however the block ends.

    Raises TrainingError where one cannot be opened. Trouble with it later costs it the rest, not the run.
    """
    trackers: list[Tracker] = []
    try:
        trackers.extend(Tracker(name, run, recipe, say) for name in dict.fromkeys(names))
        yield tuple(trackers)
    except BaseException:
        for tracker in trackers:
            tracker.close("failed")
        raise


class Tracker:
    """A watcher that tells one tracker of a run, from its journal and then row by row."""

    def __init__(self, name: str, run: Path, recipe: Recipe, say: Callable[[str], object]):
        self._name, self._run, self._say = name, run, say
        self._stage = -1  # which of the run's stages is told of: the second has a journal of its own
        self._told: dict[str, int] = {}  # kind of row → the last step
        known = _read(run).get(name, {})
        self._told |= known.get("told", {})
        opener = open_wandb if name == "wandb" else open_mlflow
        try:
            self._account: TrackedRun | None = opener(run, recipe, known.get("id"))
        except (
            Exception
        ) as error:  # of a library, a server or a disk that is not ours: all mean the same here
            raise TrainingError(f"{name} cannot be opened: {_sentence(error)}") from error
        self._id = self._account.id

    def started(self, step: int, steps: int) -> None:
        """A stage begins or goes on: what its journal holds of the time before, nobody has been told yet."""
        self._stage += 1
        for row in read_journal(self._run / SHARPEN if self._stage else self._run):
            if row["step"] <= step:
                self.measured(row)

    def measured(self, row: dict[str, Any]) -> None:
        """A row of the journal, once."""
        kind = f"{SHARPEN}/{row['event']}" if self._stage > 0 else row["event"]
        numbers = {
            f"{kind}/{name}": float(value)
            for name, value in row.items()
            if isinstance(value, int | float) and name != "step"
        }
        if self._account is None or row["step"] <= self._told.get(kind, -1):
            return
        try:
            self._account.log(numbers, row["step"])
        except (
            Exception
        ) as error:  # a server that is gone must not cost hours of training: the journal has it all
            self._account = None
            self._say(
                f"{self._name} is told no more of this run ({_sentence(error)}); the same command tells the rest"
            )
            return
        self._told[kind] = row["step"]
        whole = _read(self._run) | {self._name: {"id": self._id, "told": self._told}}
        write_atomically(self._run / TOLD, json.dumps(whole))

    def finished(self, ended: Finished) -> None:
        """The run is over, for this call."""
        self.close("stopped" if ended.interrupted else "finished")

    def close(self, ending: Ending) -> None:
        """Have the tracker write what it holds; done once."""
        account, self._account = self._account, None
        if account is not None:
            try:
                account.close(ending)
            except Exception as error:  # as above
                self._say(f"{self._name} did not take the end of this run ({_sentence(error)})")


def _read(run: Path) -> dict[str, Any]:
    try:
        known = json.loads((run / TOLD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


# ── the libraries ────────────────────────────────────────────────────────────────────────────────────────


def open_wandb(run: Path, recipe: Recipe, known: str | None) -> TrackedRun:
    """A run of Weights & Biases: in wandb/ beside the run's folder, unless WANDB_DIR and WANDB_MODE say otherwise."""
    wandb: Any = import_module("wandb")
    mode: Any = os.environ.get("WANDB_MODE", "offline")
    account = wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        name=run.name,
        id=known or token_hex(8),
        resume="allow" if known and mode == "online" else None,
        mode=mode,
        dir=os.environ.get("WANDB_DIR", str(run.parent)),
        config=recipe.model_dump(mode="json", exclude_none=True),
        reinit="create_new",
        settings=wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
        ),
    )
    account.define_metric("*", step_metric="step")  # rows of a stage, whatever came before them

    class _WandbRun:
        id = account.id

        def log(self, numbers: Mapping[str, float], step: int) -> None:
            account.log({**numbers, "step": step})

        def close(self, ending: Ending) -> None:
            account.finish(exit_code=int(ending == "failed"))

    return _WandbRun()


def open_mlflow(run: Path, recipe: Recipe, known: str | None) -> TrackedRun:
    """A run of MLflow: in mlflow.db beside the run's folder, unless MLFLOW_TRACKING_URI says otherwise."""
    entities: Any = import_module("mlflow.entities")
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table of a new database
    beside = run.absolute().parent
    beside.mkdir(parents=True, exist_ok=True)
    place = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{beside / 'mlflow.db'}"
    client = import_module("mlflow.tracking").MlflowClient(place)
    if known is None:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = client.get_experiment_by_name(name)
        kept = experiment.experiment_id if experiment else client.create_experiment(name)
        known = client.create_run(kept, run_name=run.name).info.run_id
        params = [
            entities.Param(key, str(value)[:500])
            for key, value in flatten(recipe.model_dump(mode="json", exclude_none=True)).items()
        ]
        for start in range(0, len(params), AT_ONCE):
            client.log_batch(known, params=params[start : start + AT_ONCE])
    else:
        client.update_run(known, status="RUNNING")
    number = known

    class _MlflowRun:
        id: str = str(number)

        def log(self, numbers: Mapping[str, float], step: int) -> None:
            now = int(time.time() * 1000)
            client.log_batch(
                number, metrics=[entities.Metric(key, value, now, step) for key, value in numbers.items()]
            )

        def close(self, ending: Ending) -> None:
            states = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
            client.set_terminated(number, states[ending])

    return _MlflowRun()
