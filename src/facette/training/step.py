"""One optimizer step: batch in, terms of the bound out. No data set, no files, no clock.

Flips, hidden parts, noise and learning rate are pure functions of (seed, step), so that a step repeated is the same
step.
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
from facette.model.band import reduced, split_mask, with_mask
from facette.model.sharpener import to_symmetric
from facette.model.vae import VAEOutput
from facette.objective import (
    FeatureNetwork,
    beta_at,
    draw_noise,
    elbo_terms,
    identity_distance,
    weighted_loss,
)
from facette.recipe import Recipe
from facette.runtime import Rank, generator
from facette.training.batches import rank_slice
from facette.training.hiding import NUMBERS, hidden_parts
from facette.training.schedule import ema_decay_at, lr_at
from facette.training.sharded import whole
from facette.training.state import TrainState

Forward = Callable[[Tensor, Tensor], VAEOutput]


@dataclass(frozen=True, slots=True)
class StepTerms:
    """What a step measured; tensors stay on the device until a log line needs them."""

    loss: Tensor  # () nats per image
    distortion: Tensor  # () nats per image, batch mean
    weighted_distortion: Tensor  # () the same with the recipe's weights by place
    rate: Tensor  # () nats per image, batch mean
    identity: (
        Tensor  # () batch mean of 1 − cosine of the features of who; 0 where the recipe does not ask for it
    )
    grad_norm: Tensor  # () before clipping
    beta: float
    lr: float
    ok: Tensor  # () bool: loss and gradient were finite, so the weights moved


@dataclass(frozen=True, slots=True)
class Objective:
    """What a run minimises besides the bound's own two terms: weights by place, and a network of who."""

    focus: Tensor | None = None  # (1, 1, s, s), with mean 1
    identity: FeatureNetwork | None = None


def train_step(
    state: TrainState,
    forward: Forward,
    data: np.ndarray | Tensor,
    recipe: Recipe,
    steps: int,
    rank: Rank,
    autocast: torch.dtype | None,
    objective: Objective = Objective(),
) -> StepTerms:
    """Move the weights once on this process's slice of the batch, and count the step.

    A non-finite loss or gradient leaves weights and moments as they were and says so in `ok`.
    """
    spec, vae = recipe.objective, state.vae
    device = next(vae.parameters()).device
    x, noise = prepare_batch(data, recipe, state.step, rank, device)
    x = reduced(x, vae.side) if x.ndim == 4 else x  # (B, 3 or 4, s, s): what the likelihood is asked about
    beta, lr = beta_at(spec, state.step, steps), lr_at(recipe.train, state.step, steps)
    with torch.autocast(device.type, autocast) if autocast else nullcontext():
        passed = forward(_shown(x, recipe, state.step, rank), noise)
    terms = elbo_terms(vae, x, passed, fit_sigma=True, focus=objective.focus)
    loss, identity = weighted_loss(terms, beta, spec.free_bits), terms.rate.new_zeros(())
    if objective.identity is not None:
        assert recipe.input.kind == "image"  # the recipe allows the term for pictures alone
        picture, seen = split_mask(x)
        identity = identity_distance(
            objective.identity,
            to_symmetric(picture, recipe.input.range),
            to_symmetric(vae.likelihood.mean(passed.decoded), recipe.input.range),
            seen,
        ).mean()
        loss = loss + spec.identity * identity
    loss.backward()
    norm = clip(vae, recipe.train.clip)
    ok = torch.isfinite(loss.detach()) & torch.isfinite(norm)
    move(state.optimizer, lr, ok)
    state.optimizer.zero_grad(set_to_none=True)  # no gradient beside the next step's activations
    if state.averaged is not vae:
        average(state.averaged, vae, ema_decay_at(recipe.train.ema, state.step))
    state.step += 1
    distortion = terms.distortion.detach().mean()
    weighted = terms.weighted_distortion
    weighted = distortion if weighted is None else weighted.detach().mean()
    rate = terms.rate.detach().mean()
    return StepTerms(loss.detach(), distortion, weighted, rate, identity.detach(), norm, beta, lr, ok)


def _shown(x: Tensor, recipe: Recipe, step: int, rank: Rank) -> Tensor:
    """What the encoder is shown of a batch (B, 4, s, s): less than is known, in the recipe's share of pictures."""
    if not recipe.train.hide:
        return x
    picture, seen = split_mask(x)
    assert seen is not None  # the recipe has a mask
    whole = len(x) * rank.world
    drawn = torch.rand(NUMBERS, whole, generator=generator(recipe.seed, "hide", step))
    return with_mask(picture, hidden_parts(seen, recipe.train.hide, drawn[:, rank_slice(whole, rank)]))


def prepare_batch(
    data: np.ndarray | Tensor, recipe: Recipe, step: int, rank: Rank, device: torch.device
) -> tuple[Tensor, Tensor]:
    """x (B, …) at the input's size with this step's flips, and ε (B, Z): the slices of what one process would draw for
    all.

    Pictures travel as bytes; they are flipped and become numbers on the device. Nothing here waits for it.
    """
    draws = generator(recipe.seed, "step", step)
    whole = len(data) * rank.world
    noise = draw_noise(whole, recipe.model.latent, draws)
    part = rank_slice(whole, rank)
    pictures, noise = (
        tensor.to(device, non_blocking=True) for tensor in (torch.as_tensor(data), noise[part])
    )
    if recipe.input.kind == "vector":
        return pictures, noise
    if recipe.input.flip:
        flipped = (torch.rand(whole, generator=draws) < 0.5)[part].to(device, non_blocking=True)
        pictures = torch.where(flipped[:, None, None, None], pictures.flip(2), pictures)  # width of N×H×W×C
    return to_model(pictures, recipe.input.range, device), noise


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
