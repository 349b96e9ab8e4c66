"""The second stage of a run: a sharpener over a frozen model, in a folder that can be stopped and gone on with.

Enters: a loaded model, pictures, a folder. Leaves: what the loop of facette.training.run asks of a stage, and a folder

    recipe.toml   the recipe with its section [sharpen]   journal.jsonl   what was measured, line by line
    state.safetensors   to go on from                     best/           the model with its sharpener
    previews/     photos, means, sharp; prior, sharp

No bound says when such a training is at its best, and left alone it may go past: what is sharp becomes etched. Kept
are the averaged weights of the validation at which reconstructions and samples were both nearest to the photos'
sharpness. Knows nothing of loops, clocks or signals.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facette.checkpoint.native import save_model
from facette.checkpoint.tensors import read_newest, under, write_tensors
from facette.errors import DataError, TrainingError, UsageError
from facette.images.convert import as_unit
from facette.measures.reconstruction import sharpness_ratio, unexplained_variance
from facette.model.identity import identity_on
from facette.model.sharpener import Sharpener
from facette.model.trained import TrainedModel
from facette.model.vae import build_sharpener
from facette.models import DEFAULT_MODEL
from facette.recipe import Recipe, SharpenSpec, load_recipe, override, parse_recipe
from facette.runtime import Rank, autocast_dtype, derive_seed
from facette.training.batches import (
    Batch,
    Order,
    Store,
    read_ahead,
    reader,
    spread,
    wholly_seen,
)
from facette.training.critic import Critic
from facette.training.preview import write_preview
from facette.training.schedule import lr_at, steps_of, training_rows
from facette.training.sharpen_step import SharpenState, SharpenTerms, sharpen_step
from facette.training.state import (
    SHARPENING,
    STATE,
    check_same_run,
    has_layers_of,
    optimizer_tensors,
    restore_optimizer,
)
from facette.training.update import Adam
from facette.training.watch import Watcher

MAY_CHANGE = {f"sharpen.{k}" for k in ("log_every", "validate_every", "save_every", "preview_count")} | {
    "summary"
}


def with_section(model: TrainedModel, overrides: Sequence[str] = ()) -> TrainedModel:
    """The model with a section [sharpen] in its recipe: its own, or else that of the shipped faces128, overridden; who
    the face is has no price there where pictures are not of faces in colour.

    Raises RecipeError for overrides that do not fit, UsageError for those of other sections and for vectors.
    """
    if model.input.kind == "vector":
        raise UsageError(f"model {model.name!r} is one of vectors: only pictures can be sharpened")
    if strange := [o for o in overrides if not o.strip().startswith("sharpen.")]:
        raise UsageError(
            f"{strange[0]!r} would change the first stage: only sharpen.KEY=VALUE can be set here"
        )
    if model.recipe.sharpen is not None and not overrides:
        return model
    spec = model.recipe.sharpen or _usual(model)
    data = model.recipe.model_dump(exclude_none=True) | {"sharpen": spec.model_dump(exclude_none=True)}
    return replace(model, recipe=parse_recipe(override(data, overrides), model.name))


def _usual(model: TrainedModel) -> SharpenSpec:
    spec = load_recipe(DEFAULT_MODEL).sharpen
    assert spec is not None
    assert model.input.kind == "image"
    faces = model.input.frame is not None and model.input.channels == 3
    return spec if faces else spec.model_copy(update={"identity_weight": 0.0})


def distance_from_sharp(measured: dict[str, float]) -> float:
    """|log ratio| to the photos' sharpness, of reconstructions or of samples, whichever is farther."""
    ratios = (measured["sharpness_of_reconstructions"], measured["sharpness_of_samples"])
    return max(abs(math.log(max(ratio, 1e-9))) for ratio in ratios)


