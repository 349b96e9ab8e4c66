"""One optimizer step: batch in, terms of the bound out. No data set, no files, no clock.

Flips, hidden parts, noise and learning rate are pure functions of (seed, step), so that a step repeated is the same
step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn

from facette.images.convert import to_model
from facette.model.band import reduced, split_mask, with_mask
from facette.model.inference import label_costs
from facette.model.likelihood import LocationScaleLikelihood, Scales
from facette.model.posterior import DiagonalGaussian
from facette.model.sharpener import to_symmetric
from facette.model.vae import VAE, VAEOutput
from facette.objective import (
    FeatureNetwork,
    WholeBatch,
    beta_at,
    capacity_at,
    draw_noise,
    elbo_terms,
    identity_distance,
    scale_sums,
    total_objective,
)
from facette.objective.discriminator import discriminator_loss
from facette.objective.own import OwnTerm, TermBatch
from facette.recipe import ObjectiveSpec, Recipe
from facette.runtime import Rank, generator
from facette.training.batches import rank_slice
from facette.training.hiding import NUMBERS, hidden_parts
from facette.training.schedule import ema_decay_at, lr_at
from facette.training.sharded import whole as gathered_whole
from facette.training.state import Opponent, TrainState

Forward = Callable[..., VAEOutput]  # of x, noise, and known conditions where the model has any


CONDITION_COSTS = ("labels", "condition_rate")  # a known label missed by q(c|x); the rate of an unknown one


@dataclass(frozen=True, slots=True)
class StepTerms:
    """What a step measured; tensors stay on the device until a log line needs them."""

    loss: Tensor  # () nats per image
    distortion: Tensor  # () nats per image, batch mean
    weighted_distortion: Tensor  # () the same with the recipe's weights by place
    rate: Tensor  # () nats per image, batch mean
    # () batch mean of 1 − cosine of the features of who; 0 where the recipe does not ask for it
    identity: Tensor
    terms: dict[str, Tensor]  # () each, what else the recipe's sum is made of, without weights
    grad_norm: Tensor  # () before clipping
    beta: float
    lr: float
    ok: Tensor  # () bool: loss and gradient were finite, so the weights moved


@dataclass(frozen=True, slots=True)
class Objective:
    """What a run minimises besides the bound's own two terms: weights by place, and a network of who."""

    focus: Tensor | None = None  # (1, 1, s, s), with mean 1
    identity: FeatureNetwork | None = None
    images: int = 1  # of the data set
    terms: tuple[OwnTerm, ...] = ()  # of the caller's own


