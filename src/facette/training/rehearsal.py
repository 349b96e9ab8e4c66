"""A rehearsal: one real step of everything that a run would do, in a folder that is gone afterwards.

Enters: what a run takes. Leaves: nothing, or the error that the run would have met hours later. A step of each stage
with the whole batch, a validation, previews, the state saved and read back, the model file written and opened, the
mixture fitted: what passes here fails later only by what the pictures do.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from facette.data.conditions import resolve_conditions
from facette.model.trained import TrainedModel
from facette.recipe import Recipe
from facette.runtime import Rank
from facette.training.batches import Store
from facette.training.run import sharpen, train
from facette.training.schedule import training_rows
from facette.training.sharded import load_any

VALIDATED = 24  # pictures: as many as typicality needs, and a few
ONCE: dict[str, Any] = {
    "epochs": None,
    "log_every": 1,
    "validate_every": 1,
    "save_every": 1,
    "preview_count": 2,
}


def rehearse(
    recipe: Recipe,
    store: Store,
    *,
    device: str = "auto",
    start: TrainedModel | None = None,
    run: Path | None = None,
) -> None:
    """Raises whatever `train` would raise; in the folder `run`, where there may be a run already."""
    if run is not None:
        known = resolve_conditions(recipe, store, training_rows(store, recipe.train.pictures))
        load_any(run, known, store.fingerprint, Rank(), torch.device("cpu"))
    once = rehearsed(recipe)
    with TemporaryDirectory(prefix="facette-rehearsal-") as folder:
        train(once, store, folder, device=device, start=start)
        longer = once.train.model_copy(update={"steps": 2, "lr_schedule": "constant"})
        if (
            recipe.train.lr_schedule == "constant"
        ):  # a run that can be made longer goes on from what was saved
            train(once.model_copy(update={"train": longer, "sharpen": None}), store, folder, device=device)


def rehearse_sharpening(model: TrainedModel, store: Store, *, device: str = "auto") -> None:
    """Raises whatever `sharpen` would raise."""
    with TemporaryDirectory(prefix="facette-rehearsal-") as folder:
        before, model.recipe = model.recipe, rehearsed(model.recipe)
        try:
            sharpen(model, store, Path(folder), device=device)
        finally:
            model.recipe = before


def rehearsed(recipe: Recipe) -> Recipe:
    """The recipe of a run of one step a stage, over no more pictures than that needs."""
    spec = recipe.train
    few = min(spec.pictures or 2 * spec.batch, 2 * spec.batch)
    changed: dict[str, Any] = {
        "train": spec.model_copy(
            update=ONCE
            | {
                "steps": 1,
                "pictures": few,
                "preview_every": 1,
                "validate_count": min(spec.validate_count, VALIDATED),
            }
            | {"mixture_components": spec.mixture_components[:1]}
        )
    }
    if recipe.sharpen is not None:
        count = min(recipe.sharpen.validate_count, VALIDATED)
        once = ONCE | {"steps": 1, "critic_lead": 0, "validate_count": count}
        changed["sharpen"] = recipe.sharpen.model_copy(update=once)
    return recipe.model_copy(update=changed)
