"""How a run is doing on pictures it does not learn from.

Enters: the averaged weights and validation pictures. Leaves: the bound, unexplained variance, and which latent
units are used. Latent noise is fixed by the recipe's seed, so that two validations differ by the weights alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import torch

from facette.evaluation.thresholds import UNUSED_UNIT, judge_units
from facette.images.convert import to_model
from facette.model.band import reduced, split_mask
from facette.model.sharpener import to_symmetric
from facette.model.vae import VAE
from facette.objective import WholeBatch, elbo_terms, identity_distance, importance_bound, total_objective
from facette.objective.discriminator import Discriminator
from facette.recipe import Recipe
from facette.runtime import generator, wide
from facette.training.batches import Store, known_conditions, labels_of, reader
from facette.training.step import Objective, condition_costs, noise_of, own_costs, price_of_conditions

BATCH = 64
# squared: values that differ by less, in a range of 1 or 2, are the same; a step of 8 bits is 4e-3
SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Validation:
    """Means over the validation pictures; nats per picture."""

    elbo: float
    weighted_elbo: float  # with the recipe's weights by place
    distortion: float
    rate: float
    # MSE ÷ variance around the mean picture of the set, of what was seen, by the core; where all pictures are the same,
    # as one alone is, around the mean of its values
    unexplained_variance: float
    identity: float  # mean 1 − cosine of the features of who; 0 where the recipe does not ask for it
    score: float  # minus what the run minimises, at the weights that its schedules end with
    used_units: int  # latent dimensions with a mean rate above 0.01 nats
    rate_per_dimension: np.ndarray  # (Z,) nats
    terms: dict[str, float] = field(default_factory=dict)  # means of the sum's further terms, without weights


@torch.no_grad()
def validate(
    vae: VAE,
    recipe: Recipe,
    store: Store,
    rows: np.ndarray,
    objective: Objective | None = None,
    discriminator: Discriminator | None = None,
) -> Validation:
    """Measure the weights on the given rows of the store; `discriminator` for an objective that has one."""
    spec = recipe.objective
    objective = objective or Objective()
    device = next(vae.parameters()).device
    was_training = vae.training
    vae.eval()
    sums: dict[str, float] = dict.fromkeys(
        ("distortion", "rate", "weighted", "identity", "squared", "cost"), 0.0
    )
    named: defaultdict[str, float] = defaultdict(float)
    per_dimension = torch.zeros(recipe.model.latent, dtype=torch.float64)
    # running sums of 1, x and x² of what was seen, per value, for the variance around the mean
    number = first = second = torch.zeros((), dtype=torch.float64)
    draws, read_rows = generator(recipe.seed, "validation"), reader(store, recipe)
    for start in range(0, len(rows), BATCH):
        data = read_rows(rows[start : start + BATCH])
        if recipe.input.kind == "vector":
            x = torch.from_numpy(data).to(device)
        else:
            whole = to_model(data, recipe.input.range, device, recipe.input.channels)
            x = reduced(whole, vae.core, vae.channels)
        told = known_conditions(store, recipe, rows[start : start + BATCH])
        told = None if told is None else told.to(device)
        passed = vae(x, noise_of(recipe, len(x), draws).to(device), *(() if told is None else (told,)))
        terms = elbo_terms(
            vae, x, passed, focus=objective.focus, importance_beta=spec.beta if spec.importance else None
        )
        total = total_objective(
            spec,
            terms,
            WholeBatch.of(terms, passed),
            beta=spec.beta,
            capacity=None if spec.capacity is None else spec.capacity.nats,
            images=objective.images,
            discriminator=discriminator,
            generator=generator(recipe.seed, "validation prior", start),
        )
        sums["cost"] += len(x) * total.loss.item()
        labels = labels_of(store, rows[start : start + BATCH]) if objective.terms else {}
        own = own_costs(vae, x, passed, objective.terms, labels, slice(None), 0)
        for term in objective.terms:
            named[term.spec.name] += len(x) * own[term.spec.name].item()
            sums["cost"] += len(x) * term.spec.weight * own[term.spec.name].item()
        conditions = condition_costs(vae, passed, told)
        for name, value in conditions.items():
            named[name] += len(x) * value.item()
        sums["cost"] += len(x) * float(price_of_conditions(conditions, spec, spec.beta))
        if terms.log_weights is not None:
            named["importance_bound"] += wide(importance_bound(terms.log_weights)).sum().item()
        for name, value in total.terms.items():
            named[name] += len(x) * value.item()
        sums["distortion"] += wide(terms.distortion).sum().item()
        sums["rate"] += wide(terms.rate).sum().item()
        sums["weighted"] += wide(terms.weighted_elbo).sum().item()
        per_dimension += wide(terms.rate_per_dimension).sum(0).cpu()
        picture, seen = split_mask(x, vae.channels)
        drawn = vae.decode_core(passed.whole(passed.posterior.mean))
        if objective.identity is not None and recipe.input.kind == "image":
            pair = (to_symmetric(each, recipe.input.range) for each in (picture, drawn))
            sums["identity"] += wide(identity_distance(objective.identity, *pair, seen)).sum().item()
        known = torch.ones_like(picture[:, :1]) if seen is None else seen
        sums["squared"] += (wide(drawn - picture).square() * wide(known)).sum().item()
        number = number + wide(known).sum(0)
        first, second = (
            first + wide(picture * known).sum(0),
            second + wide(picture**2 * known).sum(0),
        )
    vae.train(was_training)
    count = len(rows)
    mean = {name: total / count for name, total in sums.items()}
    return Validation(
        elbo=-(mean["distortion"] + mean["rate"]),
        weighted_elbo=mean["weighted"],
        distortion=mean["distortion"],
        rate=mean["rate"],
        unexplained_variance=sums["squared"] / _spread(number, first, second),
        identity=mean["identity"],
        score=-mean["cost"] - spec.identity * mean["identity"],
        terms={name: value / count for name, value in named.items()},
        used_units=int((per_dimension / count > UNUSED_UNIT.limit).sum()),
        rate_per_dimension=(per_dimension / count).numpy(),
    )


def _spread(number: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> float:
    """The sum of squares around the mean picture, from how often each place was seen and the sums of x and x² there;
    around the mean of all values where the pictures are one and the same. Never zero."""
    around_pictures = (second - first**2 / number.clamp_min(1)).sum().item()
    values = number.sum().item() * first.numel() / max(number.numel(), 1)
    around_values = second.sum().item() - first.sum().item() ** 2 / max(values, 1)
    least = SAME * max(values, 1)
    return around_pictures if around_pictures > least else max(around_values, least)


def collapse_sentence(result: Validation) -> str | None:
    """What to say when latent units carry nothing, or None when enough are used."""
    verdict, latent = judge_units(result.rate_per_dimension.tolist()), len(result.rate_per_dimension)
    if verdict.kind == "alive":
        return None
    return (
        f"{verdict.kind}: only {latent - len(verdict.unused)} of {latent} latent units carry more than "
        f"{UNUSED_UNIT.limit} nats, {verdict.rate:.3g} nats in all; "
        "lower objective.beta, warm it up (objective.schedule = 'linear'), or give free bits"
    )