def train_step(
    state: TrainState,
    forward: Forward,
    data: np.ndarray | Tensor,
    recipe: Recipe,
    steps: int,
    rank: Rank,
    autocast: torch.dtype | None,
    objective: Objective = Objective(),
    labels: Mapping[str, Tensor] | None = None,
    known: Tensor | None = None,
) -> StepTerms:
    """Move the weights once on this process's slice of the batch, and count the step.

    `labels` (B,) each are what terms of one's own may look at, `known` (B, K) the model's conditions, NaN where a
    picture has no label. A non-finite loss or gradient leaves weights and moments
    as they were and says so in `ok`; with `train.fused_update` such a gradient leaves those of its own weight.
    """
    vae, step = state.vae, state.step
    device = next(vae.parameters()).device
    x, noise = prepare_batch(data, recipe, step, rank, device)
    x = reduced(x, vae.core, vae.channels) if x.ndim == 4 else x  # (B, planes, h, w): for the likelihood
    shown = _shown(x, recipe, step, rank)
    known = None if known is None else known.to(device, non_blocking=True)
    beta, lr = beta_at(recipe.objective, step, steps), lr_at(recipe.train, step, steps)

    def through(part: slice) -> VAEOutput:
        with torch.autocast(device.type, autocast) if autocast else nullcontext():
            return forward(shown[part], noise[part], *(() if known is None else (known[part],)))

    def backward(loss: Tensor) -> None:
        if state.fused is not None:
            state.fused.expect(loss, lr)
        loss.backward()

    measured = _gradients(state, x, through, backward, recipe, beta, rank, objective, labels or {}, known)
    norm = clip(vae, recipe.train.clip) if state.fused is None else state.fused.norm()
    ok = torch.isfinite(measured.loss) & torch.isfinite(norm)
    if state.fused is None:
        state.optimizer.step(lr, ok)
    state.optimizer.drop_gradients()  # no gradient beside the next step's activations
    terms = dict(measured.terms)
    if state.opponent is not None:
        terms["discriminator"] = _train_opponent(state.opponent, measured.z, recipe, step, ok)
    if state.averaged is not vae:
        average(state.averaged, vae, ema_decay_at(recipe.train.ema, step))
    state.step += 1
    return StepTerms(
        **measured.means, loss=measured.loss, terms=terms, grad_norm=norm, beta=beta, lr=lr, ok=ok
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the parts of a batch come to together; no tensor of it has a gradient."""

    loss: Tensor  # ()
    means: dict[str, Tensor]  # () each, over the images of this process
    terms: dict[str, Tensor]  # () each
    z: Tensor  # (B, Z), of the whole batch


def _gradients(
    state: TrainState,
    x: Tensor,
    through: Callable[[slice], VAEOutput],
    backward: Callable[[Tensor], None],
    recipe: Recipe,
    beta: float,
    rank: Rank,
    objective: Objective,
    labels: Mapping[str, Tensor],
    known: Tensor | None,
) -> _Measured:
    """Leave the gradient of the recipe's sum in the weights, or the weights moved by it, part by part."""
    spec, vae = recipe.objective, state.vae
    parts = [slice(p[0], p[-1] + 1) for p in np.array_split(np.arange(len(x)), recipe.train.accumulate)]
    ahead = _Ahead([], True) if len(parts) == 1 else _look_ahead(vae, x, parts, through, objective.focus)
    zero = torch.zeros((), device=x.device)
    loss = zero
    sums: dict[str, Tensor] = dict.fromkeys(("distortion", "weighted_distortion", "rate", "identity"), zero)
    weighing = beta if spec.importance else None
    for place, part in enumerate(parts):
        passed, share = through(part), (part.stop - part.start) / len(x)
        terms = elbo_terms(vae, x[part], passed, ahead.scales, objective.focus, weighing)
        whole = _joined(WholeBatch.of(terms, passed), ahead.parts, place, rank if spec.joint else Rank())
        total = total_objective(
            spec,
            terms,
            whole,
            beta=beta,
            capacity=capacity_at(spec.capacity, state.step),
            images=objective.images,
            share=share,
            discriminator=state.opponent and state.opponent.network,
            generator=generator(recipe.seed, "prior draws", state.step),
        )
        who = _identity(vae, x[part], passed, recipe, objective.identity)
        own = own_costs(vae, x[part], passed, objective.terms, labels, part, state.step)
        told = condition_costs(vae, passed, None if known is None else known[part])
        priced = spec.identity * who + sum(t.spec.weight * own[t.spec.name] for t in objective.terms)
        priced = priced + price_of_conditions(told, spec, beta)
        local = total.local + share * priced
        backward(local + total.joint)
        weighted = terms.distortion if terms.weighted_distortion is None else terms.weighted_distortion
        figures = (terms.distortion.mean(), weighted.mean(), terms.rate.mean(), who)
        for name, figure in zip(
            ("distortion", "weighted_distortion", "rate", "identity"), figures, strict=True
        ):
            sums[name] = sums[name] + share * figure.detach()
        for name, cost in (own | told).items():
            sums[name] = sums.get(name, zero) + share * cost.detach()
        loss = loss + local.detach()
    named = {name: value.detach() for name, value in total.terms.items()}  # the same in every part
    named |= {
        name: sums.pop(name)
        for name in (*(term.spec.name for term in objective.terms), *CONDITION_COSTS)
        if name in sums
    }
    return _Measured(loss + total.joint.detach(), sums, named, whole.z.detach())


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What a step knows of the whole batch before it computes the first part's gradient."""

    parts: list[WholeBatch]
    scales: bool | Scales


@torch.no_grad()
def _look_ahead(
    vae: VAE,
    x: Tensor,
    parts: list[slice],
    through: Callable[[slice], VAEOutput],
    focus: Tensor | None,
) -> _Ahead:
    """Every part once without gradients, for the terms that need the whole batch (arXiv 2101.06983), the optimal σ
    among them."""
    known, sums = [], []
    for part in parts:
        passed = through(part)
        whole = WholeBatch.of(elbo_terms(vae, x[part], passed), passed)
        posterior = DiagonalGaussian(whole.posterior.mean.clone(), whole.posterior.scale.clone())
        known.append(WholeBatch(posterior, whole.z.clone(), whole.rate.clone()))  # a graph reuses its outputs
        sums.append(scale_sums(vae, x[part], passed, focus))
    scales: bool | Scales = True
    if sums[0]:
        assert isinstance(vae.likelihood, LocationScaleLikelihood)
        totals = [torch.stack(column).sum(0) for column in zip(*sums, strict=True)]
        scales = vae.likelihood.fit(totals[0], totals[1] if len(totals) > 1 else None)
    return _Ahead(known, scales)


def _joined(own: WholeBatch, parts: list[WholeBatch], place: int, rank: Rank) -> WholeBatch:
    """The whole batch, of all parts and processes, with the gradient of one part: `own`, at its place."""
    if len(parts) <= 1 and rank.world == 1:
        return own

    def join(column: Callable[[WholeBatch], Tensor]) -> Tensor:
        columns = [column(each) for each in parts] or [column(own)]
        columns[place] = column(own)
        local = torch.cat(columns)
        if rank.world == 1:
            return local
        gathered = [torch.empty_like(local) for _ in range(rank.world)]
        torch.distributed.all_gather(gathered, local.detach().contiguous())
        # gradients are averaged over the processes, each of which has its own part of this one alone
        gathered[rank.index] = local.detach() + rank.world * (local - local.detach())
        return torch.cat(gathered)

    posterior = DiagonalGaussian(join(lambda w: w.posterior.mean), join(lambda w: w.posterior.scale))
    return WholeBatch(posterior, join(lambda w: w.z), join(lambda w: w.rate))


def _identity(
    vae: VAE, x: Tensor, passed: VAEOutput, recipe: Recipe, network: FeatureNetwork | None
) -> Tensor:
    """Mean distance of who is in the pictures from who was drawn, (); 0 where the recipe does not ask for it."""
    if network is None:
        return passed.z.new_zeros(())
    assert recipe.input.kind == "image"  # the recipe allows the term for pictures alone
    picture, seen = split_mask(x.repeat_interleave(len(passed.z) // len(x), 0), vae.channels)
    drawn = vae.likelihood.mean(passed.decoded)
    picture, drawn = (to_symmetric(each, recipe.input.range) for each in (picture, drawn))
    return identity_distance(network, picture, drawn, seen).mean()


def own_costs(
    vae: VAE,
    x: Tensor,
    passed: VAEOutput,
    terms: Sequence[OwnTerm],
    labels: Mapping[str, Tensor],
    part: slice,
    step: int,
) -> dict[str, Tensor]:
    """Each of the caller's own terms, () by name, of a part of a batch whose `labels` are whole."""
    if not terms:
        return {}
    draws = len(passed.z) // len(x)
    picture, seen = split_mask(x, vae.channels) if x.ndim == 4 else (x, None)
    batch = TermBatch(
        x=picture,
        seen=seen,
        posterior=passed.posterior,
        z=passed.z[::draws],
        mean=vae.likelihood.mean(passed.decoded)[::draws],
        labels={name: column[part].to(x.device) for name, column in labels.items()},
        step=step,
    )
    return {term.spec.name: term.cost(batch) for term in terms}


def condition_costs(vae: VAE, passed: VAEOutput, known: Tensor | None) -> dict[str, Tensor]:
    """Means over a part of a batch, () nats per image by the names `CONDITION_COSTS`; empty for a model that is told
    nothing."""
    if passed.inference is None:
        return {}
    known = torch.full_like(passed.inference.code, math.nan) if known is None else known
    costs = label_costs(vae.conditions, passed.inference.raw, known)
    return {name: cost.mean() for name, cost in zip(CONDITION_COSTS, costs, strict=True)}


def price_of_conditions(
    costs: Mapping[str, Tensor | float], spec: ObjectiveSpec, beta: float
) -> Tensor | float:
    """What the costs of conditions come to in the sum, () nats per image."""
    prices: dict[str, float] = dict(zip(CONDITION_COSTS, (spec.labels, beta), strict=True))
    return sum((prices[name] * cost for name, cost in costs.items()), start=0.0)


def _train_opponent(opponent: Opponent, z: Tensor, recipe: Recipe, step: int, ok: Tensor) -> Tensor:
    """Move the discriminator once on the draws that the model has just made; returns its loss, ()."""
    opponent.optimizer.drop_gradients()
    loss = discriminator_loss(opponent.network, z, generator(recipe.seed, "permuted", step))
    loss.backward()
    opponent.optimizer.step(opponent.optimizer.lr, ok)
    opponent.optimizer.drop_gradients()
    return loss.detach()


def _shown(x: Tensor, recipe: Recipe, step: int, rank: Rank) -> Tensor:
    """What the encoder is shown of a batch (B, planes, h, w): less than is known, in the recipe's share of pictures."""
    if not recipe.train.hide:
        return x
    assert recipe.input.kind == "image"  # the recipe allows hiding for pictures alone
    picture, seen = split_mask(x, recipe.input.channels)
    assert seen is not None  # the recipe has a mask
    whole = len(x) * rank.world
    drawn = torch.rand(NUMBERS, whole, generator=generator(recipe.seed, "hide", step))
    return with_mask(picture, hidden_parts(seen, recipe.train.hide, drawn[:, rank_slice(whole, rank)]))


def prepare_batch(
    data: np.ndarray | Tensor, recipe: Recipe, step: int, rank: Rank, device: torch.device
) -> tuple[Tensor, Tensor]:
    """x (B, …) at the input's size with this step's flips, and ε (B, Z) or (B, K, Z): the slices
    of what one process would draw for all.

    Pictures travel as bytes; they are flipped and become numbers on the device. Nothing here waits for it.
    """
    draws = generator(recipe.seed, "step", step)
    whole = len(data) * rank.world
    noise = noise_of(recipe, whole, draws)
    part = rank_slice(whole, rank)
    pictures, noise = (
        tensor.to(device, non_blocking=True) for tensor in (torch.as_tensor(data), noise[part])
    )
    if recipe.input.kind == "vector":
        return pictures, noise
    if recipe.input.flip:
        flipped = (torch.rand(whole, generator=draws) < 0.5)[part].to(device, non_blocking=True)
        pictures = torch.where(flipped[:, None, None, None], pictures.flip(2), pictures)  # width of N×H×W×C
    return to_model(pictures, recipe.input.range, device, recipe.input.channels), noise


def noise_of(recipe: Recipe, count: int, draws: torch.Generator) -> Tensor:
    """ε of so many images, (count, Z), or (count, K, Z) where the objective takes K draws of each; what conditions
    are drawn by stands behind."""
    samples = recipe.objective.importance
    if samples is None:
        return draw_noise(count, recipe.latents, draws)
    return draw_noise(count * samples.samples, recipe.latents, draws).view(count, samples.samples, -1)


def clip(network: nn.Module, limit: float | None) -> Tensor:
    """The norm of all gradients, which are scaled down to the limit where there is one. () before clipping."""
    norm = gathered_whole(
        torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
    )
    if limit is not None:
        torch.nn.utils.clip_grads_with_norm_(network.parameters(), limit, norm)
    return norm


@torch.no_grad()
def average(averaged: nn.Module, weights: nn.Module, decay: float) -> None:
    """Move the exponential average of a network's weights and buffers towards them."""
    mine, theirs = averaged.state_dict(), weights.state_dict()
    floating = [n for n, t in mine.items() if t.is_floating_point()]
    for name in floating:
        mine[name].lerp_(theirs[name], 1 - decay)
    for name in mine.keys() - set(floating):
        mine[name].copy_(theirs[name])
