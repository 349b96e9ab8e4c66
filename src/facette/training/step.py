"""One optimizer step: batch in, terms of the bound out. No data set, no files, no clock.

Flips, noise and learning rate are pure functions of (seed, step), so that a step repeated is the same step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facette.images.convert import to_model
from facette.model.vae import Pass
from facette.objective import beta_at, draw_noise, elbo_terms, weighted_loss
from facette.recipe import Recipe
from facette.runtime import Place, generator
from facette.training.batches import place_slice
from facette.training.schedule import ema_decay_at, lr_at
from facette.training.sharded import whole
from facette.training.state import TrainState

Forward = Callable[[Tensor, Tensor], Pass]


@dataclass(frozen=True, slots=True)
class StepTerms:
    """What a step measured; tensors stay on the device until a log line needs them."""

    loss: Tensor  # () nats per image
    distortion: Tensor  # () nats per image, batch mean
    rate: Tensor  # () nats per image, batch mean
    grad_norm: Tensor  # () before clipping
    beta: float
    lr: float
    ok: Tensor  # () bool: loss and gradient were finite, so the weights moved


def train_step(
    state: TrainState,
    forward: Forward,
    data: np.ndarray | Tensor,
    recipe: Recipe,
    steps: int,
    place: Place,
    autocast: torch.dtype | None,
) -> StepTerms:
    """Move the weights once on this process's slice of the batch, and count the step.

    A non-finite loss or gradient leaves weights and moments as they were and says so in `ok`.
    """
    device = next(state.vae.parameters()).device
    x, noise = prepare_batch(data, recipe, state.step, place, device)
    beta, lr = beta_at(recipe.objective, state.step, steps), lr_at(recipe.train, state.step, steps)
    with torch.autocast(device.type, autocast) if autocast else nullcontext():
        passed = forward(x, noise)
    terms = elbo_terms(state.vae, x, passed, fit_sigma=True)
    loss = weighted_loss(terms, beta, recipe.objective.free_bits)
    loss.backward()
    norm = clip(state.vae, recipe.train.clip)
    ok = torch.isfinite(loss.detach()) & torch.isfinite(norm)
    move(state.optimizer, lr, ok)
    state.optimizer.zero_grad(set_to_none=True)  # no gradient beside the next step's activations
    if state.averaged is not state.vae:
        average(state.averaged, state.vae, ema_decay_at(recipe.train.ema, state.step))
    state.step += 1
    return StepTerms(
        loss.detach(), terms.distortion.detach().mean(), terms.rate.detach().mean(), norm, beta, lr, ok
    )


def prepare_batch(
    data: np.ndarray | Tensor, recipe: Recipe, step: int, place: Place, device: torch.device
) -> tuple[Tensor, Tensor]:
    """x (B, …) with this step's flips, and ε (B, Z): the slices of what one process would draw for all.

    Pictures travel as bytes; they are flipped and become numbers on the device. Nothing here waits for it.
    """
    draws = generator(recipe.seed, "step", step)
    whole = len(data) * place.world
    noise = draw_noise(whole, recipe.model.latent, draws)
    part = place_slice(whole, place)
    given, ready = (
        torch.as_tensor(data).to(device, non_blocking=True),
        noise[part].to(device, non_blocking=True),
    )
    if recipe.input.kind == "vector":
        return given, ready
    if recipe.input.flip:
        flipped = (torch.rand(whole, generator=draws) < 0.5)[part].to(device, non_blocking=True)
        given = torch.where(flipped[:, None, None, None], given.flip(2), given)  # width of N×H×W×3
    return to_model(given, recipe.input.range, device), ready


def clip(network: nn.Module, limit: float | None) -> Tensor:
    """The norm of all gradients, which are scaled down to the limit where there is one. () before clipping."""
    norm = whole(torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None]))
    if limit is not None:
        torch.nn.utils.clip_grads_with_norm_(network.parameters(), limit, norm)
    return norm


def move(optimizer: torch.optim.Adam, lr: float, ok: Tensor) -> None:
    """Step the optimizer unless `ok` is false; on CUDA the fused kernel looks itself, without a synchronisation."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    if ok.device.type == "cuda":
        fused: Any = optimizer
        fused.grad_scale, fused.found_inf = None, (~ok).float()
        optimizer.step()
    elif ok:
        optimizer.step()


@torch.no_grad()
def average(averaged: nn.Module, weights: nn.Module, decay: float) -> None:
    """Move the exponential average of a network's weights and buffers towards them."""
    mine, theirs = averaged.state_dict(), weights.state_dict()
    floating = [n for n, t in mine.items() if t.is_floating_point()]
    for name in floating:
        mine[name].lerp_(theirs[name], 1 - decay)
    for name in mine.keys() - set(floating):
        mine[name].copy_(theirs[name])
