"""From a run's weights to model files: publishing along the way, and what is added once training has ended.

After the last step the best weights by validation get a Gaussian mixture fitted to their latents of the training
pictures, since samples of N(0, I) fall between the faces (arXiv 1903.12436).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facette.checkpoint.native import load_model, save_model
from facette.code import Modules
from facette.data.attributes import AttributeTable
from facette.errors import CheckpointError, DataError
from facette.latent.noise import PREFIX, knows_people
from facette.latent.people import measure_people
from facette.latent.typicality import ERROR, FEWEST, measure_typicality
from facette.model.conditions import COMPONENTS, SHIFT
from facette.model.mixture_fit import (
    FEWEST_OF_A_CLASS,
    fit_class_mixture,
    fit_factor_mixture,
    fit_gaussian_mixture,
)
from facette.model.prior import FittedPrior
from facette.model.trained import TrainedModel
from facette.model.vae import VAE, build_vae
from facette.recipe import Recipe, TrainSpec
from facette.runtime import generator
from facette.training.batches import Store, reader, wholly_seen
from facette.training.state import HARMLESS, LENGTH, MIXTURE, SHARPENING, TrainState, changes, has_layers_of

READ_AT_ONCE = 512
PEOPLE = 8_000  # pictures that say how people differ
FIT_AT_MOST = 50_000  # latents; more change a mixture's parameters by less than its own error


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a model comes from, as its card will say."""

    source: str
    command: str
    images: int
    fingerprint: str
    batch: int

    def at(self, state: TrainState) -> dict[str, Any]:
        return {
            "data": self.source,
            "data_fingerprint": self.fingerprint,
            "command": self.command,
            "images": self.images,
            "steps": state.step,
            "image_passes": state.step * self.batch,
            "seconds": round(state.seconds),
            "hardware": _hardware(next(state.vae.parameters()).device),
            "torch": torch.__version__,
            "trained": time.strftime("%Y-%m-%d", time.gmtime()),
        }


def publish_model(
    path: Path,
    weights: VAE,
    recipe: Recipe,
    metrics: dict[str, Any],
    provenance: Provenance,
    state: TrainState,
) -> None:
    """Write the current (averaged) weights as a model file; the memory of the weights is shared, not copied."""
    with torch.device("meta"):
        shown = build_vae(recipe)
    shown.load_state_dict(weights.state_dict(), assign=True)
    save_model(TrainedModel(shown, recipe, metrics=metrics, provenance=provenance.at(state)), path)


def finish_run(
    folder: Path,
    recipe: Recipe,
    store: Store,
    rows: np.ndarray,
    valid: np.ndarray,
    say: Callable[[str], None],
    start: TrainedModel | None = None,
) -> None:
    """Give the best and the last model what training alone does not: how typical pictures are for it, measured on
    the validation rows; how people differ, of the training rows; and a mixture fitted to their latents, where the
    recipe asks for one.
    What a model already has is left as it is; where the recipe has changed since, that is said. A run whose layers all
    began with those of `start` keeps what these pictures cannot tell: a mixture where they are too few, and where they
    have no labels how people differ, attributes and what the dial's strengths come to."""
    mend_models(folder, say, recipe.code)
    _tell_late_changes(folder, recipe, say)
    measured: dict[
        tuple[int, str], dict[str, torch.Tensor]
    ] = {}  # by step: best and last are often the same weights
    fitted: dict[int, FittedPrior | None] = {}
    common: dict[int, dict[str, torch.Tensor]] = {}  # of latents and conditions, in models that have these
    labelled = getattr(store, "attributes", None) is not None
    for name in ("best", "last"):
        model = load_model(folder / name, code=recipe.code)
        step, before = model.provenance["steps"], model.fitted_prior
        lender = start if start is not None and has_layers_of(model.vae, start.vae) else None
        added: dict[str, torch.Tensor] = {}
        if recipe.input.kind == "image" and ERROR not in model.extras and len(valid) >= FEWEST:
            if (step, ERROR) not in measured:
                measured[step, ERROR] = measure_typicality(model, reader(store, recipe)(valid))
            added |= measured[step, ERROR]
        lends = lender is not None and not labelled and model.conditioning is None
        measures_people = not (lends and knows_people(lender)) and len(rows) > 1
        if recipe.input.kind == "image" and not knows_people(model) and measures_people:
            if (step, PREFIX) not in measured:
                measured[step, PREFIX] = _people(model, store, rows)
            added |= measured[step, PREFIX]
        if model.fitted_prior is None and recipe.train.mixture_components:
            if step not in fitted:
                say(f"fitting a Gaussian mixture to the latents of {folder / name}")
                fitted[step], common[step] = _mixture_or_none(model, store, rows, recipe.train, say)
            model.fitted_prior = fitted[step]
            if model.fitted_prior is None and lender is not None and lender.fitted_prior is not None:
                say(f"{folder / name} keeps the mixture of {lender.name}")
                model.fitted_prior = lender.fitted_prior
            added |= common[step]
        if lender is not None and lends:
            own = model.extras.keys() | added.keys()
            added |= {key: value for key, value in lender.extras.items() if key not in own}
            said_of_them = {
                k: v for k, v in lender.metrics.items() if isinstance(v, dict) and k != SHARPENING
            }
            model.metrics = said_of_them | model.metrics
        if added or model.fitted_prior is not before:
            if lender is not None and lends and name == "best":
                say(
                    f"keeps what {lender.name} knows and these pictures do not tell, of attributes and of how people "
                    "differ; facette attributes fit and facette calibrate measure it anew, on labelled ones"
                )
            model.extras |= added
            save_model(model, folder / name)


