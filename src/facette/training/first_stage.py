"""The first stage of a run: encoder and decoder learn the bound.

Enters: a recipe, a store, a folder. Leaves: what the loop of facette.training.run asks of a stage: steps, figures,
previews, model files and saved states. Knows nothing of loops, clocks or signals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel

from facette.errors import DataError, TrainingError
from facette.model.identity import identity_on
from facette.model.kernels.choices import USUAL, KernelChoices, machine_choices
from facette.model.trained import TrainedModel
from facette.model.vae import VAE
from facette.objective import focus_weights
from facette.objective.own import OwnTerm
from facette.recipe import Recipe
from facette.runtime import Rank, autocast_dtype
from facette.training.batches import (
    Batch,
    Order,
    Store,
    balanced,
    known_conditions,
    labels_of,
    read_ahead,
    reader,
    spread,
    unlabelled,
)
from facette.training.finish import Provenance, publish_model
from facette.training.preview import draw_preview
from facette.training.schedule import steps_of, training_rows
from facette.training.sharded import gathered, load_any, save_any, share_out
from facette.training.state import TrainState, fresh_state, lend_weights
from facette.training.step import Forward, Objective, StepTerms, train_step
from facette.training.validate import Validation, collapse_sentence, validate
from facette.training.watch import Watcher


class FirstStage:
    """One process's part of the first stage."""

    def __init__(
        self,
        recipe: Recipe,
        store: Store,
        folder: Path,
        rank: Rank,
        device: torch.device,
        watcher: Watcher,
        source: str,
        command: str,
        start: TrainedModel | None,
    ):
        self.recipe, self.store, self.folder, self.watcher = recipe, store, folder, watcher
        self.rank, self.device = rank, device
        self.cadence = spec = recipe.train
        self.rows, valid = training_rows(store, spec.pictures), store.indices("valid")
        if not len(self.rows):
            raise DataError("there are no training pictures: give more pictures, or another split")
        if spec.batch % rank.world:
            raise TrainingError(f"train.batch {spec.batch} does not divide among {rank.world} processes")
        if spec.fused_update and rank.world > 1:
            raise TrainingError(
                f"train.fused_update is for one process, and here are {rank.world}, whose gradients are averaged "
                "before weights move: leave it out, or use train.recompute alone"
            )
        valid = valid if len(valid) else self.rows[: max(1, len(self.rows) // 20)]
        self.valid = spread(valid, spec.validate_count)
        # rows of an epoch, rare attributes more than once
        self.epoch = balanced(self.rows, store, spec.balance)
        if missing := unlabelled(store, spec.balance):
            watcher.said(
                f"pictures with {' or '.join(missing)} are seen no more often: no label tells which they are"
            )
        self.steps = steps_of(spec, len(self.epoch))
        self.objective = objective_of(recipe, device, watcher.said, len(self.rows))
        self.provenance = Provenance(source, command, len(self.rows), store.fingerprint, spec.batch)
        self.state = self._state(start)
        self.forward = forward_of(self.state.vae, recipe, rank, device)
        self.autocast = autocast_dtype(spec.precision, device)

    def _state(self, start: TrainedModel | None) -> TrainState:
        """Where the run in the folder stopped, or step 0."""
        state = load_any(
            self.folder, self.recipe, self.store.fingerprint, self.rank, self.device, self.watcher.said
        )
        if state is not None:
            self.watcher.said(f"going on with {self.folder} at step {state.step} of {self.steps}")
            return state
        state = fresh_state(self.recipe, self.device, self._kernels())
        if start is not None:
            fresh = lend_weights(state, start.vae)
            rest = (
                f"; new or of another shape, so fresh: {', '.join(fresh)}" if fresh else ": every layer fits"
            )
            self.watcher.said(f"starting from {start.name}{rest}")
        return share_out(state, self.recipe, self.rank, self.device)

    def _kernels(self) -> KernelChoices:
        """How layers are to compute in a new run: as this machine does it soonest, the same on every process."""
        if self.recipe.train.kernels == "usual" or self.device.type != "cpu":
            return USUAL
        choices = [machine_choices() if self.rank.leads else USUAL]
        if self.rank.world > 1:
            torch.distributed.broadcast_object_list(choices)
        if unusual := choices[0].unusual():
            ways = ", ".join(f"{name} {value}" for name, value in unusual.items())
            self.watcher.said(f"by a measurement on this machine: {ways}")
        return choices[0]

    @property
    def spares_memory(self) -> bool:
        return self.recipe.train.recompute

    def batches(self) -> Iterator[Batch]:
        self.state.vae.train()
        order = Order(self.epoch, self.recipe.train.batch, self.recipe.seed)
        pinned = self.device.type == "cuda"
        read_rows = reader(self.store, self.recipe)
        return read_ahead(read_rows, order, self.state.step, self.steps, self.rank, pinned)

    def step(self, batch: Batch) -> StepTerms:
        return train_step(
            self.state,
            self.forward,
            batch.data,
            self.recipe,
            self.steps,
            self.rank,
            self.autocast,
            self.objective,
            labels_of(self.store, batch.indices) if self.objective.terms else None,
            known_conditions(self.store, self.recipe, batch.indices),
        )

    def log_row(self, result: StepTerms) -> dict[str, Any]:
        names = ("loss", "distortion", "weighted_distortion", "rate", "identity")
        means = torch.stack([*(getattr(result, name) for name in names), *result.terms.values()])
        if self.rank.world > 1:  # each has measured its slice of the batch
            torch.distributed.all_reduce(means)
            means = means / self.rank.world
        row = dict(zip((*names, *result.terms), means.tolist(), strict=True))
        return row | {"grad_norm": result.grad_norm.item(), "beta": result.beta, "lr": result.lr}

    def weights(self) -> VAE | None:
        return gathered(self.state.averaged, self.recipe, self.rank, self.device)

    def preview(self, weights: VAE) -> np.ndarray | None:
        rows = self.valid[: self.recipe.train.preview_count]
        return draw_preview(weights, self.recipe, self.store, rows, self.folder, self.state.step)

    def validate(self, weights: VAE) -> dict[str, Any]:
        """Publishes `last`, and `best` where the score is the highest so far."""
        result, state = self._measured(weights), self.state
        row = {k: v for k, v in asdict(result).items() if k not in ("rate_per_dimension", "terms")}
        row |= result.terms
        if sentence := collapse_sentence(result):
            self.watcher.said(sentence)
        # a state of an older version knows the bound alone, which was then the score
        better = result.score > state.best.get("score", state.best.get("elbo", -math.inf))
        if better:
            state.best = {"step": state.step, "score": result.score}
        metrics = row | {"step": state.step}
        for name in ("best", "last") if better else ("last",):
            publish_model(self.folder / name, weights, self.recipe, metrics, self.provenance, state)
        return row | {"rate_per_dimension": [round(v, 5) for v in result.rate_per_dimension.tolist()]}

    def stop_rule(self) -> str | None:
        """The key of the recipe by which the run ends here; "" for not yet, None for a recipe without such a rule."""
        spec, state = self.recipe.train, self.state
        if spec.minutes is None and spec.patience is None:
            return None
        if spec.minutes is not None and state.seconds >= 60 * spec.minutes:
            return "train.minutes"
        waited = state.step - state.best.get("step", state.step)
        return "train.patience" if spec.patience and waited >= spec.patience * spec.validate_every else ""

    def _measured(self, weights: VAE) -> Validation:
        opponent = self.state.opponent
        network = None if opponent is None else opponent.network
        return validate(weights, self.recipe, self.store, self.valid, self.objective, network)

    def save(self) -> None:
        save_any(self.folder, self.state, self.recipe, self.store.fingerprint, self.rank)


def objective_of(recipe: Recipe, device: torch.device, say: Callable[[str], None], images: int) -> Objective:
    """What the recipe asks for beside the bound; where the network of who is not there, that is said."""
    spec = recipe.objective
    focus = None if spec.focus is None else focus_weights(spec.focus, recipe.core).to(device)
    identity = identity_on(device, spec.identity, "objective.identity", say)
    terms = tuple(OwnTerm.of(term, recipe.code) for term in spec.terms)
    return Objective(focus, identity, images, terms)


def forward_of(vae: VAE, recipe: Recipe, rank: Rank, device: torch.device) -> Forward:
    """The model as the step calls it: shared among processes, compiled where the recipe asks for it, on one card as
    a CUDA graph."""
    module: Any = vae
    if rank.world > 1 and not recipe.train.shard:
        if device.type == "cuda":
            module = torch.nn.SyncBatchNorm.convert_sync_batchnorm(module)
        ids = [device.index] if device.type == "cuda" else None
        module = DistributedDataParallel(module, device_ids=ids)
    if not recipe.train.compile:
        return module
    return torch.compile(module, mode="reduce-overhead" if graphed(device, rank) else None)


def graphed(device: torch.device, rank: Rank) -> bool:
    """Whether a compiled step is recorded once and replayed: what processes tell each other cannot be recorded."""
    return device.type == "cuda" and rank.world == 1
