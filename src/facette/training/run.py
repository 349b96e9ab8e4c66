"""A run: its stages one after the other, what they save, and how they stop.

Enters: a recipe, a data set, a folder. Leaves: a folder that holds

    recipe.toml   the resolved recipe          journal.jsonl   what was measured, line by line
    state.safetensors   to go on from          best/ last/     model files, by validation and by time
    previews/     the same pictures each time  tensorboard/    the journal's numbers, where installed
    sharpen/      the run of the second stage, where the recipe has one (facette.training.second_stage)
    tracked.json  what trackers were told of it, where one was asked for (facette.training.track)

To resume, call it again with the same arguments: on a CPU the weights are bit for bit those of a run that never
stopped. Nothing here prints; a `Watcher` is told what happens. What a step computes, the stages know.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import torch
import torch.distributed
from torch import Tensor

from facette.checkpoint.native import describe_model, find_model, load_model, save_model
from facette.code import modules_of
from facette.data.conditions import resolve_conditions
from facette.data.open import open_dataset
from facette.data.proposal import recipe_for
from facette.errors import TrainingError
from facette.files import owned, write_atomically
from facette.model.kernels.choices import threads
from facette.model.trained import TrainedModel
from facette.recipe import Recipe
from facette.runtime import Rank, choose_device, keep_freed_memory, spare_memory
from facette.training.batches import Batch, Store, is_store
from facette.training.finish import finish_run
from facette.training.first_stage import FirstStage
from facette.training.journal import SHARPEN, Journal
from facette.training.schedule import training_rows
from facette.training.second_stage import MAY_CHANGE, SecondStage
from facette.training.state import SHARPENING, changes
from facette.training.track import check_trackers, tracking
from facette.training.watch import Attended, Finished, Watcher, due, until_signalled


class Progress(Protocol):
    """How far a stage has come; a part of what it saves."""

    step: int
    seconds: float


class StepResult(Protocol):
    """What a step measured, on the device."""

    @property
    def ok(self) -> Tensor: ...  # () bool: everything was finite, so the weights moved


class Cadence(Protocol):
    """How often a stage tells, measures, shows and saves, in steps."""

    @property
    def log_every(self) -> int: ...
    @property
    def validate_every(self) -> int: ...
    @property
    def preview_every(self) -> int: ...
    @property
    def save_every(self) -> int: ...


class Stage(Protocol):
    """What differs between the first stage and the second: what a step is, and what is measured and kept of it."""

    @property
    def recipe(self) -> Recipe: ...
    @property
    def store(self) -> Store: ...
    @property
    def folder(self) -> Path: ...
    @property
    def steps(self) -> int: ...
    @property
    def cadence(self) -> Cadence: ...
    @property
    def state(self) -> Progress: ...
    @property
    def rank(self) -> Rank: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def spares_memory(self) -> bool: ...  # rather than time: what is freed goes back to the system

    def batches(self) -> Iterator[Batch]:
        """The batches of the steps to come."""
        ...

    def step(self, batch: Batch) -> Any:  # a StepResult
        """Move the weights once, and count the step."""
        ...

    def log_row(self, result: Any) -> dict[str, Any]:
        """A step's figures for the journal, the same on every process."""
        ...

    def weights(self) -> Any | None:
        """The averaged weights as they are measured and shown, whole; None on processes that do not lead."""
        ...

    def preview(self, weights: Any) -> Any | None:
        """Draw the same pictures as ever; returns the sheet (H, W, 3), or None where there is nothing to see."""
        ...

    def validate(self, weights: Any) -> dict[str, Any]:
        """Measure the weights, and publish them where they are the best; returns the row for the journal."""
        ...

    def stop_rule(self) -> str | None:
        """The key of the recipe by which the stage ends at this step; "" for not yet, None where there is no such
        rule. On the leading process; others may not know."""
        ...

    def save(self) -> None:
        """Write the state to go on from."""
        ...