class SecondStage:
    """The second stage of one model; a single process."""

    rank = Rank()
    spares_memory = False

    def __init__(
        self,
        model: TrainedModel,
        store: Store,
        folder: Path,
        device: torch.device,
        watcher: Watcher,
        command: str,
        anew: bool = False,
        start: TrainedModel | None = None,
    ):
        recipe = model.recipe
        if recipe.sharpen is None or recipe.input.kind == "vector":
            raise UsageError(f"model {model.name!r} cannot be sharpened: its recipe has no section [sharpen]")
        self.model, self.recipe, self.store, self.folder = model.plain().to(device), recipe, store, folder
        self.device, self.command = device, command
        self.cadence: SharpenSpec = recipe.sharpen
        self.rows, valid = training_rows(store, recipe.train.pictures), store.indices("valid")
        if not len(self.rows):
            raise DataError("there are no training pictures: give more pictures, or another split")
        valid = wholly_seen(store, recipe, valid if len(valid) > 1 else self.rows)
        self.valid = spread(valid, self.cadence.validate_count)
        self.steps = steps_of(self.cadence, len(self.rows))
        # the first stage's order and noise are not used again
        self.seeded = recipe.model_copy(update={"seed": derive_seed(recipe.seed, "sharpen")})
        self.autocast = autocast_dtype(self.cadence.precision, device)
        self.identity = identity_on(
            device, self.cadence.identity_weight, "sharpen.identity_weight", watcher.said
        )
        lender = start if model.sharpener is None and start is not None else model
        self.start, self.lender = _fitting(lender.sharpener, recipe), lender.name
        self.fingerprint = _fingerprint(self.model, self.start)
        self.prior_latents = self.model.sample_latents(len(self.valid), seed=0)
        self.state = self._state(watcher, anew)

    def batches(self) -> Iterator[Batch]:
        order = Order(self.rows, self.cadence.batch, self.seeded.seed)
        pinned = self.device.type == "cuda"
        read_rows = reader(self.store, self.recipe)
        return read_ahead(read_rows, order, self.state.step, self.steps, self.rank, pinned)

    def stop_rule(self) -> str | None:
        """None: the rules of the recipe end its first stage."""
        return None

    def step(self, batch: Batch) -> SharpenTerms:
        lr = lr_at(self.cadence, self.state.step, self.steps)
        return sharpen_step(self.state, self.model, self.seeded, batch.data, lr, self.autocast, self.identity)

    def log_row(self, result: SharpenTerms) -> dict[str, Any]:
        return {
            n: getattr(result, n).item()
            for n in ("critic", "steepness", "deceived", "features", "detail", "squared", "identity")
        }

    def weights(self) -> TrainedModel:
        sharpener = build_sharpener(self.recipe)
        sharpener.load_state_dict(self.state.averaged.state_dict())
        return replace(self.model, sharpener=sharpener.to(self.device))

    def preview(self, weights: TrainedModel) -> np.ndarray:
        """Photos, means, sharp; draws of the prior, sharp."""
        shown = slice(self.cadence.preview_count)
        photos, latents = self.store.read(self.valid[shown]), self.prior_latents[shown]
        z = self.model.encode(photos).mean
        rows = [photos, *(drawn.decode(z) for drawn in (self.model, weights))]
        rows += [drawn.decode(latents) for drawn in (self.model, weights)]
        return write_preview(rows, self.folder, self.state.step)

    def validate(self, weights: TrainedModel) -> dict[str, Any]:
        """Sharpness and unexplained variance, before and after; `best` is published where both kinds of picture are
        nearest to the photos' sharpness so far."""
        photos = self.store.read(self.valid)
        z, real = self.model.encode(photos).mean, as_unit(photos)
        measured = {}
        for prefix, drawn in (("", weights), ("plain_", self.model)):
            again, samples = as_unit(drawn.decode(z)), as_unit(drawn.decode(self.prior_latents))
            measured[f"{prefix}sharpness_of_reconstructions"] = sharpness_ratio(real, again)
            measured[f"{prefix}sharpness_of_samples"] = sharpness_ratio(real, samples)
            measured[f"{prefix}unexplained_variance"] = unexplained_variance(real, again)
        if (off := distance_from_sharp(measured)) < self.state.best.get("off", math.inf):
            self.state.best = {"step": self.state.step, "off": off}
            self._publish(weights, measured)
        return measured

    def _publish(self, model: TrainedModel, measured: dict[str, float]) -> None:
        model.provenance = model.provenance | {
            "sharpened_by": self.command,
            "sharpen_steps": self.state.step,
            "sharpen_image_passes": self.state.step * self.cadence.batch,
            "sharpen_seconds": round(self.state.seconds),
        }
        model.metrics = model.metrics | {SHARPENING: measured}
        save_model(model, self.folder / "best")

    # ── state ────────────────────────────────────────────────────────────────────────────────────────────

    def _state(self, watcher: Watcher, anew: bool) -> SharpenState:
        """Step 0, or where the run in the folder stopped. `anew`: a state that belongs to another model is left behind
        and not refused, for the first stage may have learnt on."""
        state = fresh_sharpening(self.recipe, self.cadence, self.start, self.device)
        path = self.folder / STATE
        newest = read_newest(path)
        if newest is None and self.start is not None:
            watcher.said(f"begins with the sharpener that {self.lender} has")
        if newest is not None:
            tensors, header, problem = newest
            if problem:
                watcher.said(problem)
            if anew and header["model"] != self.fingerprint:
                watcher.said(f"the first stage has learnt on: the second in {self.folder} begins anew")
                return state
            check_same_run(path, header, self.recipe, self.store.fingerprint, MAY_CHANGE.__contains__)
            if header["model"] != self.fingerprint:
                raise TrainingError(
                    f"the run in {self.folder} sharpens another model: give another folder by `out`"
                )
            _restore(state, tensors)
            state.step, state.seconds, state.best = header["step"], header["seconds"], header["best"]
            watcher.said(f"going on with {self.folder} at step {state.step} of {self.steps}")
        return state

    def save(self) -> None:
        state = self.state
        tensors = {
            f"{part}.{n}": t
            for part in ("sharpener", "averaged", "critic")
            for n, t in getattr(state, part).state_dict().items()
        }
        tensors |= optimizer_tensors(state.optimizer, state.sharpener, "optimizer.")
        tensors |= optimizer_tensors(state.critic_optimizer, state.critic, "critic_optimizer.")
        header = {
            "kind": "sharpening state",
            "step": state.step,
            "seconds": state.seconds,
            "best": state.best,
            "recipe": self.recipe.model_dump(mode="json", exclude_none=True),
            "data": self.store.fingerprint,
            "model": self.fingerprint,
        }
        write_tensors(self.folder / STATE, tensors, header, keep_previous=True)