def _mixture_or_none(
    model: TrainedModel, store: Store, rows: np.ndarray, spec: TrainSpec, say: Callable[[str], None]
) -> tuple[FittedPrior | None, dict[str, torch.Tensor]]:
    """`_mixture`, or none where there are too few latents, which is said."""
    try:
        return _mixture(model, _latents_to_fit(model, store, rows), spec)
    except DataError as error:
        say(f"no mixture was fitted: {error}")
        return None, {}


def _latents_to_fit(model: TrainedModel, store: Store, rows: np.ndarray) -> torch.Tensor:
    """(N, Z), of pictures without a hidden part: what a model makes up for it is no example of what there is. Where
    training mirrors pictures and the mixture has many components, of the mirrored ones too."""
    whole = wholly_seen(store, model.recipe, rows[:FIT_AT_MOST])
    latents = latents_of(model, store, whole)
    inputs = model.recipe.input
    if not (model.recipe.train.mixture_rank and inputs.kind == "image" and inputs.flip):
        return latents
    return torch.cat([latents, latents_of(model, store, whole, mirrored=True)])


def _mixture(
    model: TrainedModel, latents: torch.Tensor, spec: TrainSpec
) -> tuple[FittedPrior, dict[str, torch.Tensor]]:
    """The mixture fitted to latents, and what a model with conditions has to know beside it."""
    seed, candidates = model.recipe.seed, spec.mixture_components

    def fit(points: torch.Tensor) -> FittedPrior:
        if spec.mixture_rank:
            return fit_factor_mixture(points, candidates=candidates, rank=spec.mixture_rank, seed=seed)
        return fit_gaussian_mixture(points, candidates=candidates, seed=seed)

    if model.conditioning is None:
        return fit(latents), {}
    conditioning = model.conditioning.fitted(latents.numpy())
    shift = {SHIFT: torch.from_numpy(conditioning.shift).float()}
    own, classes = (
        torch.from_numpy(conditioning.own(latents.numpy())),
        conditioning.classes_of(latents.numpy()),
    )
    many = np.unique(classes, axis=0, return_counts=True)[1].max() >= FEWEST_OF_A_CLASS
    if not (many and classes.any()):
        return fit(own), shift
    mixture, components = fit_class_mixture(own, classes, candidates=candidates, seed=seed)
    return mixture, shift | {COMPONENTS: torch.from_numpy(components).float()}


def _tell_late_changes(folder: Path, recipe: Recipe, say: Callable[[str], None]) -> None:
    """A run that has ended takes no more steps: whoever turns something then is told that it was in vain."""
    last = load_model(folder / "last", code=recipe.code)
    harmless = HARMLESS | (MIXTURE if last.fitted_prior is None else set())
    before = last.recipe.model_dump(mode="json", exclude_none=True)
    changed = changes(
        before, recipe, lambda k: k in harmless | LENGTH or k.startswith(("sharpen.", "input.frame."))
    )
    if changed:
        say(f"the run in {folder} had ended before, so this changes nothing: {changed}; give another folder")


def mend_models(folder: Path, say: Callable[[str], None], code: Modules = ()) -> None:
    """Put the whole one of the two model folders in the place of the other, where a disk has damaged that.

    Raises CheckpointError where both are damaged.
    """
    problems: dict[str, CheckpointError] = {}
    for name in ("best", "last"):
        try:
            load_model(folder / name, code=code)
        except CheckpointError as error:
            problems[name] = error
    if len(problems) == 2:
        raise problems["best"]
    for name, problem in problems.items():
        other = "last" if name == "best" else "best"
        say(f"{problem}: {folder / other} takes its place")
        save_model(load_model(folder / other, code=code), folder / name)


def _people(model: TrainedModel, store: Store, rows: np.ndarray) -> dict[str, torch.Tensor]:
    """How the people of some rows differ to the model, drawn evenly from all of them."""
    chosen = rows[:: max(1, len(rows) // PEOPLE)][:PEOPLE]
    read_rows, labels = reader(store, model.recipe), getattr(store, "attributes", None)
    means = [
        np.asarray(model.encode(read_rows(chosen[start : start + READ_AT_ONCE])).mean)
        for start in range(0, len(chosen), READ_AT_ONCE)
    ]
    table = None if labels is None else AttributeTable(labels.names, labels.values[chosen])
    return measure_people(model, np.concatenate(means), table)


def latents_of(model: TrainedModel, store: Store, rows: np.ndarray, mirrored: bool = False) -> torch.Tensor:
    """One draw of q(z|x) for each row, (N, Z): the aggregate posterior's own points."""
    draws, read_rows = generator(model.recipe.seed, "latents"), reader(store, model.recipe)
    parts = []
    for start in range(0, len(rows), READ_AT_ONCE):
        data = read_rows(rows[start : start + READ_AT_ONCE])
        posterior = model.encode(np.ascontiguousarray(data[:, :, ::-1]) if mirrored else data)
        parts.append(posterior.sample(generator=draws))
    return torch.cat(parts)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