def train(
    recipe: Recipe | TrainedModel | str | Path,
    data: Any,
    run: str | Path | None = None,
    *,
    device: str = "auto",
    watcher: object | None = None,
    source: str = "",
    command: str = "",
    start: TrainedModel | None = None,
    code: ModuleType | Iterable[ModuleType] | None = None,
    track: Sequence[str] = (),
) -> Finished:
    """Train by the recipe on the store's training pictures, or go on with the run that is in the folder.

    A recipe may be given by its name or its file, or as a model, which lends its weights too; "pictures" is fitted to
    the pictures of a path (`facette.data.proposal`). Data are given as a store, or as anything that `open_dataset`
    opens. `run` is runs/ and the recipe's name when left out. `watcher` is any object
    with some of the methods of `Watcher`. `start` lends its weights to a new run wherever its layers fit; which do not
    is said. `code`: modules that have what the recipe names of one's own. `track`: "wandb" or "mlflow", which are then
    told what the journal gets (`facette.training.track`).

    A run ends with its length, or before it by `train.minutes` or `train.patience`, which `Finished.rule` names. SIGINT
    and SIGTERM save and return with `interrupted`. Under `torchrun` every process calls this; the batch is shared among
    them. Raises TrainingError for a run of another recipe or data, and for non-finite losses; DataError when there is
    nothing to learn from; UsageError and MissingExtraError for a tracker that is unknown or not installed.
    """
    check_trackers(track)
    if isinstance(recipe, TrainedModel):
        recipe, start = recipe.recipe, start or recipe
    if not isinstance(recipe, Recipe):
        recipe = recipe_for(recipe, [data] if isinstance(data, str | Path) else [])
    recipe = recipe.with_code((*modules_of(code), *recipe.code))
    store: Store = data if is_store(data) else open_dataset(data, recipe.input)
    recipe = resolve_conditions(recipe, store, training_rows(store, recipe.train.pictures))
    rank, folder, told = Rank.current(), Path(run or Path("runs") / recipe.name), Attended(watcher)
    target = choose_device(device)
    with (
        _sole_owner(folder, "facette train", rank),
        tracking(track if rank.leads else (), folder, recipe, told.said) as trackers,
    ):
        told = Attended(watcher, *trackers)
        ended = _both_stages(recipe, store, folder, rank, target, told, source, command, start)
        if rank.leads:
            told.finished(ended)
    return ended


@contextmanager
def _sole_owner(folder: Path, work: str, rank: Rank) -> Iterator[None]:
    """The folder is this run's alone; the leading process holds it for all. Raises BusyError where another has it."""
    if not rank.leads:
        yield
        return
    with owned(folder, work):
        yield


def _both_stages(
    recipe: Recipe,
    store: Store,
    folder: Path,
    rank: Rank,
    target: torch.device,
    watcher: Watcher,
    source: str,
    command: str,
    start: TrainedModel | None,
) -> Finished:
    with _process_group(rank, target):
        stage = FirstStage(recipe, store, folder, rank, target, watcher, source, command, start)
        with threads(stage.state.kernels.threads):
            ended = run_stage(stage, watcher)
        rows, valid = stage.rows, stage.valid
        del stage  # everything is saved: its memory is for what follows, and a signal may end that
        if rank.leads and not ended.interrupted:
            finish_run(folder, recipe, store, rows, valid, watcher.said, start)
    ended = replace(ended, model=folder / "best" if (folder / "best").is_dir() else None)
    if ended.interrupted or not rank.leads:
        return ended
    if recipe.sharpen is None:
        if ended.model is not None and SHARPENING in describe_model(find_model(ended.model))["metrics"]:
            watcher.said(f"{ended.model} keeps its second stage, though the recipe no longer has one")
        return ended
    return _second_stage(ended, recipe, store, target, watcher, command, start)


def _second_stage(
    first: Finished,
    recipe: Recipe,
    store: Store,
    device: torch.device,
    watcher: Watcher,
    command: str,
    start: TrainedModel | None,
) -> Finished:
    """Sharpen the best model, in a folder of its own, and give it its sharpener; done once."""
    assert first.model is not None
    model = load_model(first.model, code=recipe.code)
    if model.sharpener is not None:
        before = model.recipe.model_dump(mode="json", exclude_none=True)
        if changed := changes(before, recipe, lambda k: not k.startswith("sharpen.") or k in MAY_CHANGE):
            raise TrainingError(
                f"the second stage of the run in {first.run} has ended with another recipe: {changed}; "
                "give another folder by `out`"
            )
        return first
    model.recipe = recipe  # what the second stage may change, it may change after the first
    folder = first.run / SHARPEN
    ended = sharpen(
        model, store, folder, device=str(device), watcher=watcher, command=command, anew=True, start=start
    )
    if ended.model is not None:
        save_model(load_model(ended.model, code=recipe.code), first.model)
    return replace(ended, run=first.run, model=first.model)


def sharpen(
    model: TrainedModel,
    store: Store,
    run: str | Path,
    *,
    device: str = "auto",
    watcher: object | None = None,
    command: str = "",
    anew: bool = False,
    start: TrainedModel | None = None,
) -> Finished:
    """Train the second stage of a model on a store's training pictures, or go on with the run in the folder.

    The model's recipe needs its section `sharpen`. SIGINT and SIGTERM save and return with `interrupted`. One process.
    `anew` begins at the first step where the folder's run sharpens another model, which is an error otherwise. A model
    without a second stage begins with that of `start`, where its layers fit. Raises
    UsageError for a model of vectors or a recipe without the section, DataError when there are no pictures,
    TrainingError for a run of another model, recipe or data, and for a gradient that is not finite.
    """
    told = Attended(watcher)
    with _sole_owner(Path(run), "facette sharpen", Rank.current()):
        stage = SecondStage(model, store, Path(run), choose_device(device), told, command, anew, start)
        ended = run_stage(stage, told)
    return replace(ended, model=None if ended.interrupted else ended.run / "best")


