"""One step of the second stage: the critic learns, then the sharpener. No data set, no files, no clock.

The VAE is frozen. A batch of photos is encoded, a latent drawn from each posterior and decoded: these means are
sharpened and compared with their photos. Beside them stand means decoded from draws of the fitted prior, which only
the critic judges. Flips, noise and draws are pure functions of (seed, step).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facette.model.band import split_mask
from facette.model.sharpener import Sharpener, to_symmetric
from facette.model.trained import TrainedModel
from facette.objective import FeatureNetwork, identity_distance
from facette.recipe import Recipe, SharpenSpec
from facette.runtime import Rank, derive_seed, generator
from facette.training.critic import (
    Critic,
    Judged,
    augment,
    critic_loss,
    deception,
    detail_distance,
    detail_level,
    feature_distance,
    steepness,
)
from facette.training.schedule import ema_decay_at
from facette.training.step import average, prepare_batch
from facette.training.update import Adam

NOISE = 0.05  # standard deviation, in values of [−1, 1], by which the critic's slope is measured


@dataclass(slots=True, eq=False)
class SharpenState:
    """A second stage in progress; `averaged` are the weights that will be used."""

    sharpener: Sharpener
    averaged: Sharpener
    critic: Critic
    optimizer: Adam
    critic_optimizer: Adam
    step: int = 0
    seconds: float = 0.0
    best: dict[str, Any] = field(default_factory=dict)  # step of the weights kept, and how far off they are


@dataclass(frozen=True, slots=True)
class SharpenTerms:
    """What a step measured, as tensors on the device."""

    critic: Tensor  # () loss of the critic, nats
    steepness: Tensor  # () the squared length of its gradient, at photos in one step and at drawn pictures in the next
    deceived: Tensor  # () loss of the sharpener against it, nats
    features: Tensor  # () mean absolute feature distance
    detail: Tensor  # () how far the strength of detail differs, in places and as a whole
    squared: Tensor  # () mean squared difference of values in [−1, 1]
    identity: Tensor  # () 1 − mean cosine of who is in photos and drawings; 0 where it costs nothing
    ok: Tensor  # () bool: every gradient was finite, so the weights moved


@dataclass(frozen=True, slots=True)
class Drawn:
    """A batch as the second stage takes it. N photos, M draws of the prior; values in the recipe's range."""

    photos: Tensor  # (N, C, H, W)
    seen: Tensor | None  # (N, 1, H, W) where the photos are known; None: everywhere
    means: Tensor  # (N + M, C, H, W), decoded
    z: Tensor  # (N + M, Z)


