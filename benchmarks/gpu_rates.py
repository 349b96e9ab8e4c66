"""How fast a card trains, beside what it can do.

Enters: a device and picture sizes. Leaves: images per second of whole training steps in bf16 where the device has it,
plain and compiled, and model FLOP utilisation: operations that the plain layers need (`peak.flops_per_picture`) over
the best matrix product and the best convolution that were measured here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from peak import convolution_peak, flops_per_picture, matrix_peak, now

from facette.recipe import Recipe, load_recipe
from facette.runtime import Rank, autocast_dtype
from facette.training.first_stage import forward_of
from facette.training.state import fresh_state
from facette.training.step import train_step

Figures = dict[str, Any]
CARD_SHAPES = ((128, 64, 64), (256, 32, 128), (256, 64, 64), (512, 32, 64))  # channels, side, batch
CARD_MATRIX = 8192


@dataclass(frozen=True, slots=True)
class RateExtent:
    """What is measured. Sizes in pixels, each with its batch."""

    device: torch.device
    batches: dict[int, int]
    seconds: float = 4.0  # of steps, for each figure
    shapes: tuple[tuple[int, int, int], ...] = CARD_SHAPES
    matrix: int = CARD_MATRIX
    compiled: bool = True


def peaks(extent: RateExtent) -> Figures:
    """TFLOP/s of the best matrix product and convolution, by precision."""
    dtypes = [torch.float32] + ([torch.bfloat16] if _dtype(extent.device) else [])
    return {
        str(dtype).removeprefix("torch."): {
            "matrix_tflops": round(matrix_peak(extent.device, dtype, extent.matrix) / 1e3, 3),
            "convolution_tflops": round(convolution_peak(extent.device, dtype, extent.shapes) / 1e3, 3),
        }
        for dtype in dtypes
    }


def rates(extent: RateExtent, peak: Figures, left: Callable[[], float]) -> dict[str, Figures]:
    """Images per second and utilisation at each size, plain and compiled, as long as there are seconds left."""
    best = peak[list(peak)[-1]]  # of the precision that training takes
    results: dict[str, Figures] = {}
    for side, batch in extent.batches.items():
        recipe = load_recipe("faces64", [f"input.size={side}", f"train.batch={batch}", "train.clip=none"])
        work = flops_per_picture(recipe) / 1e12
        for way in ("plain", "compiled") if extent.compiled else ("plain",):
            name = f"{side} px, {way}"
            if left() <= 0:
                results[name] = {"why": "there was no time left"}
                continue
            print(f"measuring: {name}", file=sys.stderr, flush=True)
            try:
                rate, memory = _images_per_second(recipe, extent, way == "compiled")
            except (
                Exception
            ) as error:  # a size that does not fit, or a compiler that fails, leaves the others
                results[name] = {"why": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
                continue
            results[name] = {
                "batch": batch,
                "images_per_second": round(rate, 1),
                "gflop_per_picture": round(1e3 * work, 3),
                "tflops": round(rate * work, 3),
                "share_of_matrix_peak": round(rate * work / best["matrix_tflops"], 4),
                "share_of_convolution_peak": round(rate * work / best["convolution_tflops"], 4),
                "peak_memory_mb": memory,
            }
    return results


def _images_per_second(recipe: Recipe, extent: RateExtent, compiled: bool) -> tuple[float, float | None]:
    """The median over blocks of ten steps, and the peak memory in MB; pictures lie where a reader leaves them."""
    device, card = extent.device, extent.device.type == "cuda"
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"compile": compiled})})
    state, autocast = fresh_state(recipe, device), autocast_dtype(recipe.train.precision, device)
    forward: Any = forward_of(state.vae.train(), recipe, Rank(), device)
    if card:
        torch.cuda.reset_peak_memory_stats(device)
    side, batch = recipe.input.shape[0], recipe.train.batch
    data = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), np.uint8))
    data = data.pin_memory() if card else data
    block, times = (10 if card else 1), []
    for _ in range(3 * block):
        train_step(state, forward, data, recipe, 1000, Rank(), autocast)
    began = now(device)
    while len(times) < 3 or now(device) - began < extent.seconds:
        before = now(device)
        for _ in range(block):
            train_step(state, forward, data, recipe, 1000, Rank(), autocast)
        times.append((now(device) - before) / block)
    memory = round(torch.cuda.max_memory_allocated(device) / 1e6, 1) if card else None
    return batch / median(times), memory


def _dtype(device: torch.device) -> torch.dtype | None:
    return autocast_dtype("auto", device)