def _fitting(sharpener: Sharpener | None, recipe: Recipe) -> Sharpener | None:
    """The sharpener, where its layers are those of the recipe: learning then begins with it and not with nothing."""
    if sharpener is None:
        return None
    return sharpener if has_layers_of(build_sharpener(recipe), sharpener) else None


def fresh_sharpening(
    recipe: Recipe, spec: SharpenSpec, start: Sharpener | None, device: torch.device
) -> SharpenState:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "sharpen", "weights"))
        sharpener, averaged = build_sharpener(recipe), build_sharpener(recipe)
        critic: Any = Critic(spec.critic_width, recipe.input.channels).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start is not None:
        sharpener.load_state_dict(start.state_dict())
    averaged.load_state_dict(sharpener.state_dict())
    averaged.requires_grad_(False)
    sharpener, averaged, critic = sharpener.to(device), averaged.to(device), critic.to(device)
    return SharpenState(
        sharpener,
        averaged,
        critic,
        Adam(sharpener.parameters(), spec.lr, spec.adam_betas),
        Adam(critic.parameters(), spec.lr, spec.adam_betas),
    )


def _restore(state: SharpenState, tensors: dict[str, torch.Tensor]) -> None:
    for part in ("sharpener", "averaged", "critic"):
        getattr(state, part).load_state_dict(under(tensors, f"{part}."))
    restore_optimizer(state.optimizer, state.sharpener, under(tensors, "optimizer."))
    restore_optimizer(state.critic_optimizer, state.critic, under(tensors, "critic_optimizer."))


def _fingerprint(model: TrainedModel, start: Sharpener | None) -> str:
    """A short hash of the frozen weights, and of those that learning began with: a sharpener fits one model only."""
    digest = hashlib.blake2b(digest_size=16)
    begun = start.state_dict() if start is not None else {}
    for name, tensor in [*sorted(model.vae.state_dict().items()), *sorted(begun.items())]:
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
