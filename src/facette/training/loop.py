"""A run: the loop, what it saves, and how it stops.

Enters: a recipe, a data set, a folder. Leaves: a folder that holds

    recipe.toml   the resolved recipe          journal.jsonl   what was measured, line by line
    state.safetensors   to go on from          best/ last/     model files, by validation and by time
    previews/     the same pictures each time  tensorboard/    the journal's numbers, where installed
    sharpen/      the run of the second stage, where the recipe has one (facette.training.sharpen)

To resume, call it again with the same arguments: on a CPU the weights are bit for bit those of a run that never
stopped. Nothing here prints; a `Watcher` is told what happens.
"""

from __future__ import annotations

import copy
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel

from facette.checkpoint.native import load_model, save_model
from facette.checkpoint.tensors import write_atomically
from facette.errors import DataError, TrainingError
from facette.model.identity import identity_features
from facette.model.trained import TrainedModel
from facette.model.vae import VAE
from facette.objective import focus_weights
from facette.recipe import Recipe
from facette.runtime import Place, autocast_dtype, choose_device, keep_freed_memory
from facette.training.batches import Batch, Order, Store, balanced, read_ahead, reader, spread, training_rows
from facette.training.finish import Provenance, finish_run, publish_model
from facette.training.journal import Journal
from facette.training.preview import draw_preview
from facette.training.schedule import steps_of
from facette.training.sharded import gathered, load_any, save_any, share_out
from facette.training.sharpen import sharpen
from facette.training.state import STATE, TrainState, fresh_state, lend_weights
from facette.training.step import Forward, Objective, StepTerms, train_step
from facette.training.validate import Validation, validate
from facette.training.watch import Finished, Silence, Watcher, due, until_signalled

SHARPEN = "sharpen"  # the folder of the second stage inside a run's


@dataclass(slots=True, eq=False)
class Run:
    """What stays the same while a run goes on."""

    recipe: Recipe
    store: Store
    folder: Path
    steps: int
    rows: np.ndarray  # training rows of the store
    valid: np.ndarray  # validation rows
    objective: Objective
    place: Place
    device: torch.device
    journal: Journal | None  # of the leading process only
    watcher: Watcher
    provenance: Provenance


def train(
    recipe: Recipe,
    store: Store,
    run: str | Path,
    *,
    device: str = "auto",
    watcher: Watcher | None = None,
    source: str = "",
    command: str = "",
    start: TrainedModel | None = None,
) -> Finished:
    """Train by the recipe on the store's training pictures, or go on with the run that is in the folder.

    `start` lends its weights to a new run wherever its layers fit; which do not is said. SIGINT and SIGTERM save and
    return with `interrupted`. Under `torchrun` every process calls this; the batch is shared among them. Raises
    TrainingError for a run of another recipe or data, and for non-finite losses; DataError when there is nothing to
    learn from.
    """
    place = Place.current()
    target = choose_device(device)
    with _process_group(place, target):
        this = _prepare(recipe, store, Path(run), place, target, watcher or Silence(), source, command)
        keep_freed_memory()  # from here on: what listing a large data set took is given back
        state = _state_of(this, start)
        if place.leads:
            write_atomically(this.folder / "recipe.toml", recipe.to_toml())
            this.journal = Journal(this.folder, state.step)
        try:
            with until_signalled() as stopping:
                interrupted = _loop(this, state, stopping)
            reached = state.step
            del state  # everything is saved: its memory is for what follows, and a signal may end that
            if place.leads and not interrupted:
                finish_run(this.folder, recipe, store, this.rows, this.valid, this.watcher.said)
        finally:
            if this.journal is not None:
                this.journal.close()
    best = this.folder / "best"
    ended = Finished(this.folder, best if best.is_dir() else None, reached, this.steps, interrupted)
    if interrupted or recipe.sharpen is None or not place.leads:
        return ended
    return _second_stage(this, ended, device)


def _second_stage(run: Run, first: Finished, device: str) -> Finished:
    """Sharpen the best model, in a folder of its own, and give it its sharpener; done once."""
    assert first.model is not None
    model = load_model(first.model)
    if model.sharpener is not None:
        return first
    model.recipe = run.recipe  # what the second stage may change, it may change after the first
    command = run.provenance.command
    ended = sharpen(
        model, run.store, run.folder / SHARPEN, device=device, watcher=run.watcher, command=command
    )
    if ended.model is not None:
        save_model(load_model(ended.model), first.model)
    return replace(ended, run=first.run, model=first.model)


