"""How long a run is, what from and how fast it learns at each step: pure functions of recipe, data and step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from facette.recipe import Recipe, SharpenSpec, TrainSpec

PASSES, LEAST = (
    100,
    500,
)  # over few pictures from a trained model, and steps: more learns them by heart (docs/LOG.md)
SLOWER = 0.2  # of the recipe's learning rate, which is one for weights that are drawn
LENGTHS = ("steps", "epochs", "minutes", "lr")


class PartedData(Protocol):
    """What is needed of a data set here: how long it is, and which rows are of which part."""

    def __len__(self) -> int: ...

    def indices(self, partition: str = "all") -> np.ndarray: ...


def training_rows(store: PartedData, pictures: int | None = None) -> np.ndarray:
    """Rows of the store to learn from: the training part, or its first `pictures` rows.

    In 32 bits where they fit: these rows and their shuffle are all that grows in memory with the data.
    """
    rows = store.indices("train")[:pictures]
    return rows.astype(np.int32) if len(store) <= np.iinfo(np.int32).max else rows


def steps_of(spec: TrainSpec | SharpenSpec, images: int) -> int:
    """Optimizer steps of the whole run over `images` training pictures; an epoch drops its last partial batch."""
    return spec.steps if spec.steps is not None else (spec.epochs or 0) * steps_per_epoch(spec.batch, images)


def learning_on(recipe: Recipe, images: int, changes: Sequence[str] = ()) -> Recipe:
    """The recipe for a run that starts from a trained model: with few pictures shorter, and at a smaller rate.

    `images`: the training pictures, each as often as an epoch shows it. `changes` to the recipe that name its length or
    rate leave both as they are. Such a run is never longer than the recipe's own.
    """
    spec = recipe.train
    named = {change.partition("=")[0].strip().removeprefix("train.") for change in changes}
    steps = max(LEAST, PASSES * steps_per_epoch(spec.batch, images))
    if named & set(LENGTHS) or steps >= steps_of(spec, images):
        return recipe
    shorter = spec.model_copy(update={"steps": steps, "epochs": None, "lr": SLOWER * spec.lr})
    return recipe.model_copy(update={"train": shorter})


def steps_per_epoch(batch: int, images: int) -> int:
    """Whole batches in one pass over the data, at least one."""
    return max(1, images // batch)


def lr_at(spec: TrainSpec | SharpenSpec, step: int, steps: int) -> float:
    """Learning rate of a step: linear warm-up, then constant or a cosine down to lr · lr_final."""
    length = spec.lr_warmup_steps
    if isinstance(spec, TrainSpec):
        length = length or round(spec.lr_warmup_share * steps)
    warm = min(1.0, (step + 1) / length) if length else 1.0
    if isinstance(spec, TrainSpec) and spec.lr_schedule == "constant":
        return spec.lr * warm
    rest = max(1, steps - length)
    progress = min(1.0, max(0.0, (step - length) / rest))
    falling = spec.lr_final + (1 - spec.lr_final) * 0.5 * (1 + math.cos(math.pi * progress))
    return spec.lr * warm * falling


def ema_decay_at(decay: float, step: int) -> float:
    """Decay of the weight average after a step: short at first, so that early weights are forgotten."""
    return min(decay, (1 + step) / (10 + step))