def run_stage(stage: Stage, watcher: Watcher) -> Finished:
    """The steps of a stage, to the end or to a signal; all processes of a run come here together."""
    state, cadence, rank = stage.state, stage.cadence, stage.rank
    treat_freed_memory = spare_memory if stage.spares_memory else keep_freed_memory
    treat_freed_memory()  # from here on: what listing a large data set took is given back
    journal = None
    if rank.leads:
        write_atomically(stage.folder / "recipe.toml", stage.recipe.to_toml())
        journal = Journal(stage.folder, state.step)
        if journal.damaged:
            watcher.said(f"{journal.path} has {journal.damaged} damaged lines, which are left out")

    def record(event: str, row: dict[str, Any]) -> None:
        if journal is not None:
            journal.record(event, state.step, row)
            watcher.measured({"event": event, "step": state.step, **row})

    watcher.started(state.step, stage.steps)
    number = 0  # of the signal that stops it
    ending = _rule_holds(stage)  # before its length
    began, since, pictures = time.monotonic() - state.seconds, time.monotonic(), 0
    try:
        with until_signalled() as stopping:
            for batch in () if ending else stage.batches():
                result = stage.step(batch)
                pictures += len(batch.data) * rank.world
                watcher.stepped(state.step, len(batch.data) * rank.world)
                logging = due(state.step, cadence.log_every, stage.steps)
                if logging or stage.device.type != "cuda":  # on CUDA looking is a synchronisation
                    _refuse_non_finite(stage, result, batch)
                if logging:
                    rate = pictures / max(1e-9, time.monotonic() - since)
                    record("train", stage.log_row(result) | {"images_per_second": round(rate, 2)})
                    since, pictures = time.monotonic(), 0
                state.seconds = time.monotonic() - began
                stop = _agreed(stopping.is_set() or watcher.stops(), stage)
                ending = _rule_holds(stage)
                showing = ending or due(state.step, cadence.preview_every, stage.steps)
                measuring = ending or due(state.step, cadence.validate_every, stage.steps)
                weights = stage.weights() if showing or measuring else None
                if weights is not None and showing:
                    sheet = stage.preview(weights)
                    if journal is not None and sheet is not None:
                        journal.picture("preview", state.step, sheet)
                if weights is not None and measuring:
                    record("validation", stage.validate(weights) | {"seconds": state.seconds})
                ending = ending or _rule_holds(stage)  # what was just measured may say so
                if stop or ending or due(state.step, cadence.save_every, stage.steps):
                    stage.save()
                if ending or stop:
                    number = 0 if ending else stopping.number
                    break
    finally:
        if journal is not None:
            journal.close()
    rule = (stage.stop_rule() or "") if ending and state.step < stage.steps else ""
    if rule:
        watcher.said(f"{rule} ends the run at step {state.step:,} of {stage.steps:,}")
    stopped = state.step < stage.steps and not ending
    return Finished(stage.folder, None, state.step, stage.steps, stopped, number, rule)


def _rule_holds(stage: Stage) -> bool:
    """Whether a rule of the recipe ends the stage here, on every process alike."""
    rule = stage.stop_rule()
    return rule is not None and _agreed(bool(rule), stage)


def _refuse_non_finite(stage: Stage, result: StepResult, batch: Batch) -> None:
    """Stop at a step that was not finite; the weights did not move in it."""
    if bool(result.ok):
        return
    names = getattr(stage.store, "names", None)
    listed = [str(names[i]) if names is not None else f"row {i}" for i in batch.indices[:8]]
    more = f" and {len(batch.indices) - 8} more" if len(batch.indices) > 8 else ""
    raise TrainingError(
        f"the loss or its gradient is not finite at step {stage.state.step} (pictures {', '.join(listed)}{more}); "
        f"the last good state is in {stage.folder}: lower the learning rate or set train.clip, and start anew"
    )


def _agreed(stop: bool, stage: Stage) -> bool:
    """Whether any process was told to stop: all must leave the loop at the same step."""
    if stage.rank.world == 1:
        return stop
    flag = torch.tensor(float(stop), device=stage.device)
    torch.distributed.all_reduce(flag)
    return bool(flag > 0)


@contextmanager
def _process_group(rank: Rank, device: torch.device) -> Iterator[None]:
    """Join the other processes of a `torchrun`, when there are any."""
    if rank.world == 1 or torch.distributed.is_initialized():
        yield
        return
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()
