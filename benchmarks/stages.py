"""How near both stages of a recipe come to what the machine can do.

Enters: a trained model. Leaves: for its core and its second stage, images per second of whole training steps, the
operations of one picture, and their rate beside the convolution peak, measured in the same process in turns with the
steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from measuring import arguments, write
from peak import KERNELS, now, rates
from torch.utils.flop_counter import FlopCounterMode

from facette.data.source import with_full_mask
from facette.latent.inputs import resolve_model
from facette.model.trained import TrainedModel
from facette.runtime import Rank, autocast_dtype, keep_freed_memory
from facette.training.first_stage import objective_of
from facette.training.second_stage import fresh_sharpening
from facette.training.sharpen_step import sharpen_step
from facette.training.state import fresh_state
from facette.training.step import train_step

CPU = torch.device("cpu")
Step = Callable[[], object]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("model")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each stage is measured")
    asked = parser.parse_args()
    keep_freed_memory()
    model = resolve_model(asked.model)
    assert model.recipe.sharpen is not None
    figures: dict[str, Any] = {}
    for name, (step, batch, operations) in {"core": core(model), "second stage": second_stage(model)}.items():
        figures[name] = measure(step, batch, operations, asked.seconds)
    write(asked.out, figures)


def measure(step: Step, batch: int, operations: float, seconds: float) -> dict[str, Any]:
    """Rates of a step that takes `batch` pictures of so many operations each."""
    for _ in range(3):  # the first ones choose kernels and fill the heap
        step()
    peaks: list[float] = []
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 3:
        peaks.append(KERNELS["convolution"](CPU, torch.float32))
        for _ in range(4):
            before = now(CPU)
            step()
            times.append(now(CPU) - before)
    return rates(batch, median(times), operations, median(peaks))


def core(model: TrainedModel) -> tuple[Step, int, float]:
    """A step of the first stage, its batch, and operations of a picture."""
    recipe = model.recipe
    batch = recipe.train.batch
    state, data = fresh_state(recipe, CPU), photos(model, batch)
    objective = objective_of(recipe, CPU, lambda sentence: None, 10_000)
    state.vae.train()
    autocast = autocast_dtype(recipe.train.precision, CPU)

    def step() -> object:
        return train_step(state, state.vae, data.copy(), recipe, 1000, Rank(), autocast, objective)

    return step, batch, operations_of(step) / batch


def second_stage(model: TrainedModel) -> tuple[Step, int, float]:
    """A step of the second stage and its critic, the first stage's drawing included."""
    recipe, plain = model.recipe, model.plain()
    spec = recipe.sharpen
    assert spec is not None
    state, data = fresh_sharpening(recipe, spec, None, CPU), photos(model, spec.batch)
    autocast = autocast_dtype(spec.precision, CPU)

    def step() -> object:
        return sharpen_step(state, plain, recipe, data.copy(), spec.lr, autocast)

    state.step = spec.critic_lead  # before that only the critic learns
    return step, spec.batch, operations_of(step) / spec.batch


def operations_of(step: Step) -> float:
    """Floating-point operations of convolutions and matrix products, the network of who and the critic included."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def photos(model: TrainedModel, count: int) -> np.ndarray:
    """uint8 (count, S, S, 3), or (count, S, S, 4) wholly seen where the model knows masks: noise."""
    assert model.input.kind == "image"
    side = model.input.size
    pictures = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    return with_full_mask(pictures) if model.input.masked else pictures


if __name__ == "__main__":
    main()