def sharpen_step(
    state: SharpenState,
    model: TrainedModel,
    recipe: Recipe,
    data: np.ndarray | Tensor,
    lr: float,
    autocast: torch.dtype | None,
    identity: FeatureNetwork | None = None,
) -> SharpenTerms:
    """Move critic and sharpener once, and count the step; a non-finite gradient moves nothing.

    `identity`: the network of who, where the recipe has a price for it.
    """
    spec = recipe.sharpen
    assert spec is not None
    assert recipe.input.kind == "image"
    drawn = draw_batch(model, recipe, data, state.step, spec)
    context = torch.autocast(drawn.photos.device.type, autocast) if autocast else nullcontext()
    with context:
        sharp = to_symmetric(state.sharpener(drawn.means, drawn.z), recipe.input.range).float()
        photos = to_symmetric(drawn.photos, recipe.input.range)
        if drawn.seen is not None:  # what nobody has seen is as it was drawn: neither wrong nor telling
            photos = torch.where(drawn.seen > 0, photos, sharp[: len(photos)].detach())
        seen_photos, seen_sharp = _as_seen(photos, sharp, recipe, state.step, spec)
        state.critic.requires_grad_(True)
        # draws of the prior take any photo
        pairs = torch.arange(len(seen_sharp), device=sharp.device) % len(photos)
        real, false = state.critic(seen_photos), state.critic(seen_sharp.detach())
        against = critic_loss(real.part(pairs), false)
        judged, pictures = (real, seen_photos) if state.step % 2 else (false, seen_sharp.detach())
        steep = _steepness(state.critic, judged, pictures, generator(recipe.seed, "steepness", state.step))
        against = against + spec.critic_penalty * steep
    # the critic's rate falls with the sharpener's, but needs no warm-up
    share = lr / spec.lr if state.step > spec.lr_warmup_steps else 1.0
    fine = _descend(state.critic_optimizer, state.critic, against, spec.critic_lr * share)
    with context:
        state.critic.requires_grad_(False)  # its turn is over: no gradient for its weights
        verdict = state.critic(seen_sharp)
        with torch.no_grad():
            target = state.critic(seen_photos)
        again = slice(len(photos))
        deceived = deception(target.part(pairs), verdict)
        features = feature_distance(verdict.part(again), target)
        detail = detail_distance(sharp[again], photos) + detail_level(sharp[again], photos)
        if len(sharp) > len(photos):
            detail = detail + detail_level(sharp[len(photos) :], photos)
        squared = (sharp[again] - photos).square().mean()
        who = squared.new_zeros(())
        if identity is not None:
            who = identity_distance(identity, photos, sharp[again], None).mean()
        loss = deceived + spec.feature_weight * features + spec.squared_weight * squared
        loss = loss + spec.detail_weight * detail + spec.identity_weight * who
    if state.step >= spec.critic_lead:
        fine = fine & _descend(state.optimizer, state.sharpener, loss, lr)
        average(state.averaged, state.sharpener, ema_decay_at(spec.ema, state.step))
    state.step += 1
    return SharpenTerms(
        against.detach(),
        steep.detach(),
        deceived.detach(),
        features.detach(),
        detail.detach(),
        squared.detach(),
        who.detach(),
        fine,
    )


@torch.no_grad()
def draw_batch(
    model: TrainedModel, recipe: Recipe, data: np.ndarray | Tensor, step: int, spec: SharpenSpec
) -> Drawn:
    """Photos (uint8) with this step's flips, and the means that stand for them and for draws of the prior."""
    x, noise = prepare_batch(data, recipe, step, Rank(), model.device)
    z = model.vae.encode(x).sample(noise=noise)
    extra = round(spec.prior_share * len(x))
    if extra:
        drawn = model.sample_latents(extra, seed=derive_seed(recipe.seed, "prior", step))
        z = torch.cat([z, drawn.to(z.device)])
    photos, seen = split_mask(x, model.vae.channels)
    return Drawn(photos, seen, model.vae.decode(z), z)


def _as_seen(
    photos: Tensor, sharp: Tensor, recipe: Recipe, step: int, spec: SharpenSpec
) -> tuple[Tensor, Tensor]:
    """Photos and drawn pictures as the critic sees them: a pair is moved and tinted in the same way."""
    draws = generator(recipe.seed, "augment", step)
    if torch.rand((), generator=draws) >= spec.augment:
        return photos, sharp
    rest = sharp[len(photos) :]
    again = draws.clone_state()
    seen, seen_pairs = augment(photos, draws), augment(sharp[: len(photos)], again)
    return seen, torch.cat([seen_pairs, augment(rest, draws)]) if len(rest) else seen_pairs


def _steepness(critic: Critic, judged: Judged, pictures: Tensor, draws: torch.Generator) -> Tensor:
    noise = torch.randn(pictures.shape, generator=draws).to(pictures.device)
    return steepness(judged, critic(pictures + NOISE * noise), NOISE)


def _descend(optimizer: Adam, network: torch.nn.Module, loss: Tensor, lr: float) -> Tensor:
    optimizer.drop_gradients()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), float("inf"))
    ok = torch.isfinite(loss.detach()) & torch.isfinite(norm)
    optimizer.step(lr, ok)
    return ok