def _loop(run: Run, state: TrainState, stopping: threading.Event) -> bool:
    """Steps until the end or a signal; returns whether it was interrupted."""
    spec, forward = run.recipe.train, _forward_of(run, state)
    autocast = autocast_dtype(spec.precision, run.device)
    order = Order(balanced(run.rows, run.store, spec.balance), spec.batch, run.recipe.seed)
    run.watcher.started(state.step, run.steps)
    pinned = run.device.type == "cuda"
    batches = read_ahead(reader(run.store, run.recipe), order, state.step, run.steps, run.place, pinned)
    began, since, images = time.monotonic() - state.seconds, time.monotonic(), 0
    state.vae.train()
    for batch in batches:
        terms = train_step(
            state, forward, batch.data, run.recipe, run.steps, run.place, autocast, run.objective
        )
        images += len(batch.data) * run.place.world
        _refuse_non_finite(run, state, terms, batch)
        run.watcher.stepped(state.step, len(batch.data) * run.place.world)
        if due(state.step, spec.log_every, run.steps):
            rate = images / max(1e-9, time.monotonic() - since)
            _log(run, state.step, terms, rate)
            since, images = time.monotonic(), 0
        state.seconds = time.monotonic() - began
        stop = _agreed(stopping.is_set(), run)
        _keep(run, state, stop)
        if stop:
            batches.close()  # type: ignore[attr-defined]
            return state.step < run.steps
    return False


def _keep(run: Run, state: TrainState, stop: bool) -> None:
    """Validate, preview and save when they are due; before a stop only the state is saved. All processes come here,
    for what is shared out among them is gathered and saved by all; the leading one looks and writes."""
    spec = run.recipe.train
    preview, validation = (due(state.step, n, run.steps) for n in (spec.preview_every, spec.validate_every))
    if preview or validation:
        weights = gathered(state.averaged, run.recipe, run.place, run.device)
        if weights is not None and preview:
            _preview(run, state, weights)
        if weights is not None and validation:
            _validate(run, state, weights)
    if stop or due(state.step, spec.save_every, run.steps):
        save_any(run.folder, state, run.recipe, run.store.fingerprint, run.place)


def _validate(run: Run, state: TrainState, weights: VAE) -> None:
    result = validate(weights, run.recipe, run.store, run.valid, run.objective)
    per_dimension = [round(v, 5) for v in result.rate_per_dimension.tolist()]
    row = {k: v for k, v in asdict(result).items() if k != "rate_per_dimension"}
    _record(
        run, "validation", state.step, row | {"seconds": state.seconds, "rate_per_dimension": per_dimension}
    )
    if sentence := collapse_sentence(result, run.recipe.model.latent):
        run.watcher.said(sentence)
    # a state of an older version knows the bound alone, which was then the score
    better = result.score > state.best.get("score", state.best.get("elbo", -math.inf))
    if better:
        state.best = {"step": state.step, "score": result.score}
    metrics = row | {"step": state.step}
    for name in ("best", "last") if better else ("last",):
        publish_model(run.folder / name, weights, run.recipe, metrics, run.provenance, state)


def collapse_sentence(result: Validation, latent: int) -> str | None:
    """What to say when latent units carry nothing (posterior collapse), or None when enough are used."""
    if result.used_units >= 0.9 * latent:
        return None
    return (
        f"posterior collapse: only {result.used_units} of {latent} latent units carry more than 0.01 nats; "
        "lower objective.beta, warm it up (objective.schedule = 'linear'), or give free bits"
    )


def _preview(run: Run, state: TrainState, weights: VAE) -> None:
    rows = run.valid[: run.recipe.train.preview_count]
    picture = draw_preview(weights, run.recipe, run.store, rows, run.folder, state.step)
    if picture is not None and run.journal is not None:
        run.journal.picture("preview", state.step, picture)


def _log(run: Run, step: int, terms: StepTerms, images_per_second: float) -> None:
    names = ("loss", "distortion", "weighted_distortion", "rate", "identity")
    means = _over_processes(torch.stack([getattr(terms, name) for name in names]), run).tolist()
    row = {
        **dict(zip(names, means, strict=True)),
        "grad_norm": terms.grad_norm.item(),
        "beta": terms.beta,
        "lr": terms.lr,
        "images_per_second": round(images_per_second, 2),
    }
    _record(run, "train", step, row)


def _over_processes(values: torch.Tensor, run: Run) -> torch.Tensor:
    """The mean over all processes of what each measured on its slice of the batch."""
    if run.place.world > 1:
        torch.distributed.all_reduce(values)
        values = values / run.place.world
    return values


def _record(run: Run, event: str, step: int, row: dict[str, Any]) -> None:
    if run.journal is not None:
        run.journal.record(event, step, row)
        run.watcher.measured({"event": event, "step": step, **row})


