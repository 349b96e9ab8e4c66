"""The second stage as a run: a sharpener over a frozen model, with a folder that can be stopped and gone on with.

Enters: a loaded model, pictures, a folder. Leaves: a folder that holds

    recipe.toml   the recipe with its section [sharpen]   journal.jsonl   what was measured, line by line
    state.safetensors   to go on from                     best/           the model with its sharpener
    previews/     photos, means, sharp; prior, sharp

No bound says when such a training is at its best, and left alone it may go past: what is sharp becomes etched. Kept
are the averaged weights of the validation at which reconstructions and samples were both nearest to the photos'
sharpness. To resume, call it again with the same arguments. One process; nothing here prints.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from facette.checkpoint.native import save_model
from facette.checkpoint.tensors import read_tensors, under, write_atomically, write_tensors
from facette.errors import DataError, TrainingError, UsageError
from facette.measures.reconstruction import sharpness_ratio, unexplained_variance
from facette.model.trained import TrainedModel
from facette.model.vae import build_sharpener
from facette.recipe import Recipe, SharpenSpec, load_recipe, override, parse_recipe
from facette.runtime import Place, autocast_dtype, choose_device, derive_seed, keep_freed_memory
from facette.training.batches import Order, Store, read_ahead, reader, spread, training_rows, wholly_seen
from facette.training.critic import Critic
from facette.training.journal import Journal
from facette.training.preview import write_preview
from facette.training.schedule import lr_at, steps_of
from facette.training.sharpen_step import SharpenState, sharpen_step
from facette.training.state import STATE, check_same_run, optimizer_tensors, restore_optimizer
from facette.training.watch import Finished, Silence, Watcher, due, until_signalled

MAY_CHANGE = {f"sharpen.{k}" for k in ("log_every", "validate_every", "save_every", "preview_count")} | {
    "summary"
}


def sharpen(
    model: TrainedModel,
    store: Store,
    run: str | Path,
    *,
    device: str = "auto",
    watcher: Watcher | None = None,
    command: str = "",
) -> Finished:
    """Train the second stage of a model on a store's training pictures, or go on with the run in the folder.

    The model's recipe needs its section `sharpen`. SIGINT and SIGTERM save and return with `interrupted`.
    Raises UsageError for a model of vectors or a recipe without the section, DataError when there are no pictures,
    TrainingError for a run of another model, recipe or data, and for a gradient that is not finite.
    """
    recipe = model.recipe
    if recipe.sharpen is None or recipe.input.kind == "vector":
        raise UsageError(f"model {model.name!r} cannot be sharpened: its recipe has no section [sharpen]")
    keep_freed_memory()
    stage = _Stage(
        model.plain().to(choose_device(device)), recipe, store, Path(run), watcher or Silence(), command
    )
    state = stage.state()
    write_atomically(stage.folder / "recipe.toml", recipe.to_toml())
    journal = Journal(stage.folder, state.step)
    try:
        with until_signalled() as stopping:
            for batch in stage.batches(state.step):
                lr = lr_at(recipe.sharpen, state.step, stage.steps)
                terms = sharpen_step(state, stage.model, stage.seeded, batch.data, lr, stage.autocast)
                stage.keep(state, terms, journal, len(batch.data), stopping.is_set())
                if stopping.is_set():
                    break
    finally:
        journal.close()
    interrupted = state.step < stage.steps
    return Finished(
        stage.folder, None if interrupted else stage.folder / "best", state.step, stage.steps, interrupted
    )


def with_section(model: TrainedModel, overrides: Sequence[str] = ()) -> TrainedModel:
    """The model with a section [sharpen] in its recipe: its own, or else that of the shipped faces64, overridden.

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
    spec = model.recipe.sharpen or load_recipe("faces64").sharpen
    assert spec is not None
    data = model.recipe.model_dump(exclude_none=True) | {"sharpen": spec.model_dump(exclude_none=True)}
    return replace(model, recipe=parse_recipe(override(data, overrides), model.name))


def distance_from_sharp(measured: dict[str, float]) -> float:
    """|log ratio| to the photos' sharpness, of reconstructions or of samples, whichever is farther."""
    ratios = (measured["sharpness_of_reconstructions"], measured["sharpness_of_samples"])
    return max(abs(math.log(max(ratio, 1e-9))) for ratio in ratios)


