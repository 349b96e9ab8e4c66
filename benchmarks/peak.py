"""What a training step is made of, and how near it is to what the machine can do.

Enters: a recipe. Leaves: milliseconds of its parts, floating-point operations, and rates beside the convolution peak
of the machine, measured in the same process in turns with the steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from statistics import median
from typing import Any

import numpy as np
import torch
from measuring import Memory, arguments, write
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from facette.objective import beta_at, draw_noise, elbo_terms, weighted_loss
from facette.recipe import Recipe, load_recipe
from facette.runtime import Rank, autocast_dtype, generator, keep_freed_memory, spare_memory
from facette.training.state import fresh_state
from facette.training.step import clip, prepare_batch, train_step

# channels, side of the map, batch: 3×3 convolutions like those of the networks here
SHAPES = ((64, 32, 16), (64, 16, 32), (128, 16, 32), (128, 8, 64), (256, 8, 64))
MATRIX = 1024


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="how long to measure, without the warming up"
    )
    parser.add_argument("--step-only", action="store_true", help="only the whole step: images per second")
    asked = parser.parse_args()
    recipe = load_recipe(asked.recipe, asked.overrides)
    (spare_memory if recipe.train.recompute else keep_freed_memory)()
    with Memory() as memory:
        figures = _step_only(recipe, asked.seconds) if asked.step_only else measure(recipe, asked.seconds)
    write(asked.out, figures | memory.figures())


def measure(recipe: Recipe, seconds: float) -> dict[str, Any]:
    """Parts of a step, operations of a picture, and rates; steps and peaks are measured in turns."""
    step, parts = Step(recipe), {}
    step.run(parts)  # the first chooses kernels and fills the heap
    parts.clear()
    peaks: dict[str, list[float]] = {"convolution": [], "matrix": []}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, kernel in KERNELS.items():
            peaks[name].append(kernel(step.device, torch.float32))
        for _ in range(4):
            step.run(parts)
    milliseconds = {name: 1000 * median(times) for name, times in parts.items()}
    whole = sum(milliseconds.values())
    operations = flops_per_picture(recipe)
    return {
        "milliseconds": {name: round(value, 2) for name, value in milliseconds.items()},
        "matrix_peak_gflops": round(median(peaks["matrix"]), 1),
        **rates(recipe.train.batch, whole / 1000, operations, median(peaks["convolution"])),
    }


def rates(batch: int, seconds: float, operations: float, peak: float) -> dict[str, Any]:
    """What a step over `batch` pictures of so many operations each comes to, beside a peak in GFLOP/s."""
    rate = operations * batch / seconds / 1e9
    return {
        "batch": batch,
        "images_per_second": round(batch / seconds, 1),
        "gflop_per_picture": round(operations / 1e9, 3),
        "gflops": round(rate, 1),
        "convolution_peak_gflops": round(peak, 1),
        "share_of_convolution_peak": round(rate / peak, 3),
    }


class Step:
    """`train_step` taken apart: the same calls in the same order, with a look at the clock in between."""

    def __init__(self, recipe: Recipe, device: torch.device | None = None):
        self.recipe = recipe
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.state = fresh_state(recipe, self.device)
        self.state.vae.train()
        size, count = recipe.input.size, 4 * recipe.train.batch
        self.store = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)

    def run(self, parts: dict[str, list[float]]) -> None:
        recipe, state, number = self.recipe, self.state, self.state.step
        marks = [now(self.device)]
        rows = generator(recipe.seed, "rows", number)
        data = self.store[torch.randperm(len(self.store), generator=rows)[: recipe.train.batch].numpy()]
        x, noise = prepare_batch(data, recipe, number, Rank(), self.device)
        marks.append(now(self.device))
        dtype = autocast_dtype(recipe.train.precision, self.device)
        with torch.autocast(self.device.type, dtype) if dtype else nullcontext():
            passed = state.vae(x, noise)
        terms = elbo_terms(state.vae, x, passed, fit_sigma=True)
        loss = weighted_loss(terms, beta_at(recipe.objective, number, 1000), recipe.objective.free_bits)
        marks.append(now(self.device))
        loss.backward()
        marks.append(now(self.device))
        norm = clip(state.vae, recipe.train.clip)
        state.optimizer.step(recipe.train.lr, torch.isfinite(norm))
        state.optimizer.drop_gradients()
        state.step += 1
        marks.append(now(self.device))
        for name, a, b in zip(("data", "forward", "backward", "optimizer"), marks, marks[1:], strict=False):
            parts.setdefault(name, []).append(b - a)


def _step_only(recipe: Recipe, seconds: float) -> dict[str, Any]:
    """Images per second of `train_step` itself, the average of weights included."""
    step = Step(recipe)
    autocast = autocast_dtype(recipe.train.precision, step.device)
    data = step.store[: recipe.train.batch]
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - began < seconds:
        before = now(step.device)
        train_step(step.state, step.state.vae, data.copy(), recipe, 1000, Rank(), autocast)
        times.append(now(step.device) - before)
    return {"images_per_second": round(recipe.train.batch / median(times[1:]), 1)}


def flops_per_picture(recipe: Recipe) -> float:
    """Floating-point operations of one picture's forward and backward pass, as the plain layers need them.

    Counted on convolutions and matrix products, in evaluation, where no layer computes more than it must in order to
    compute it faster.
    """
    vae = fresh_state(recipe, torch.device("cpu")).vae.eval()
    count = 2
    x = torch.rand(count, 3, recipe.input.size, recipe.input.size).to(memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as counter:
        passed = vae(x, draw_noise(count, recipe.model.latent, generator(0)))
        weighted_loss(elbo_terms(vae, x, passed), 1.0).backward()
    return counter.get_total_flops() / count


def convolution_peak(
    device: torch.device, dtype: torch.dtype, shapes: Sequence[tuple[int, int, int]] = SHAPES
) -> float:
    """GFLOP/s of the best of some 3×3 convolutions, channels-last."""
    return max(_convolution(*shape, device, dtype) for shape in shapes)


def matrix_peak(device: torch.device, dtype: torch.dtype, side: int = MATRIX) -> float:
    """GFLOP/s of a product of two square matrices."""
    a, b = torch.rand(2, side, side, device=device).to(dtype)
    return 2 * side**3 / _fastest(lambda: a @ b, device) / 1e9


def _convolution(channels: int, side: int, batch: int, device: torch.device, dtype: torch.dtype) -> float:
    x, weight = (
        torch.rand(shape, device=device).to(dtype=dtype, memory_format=torch.channels_last)
        for shape in ((batch, channels, side, side), (channels, channels, 3, 3))
    )
    seconds = _fastest(lambda: F.conv2d(x, weight, padding=1), device)
    return 2 * 9 * channels**2 * side**2 * batch / seconds / 1e9


KERNELS: dict[str, Callable[[torch.device, torch.dtype], float]] = {
    "convolution": convolution_peak,
    "matrix": matrix_peak,
}


def _fastest(kernel: Callable[[], Tensor], device: torch.device, times: int = 5) -> float:
    """The shortest of several runs in seconds: a peak is what is possible. A card gets ten in a row, so that its queue
    is never empty."""
    row = 10 if device.type == "cuda" else 1
    with torch.no_grad():
        kernel()
        seconds = []
        for _ in range(times):
            before = now(device)
            for _ in range(row):
                kernel()
            seconds.append((now(device) - before) / row)
    return min(seconds)


def now(device: torch.device) -> float:
    """Seconds by the clock when everything that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()