def _refuse_non_finite(run: Run, state: TrainState, terms: StepTerms, batch: Batch) -> None:
    """Stop at a non-finite step. On CUDA looking is a synchronisation, so it happens when a log line is due;
    the weights did not move in between (see `train_step`)."""
    if run.device.type == "cuda" and not due(state.step, run.recipe.train.log_every, run.steps):
        return
    if bool(terms.ok):
        return
    names = getattr(run.store, "names", None)
    listed = [str(names[i]) if names is not None else f"row {i}" for i in batch.indices[:8]]
    more = f" and {len(batch.indices) - 8} more" if len(batch.indices) > 8 else ""
    raise TrainingError(
        f"the loss or its gradient is not finite at step {state.step} (pictures {', '.join(listed)}{more}); "
        f"the last good state is in {run.folder / STATE}: lower train.lr or set train.clip, and start anew"
    )


# ── setting up ───────────────────────────────────────────────────────────────────────────────────────────


def _prepare(
    recipe: Recipe,
    store: Store,
    folder: Path,
    place: Place,
    device: torch.device,
    watcher: Watcher,
    source: str,
    command: str,
) -> Run:
    rows, valid = training_rows(store, recipe.train.pictures), store.indices("valid")
    if not len(rows):
        raise DataError("there are no training pictures: give more pictures, or another split")
    valid = valid if len(valid) else rows[: max(1, len(rows) // 20)]
    valid = spread(valid, recipe.train.validate_count)
    if recipe.train.batch % place.world:
        raise TrainingError(f"train.batch {recipe.train.batch} does not divide among {place.world} processes")
    provenance = Provenance(
        source=source,
        command=command,
        images=len(rows),
        fingerprint=store.fingerprint,
        batch=recipe.train.batch,
    )
    steps = steps_of(recipe.train, len(balanced(rows, store, recipe.train.balance)))
    objective = objective_of(recipe, device, watcher.said)
    return Run(recipe, store, folder, steps, rows, valid, objective, place, device, None, watcher, provenance)


def objective_of(recipe: Recipe, device: torch.device, say: Callable[[str], None]) -> Objective:
    """What the recipe asks for beside the bound; where the network of who is not there, that is said."""
    spec = recipe.objective
    focus = None if spec.focus is None else focus_weights(spec.focus, recipe.side).to(device)
    identity = None
    if spec.identity:
        network = identity_features()
        if network is None:
            say("the network of who is not there: the recipe's term objective.identity is off")
        else:
            identity = copy.deepcopy(network).to(device)
    return Objective(focus, identity)


def _state_of(run: Run, start: TrainedModel | None) -> TrainState:
    state = load_any(run.folder, run.recipe, run.store.fingerprint, run.place, run.device)
    if state is None:
        state = fresh_state(run.recipe, run.device)
        if start is not None:
            fresh = lend_weights(state, start.vae)
            run.watcher.said(_started_from(start.name, fresh))
        return share_out(state, run.recipe, run.place, run.device)
    run.watcher.said(f"going on with {run.folder} at step {state.step} of {run.steps}")
    return state


def _started_from(name: str, fresh: list[str]) -> str:
    if not fresh:
        return f"starting from {name}: every layer fits"
    return f"starting from {name}; new or of another shape, so fresh: {', '.join(fresh)}"


def _forward_of(run: Run, state: TrainState) -> Forward:
    """The model as the step calls it: shared among processes, compiled where the recipe asks for it, on one card as
    a CUDA graph."""
    module: Any = state.vae
    if run.place.world > 1 and not run.recipe.train.shard:
        if run.device.type == "cuda":
            module = torch.nn.SyncBatchNorm.convert_sync_batchnorm(module)
        ids = [run.device.index] if run.device.type == "cuda" else None
        module = DistributedDataParallel(module, device_ids=ids)
    if not run.recipe.train.compile:
        return module
    return torch.compile(module, mode="reduce-overhead" if graphed(run.device, run.place) else None)


def graphed(device: torch.device, place: Place) -> bool:
    """Whether a compiled step is recorded once and replayed: what processes tell each other cannot be recorded."""
    return device.type == "cuda" and place.world == 1


@contextmanager
def _process_group(place: Place, device: torch.device) -> Iterator[None]:
    """Join the other processes of a `torchrun`, when there are any."""
    if place.world == 1 or torch.distributed.is_initialized():
        yield
        return
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def _agreed(stop: bool, run: Run) -> bool:
    """Whether any process was told to stop: all must leave the loop at the same step."""
    if run.place.world == 1:
        return stop
    flag = torch.tensor(float(stop), device=run.device)
    torch.distributed.all_reduce(flag)
    return bool(flag > 0)