class _Stage:
    """What stays the same while a second stage goes on."""

    def __init__(
        self, model: TrainedModel, recipe: Recipe, store: Store, folder: Path, watcher: Watcher, command: str
    ):
        assert recipe.sharpen is not None
        self.model, self.recipe, self.store, self.folder = model, recipe, store, folder
        self.watcher, self.command = watcher, command
        self.spec: SharpenSpec = recipe.sharpen
        self.rows, valid = training_rows(store, recipe.train.pictures), store.indices("valid")
        if not len(self.rows):
            raise DataError("there are no training pictures: give more pictures, or another split")
        valid = wholly_seen(store, recipe, valid if len(valid) else self.rows)
        self.valid = spread(valid, self.spec.validate_count)
        self.steps = steps_of(self.spec, len(self.rows))
        # the first stage's order and noise are not used again
        self.seeded = recipe.model_copy(update={"seed": derive_seed(recipe.seed, "sharpen")})
        self.autocast = autocast_dtype(self.spec.precision, model.device)
        self.fingerprint = _fingerprint(model)
        self.prior_latents = model.sample_latents(len(self.valid), seed=0)

    def batches(self, step: int) -> Any:
        self.watcher.started(step, self.steps)
        self.looked = self.logged = time.monotonic()
        self.images = 0
        order = Order(self.rows, self.spec.batch, self.seeded.seed)
        pinned = self.model.device.type == "cuda"
        return read_ahead(reader(self.store, self.recipe), order, step, self.steps, Place(), pinned)

    def keep(self, state: SharpenState, terms: Any, journal: Journal, images: int, stop: bool) -> None:
        """Log, measure and save when they are due."""
        step, spec, now = state.step, self.spec, time.monotonic()
        state.seconds += now - self.looked
        self.looked, self.images = now, self.images + images
        self.watcher.stepped(step, images)
        logging = due(step, spec.log_every, self.steps)
        if (logging or self.model.device.type != "cuda") and not bool(
            terms.ok
        ):  # on CUDA looking synchronises
            raise TrainingError(
                f"a gradient is not finite at step {step}; the last good state is in {self.folder / STATE}: "
                "lower sharpen.lr, and start anew"
            )
        if logging:
            row = {n: getattr(terms, n).item() for n in ("critic", "deceived", "features", "squared")}
            rate = self.images / max(1e-9, now - self.logged)
            self._record(journal, "train", step, row | {"images_per_second": round(rate, 2)})
            self.logged, self.images = now, 0
        if due(step, spec.validate_every, self.steps):
            measured = self._measure(state)
            self._record(journal, "validation", step, measured | {"seconds": round(state.seconds)})
            if (off := distance_from_sharp(measured)) < state.best.get("off", math.inf):
                state.best = {"step": step, "off": off}
                self._publish(state, measured)
        if stop or due(step, spec.save_every, self.steps):
            self._save(state)

    def _record(self, journal: Journal, event: str, step: int, row: dict[str, Any]) -> None:
        journal.record(event, step, row)
        self.watcher.measured({"event": event, "step": step, **row})

    def _sharpened(self, state: SharpenState) -> TrainedModel:
        sharpener = build_sharpener(self.recipe)
        sharpener.load_state_dict(state.averaged.state_dict())
        return replace(self.model, sharpener=sharpener.to(self.model.device))

    def _measure(self, state: SharpenState) -> dict[str, float]:
        """Sharpness and unexplained variance on the validation pictures, before and after; a preview beside."""
        sharp = self._sharpened(state)
        photos = self.store.read(self.valid)
        z = self.model.encode(photos).mean
        plain, drawn = self.model.decode(z), sharp.decode(z)
        plain_samples, samples = self.model.decode(self.prior_latents), sharp.decode(self.prior_latents)
        shown = slice(self.spec.preview_count)
        rows = [pictures[shown] for pictures in (photos, plain, drawn, plain_samples, samples)]
        write_preview(rows, self.folder, state.step)
        real = photos / 255
        return {
            "sharpness_of_reconstructions": sharpness_ratio(real, drawn / 255),
            "sharpness_of_samples": sharpness_ratio(real, samples / 255),
            "unexplained_variance": unexplained_variance(real, drawn / 255),
            "plain_sharpness_of_reconstructions": sharpness_ratio(real, plain / 255),
            "plain_sharpness_of_samples": sharpness_ratio(real, plain_samples / 255),
            "plain_unexplained_variance": unexplained_variance(real, plain / 255),
        }

    def _publish(self, state: SharpenState, measured: dict[str, float]) -> None:
        model = self._sharpened(state)
        model.provenance = model.provenance | {
            "sharpened_by": self.command,
            "sharpen_steps": state.step,
            "sharpen_image_passes": state.step * self.spec.batch,
            "sharpen_seconds": round(state.seconds),
        }
        model.metrics = model.metrics | {"sharpening": measured}
        save_model(model, self.folder / "best")

    # ── state ────────────────────────────────────────────────────────────────────────────────────────────

    def state(self) -> SharpenState:
        """Step 0, or where the run in the folder stopped."""
        state = _fresh(self.recipe, self.spec, self.model.device)
        path = self.folder / STATE
        if path.is_file():
            tensors, header = read_tensors(path)
            check_same_run(path, header, self.recipe, self.store.fingerprint, MAY_CHANGE.__contains__)
            if header["model"] != self.fingerprint:
                raise TrainingError(
                    f"the run in {self.folder} sharpens another model: give another folder with --out"
                )
            _restore(state, tensors)
            state.step, state.seconds = header["step"], header["seconds"]
            state.best = header["best"]
            self.watcher.said(f"going on with {self.folder} at step {state.step} of {self.steps}")
        return state

    def _save(self, state: SharpenState) -> None:
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
        write_tensors(self.folder / STATE, tensors, header)


def _fresh(recipe: Recipe, spec: SharpenSpec, device: torch.device) -> SharpenState:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "sharpen", "weights"))
        sharpener, averaged = build_sharpener(recipe), build_sharpener(recipe)
        critic: Any = Critic(spec.critic_width).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged.load_state_dict(sharpener.state_dict())
    averaged.requires_grad_(False)
    sharpener, averaged, critic = sharpener.to(device), averaged.to(device), critic.to(device)
    options: dict[str, Any] = {"lr": spec.lr, "betas": spec.adam_betas, "fused": True}
    return SharpenState(
        sharpener,
        averaged,
        critic,
        torch.optim.Adam(sharpener.parameters(), **options),
        torch.optim.Adam(critic.parameters(), **options),
    )


def _restore(state: SharpenState, tensors: dict[str, torch.Tensor]) -> None:
    for part in ("sharpener", "averaged", "critic"):
        getattr(state, part).load_state_dict(under(tensors, f"{part}."))
    restore_optimizer(state.optimizer, state.sharpener, under(tensors, "optimizer."))
    restore_optimizer(state.critic_optimizer, state.critic, under(tensors, "critic_optimizer."))


def _fingerprint(model: TrainedModel) -> str:
    """A short hash of the frozen weights: a sharpener fits one model only."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.vae.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
