"""One pass of the data through a model: everything that is measured datum by datum.

Enters: a model and a `Selection`. Leaves: columns with one number for each datum, the posteriors, and what the
attribute network sees in the reconstructions. Knows nothing of means, intervals or words.

Legend: N data, D dimensions of one datum, Z latents, S side of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.data.selection import Selection
from facette.evaluation import bound
from facette.images.convert import range_bounds
from facette.judges.attributes import Features, extract
from facette.judges.features import joined
from facette.measures.declarations import Pair, columns_of
from facette.model.posterior import DiagonalGaussian
from facette.model.trained import TrainedModel
from facette.objective import elbo_terms
from facette.progress import Advance, unheard
from facette.runtime import generator

Columns = dict[str, NDArray]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Reconstructions, measured against their data."""

    columns: Columns  # each (N,)
    features: Features | None  # by the attribute network; None for vectors


@dataclass(frozen=True, slots=True)
class Passed:
    """What one pass gives."""

    likelihood: Columns  # each (N,): distortion, rate, elbo, and bits_per_dimension where it is defined
    posterior: DiagonalGaussian  # (N, Z), on the CPU
    plain: Rebuilt  # by the bare decoder
    sharpened: Rebuilt | None  # by decoder and second stage, where there is one


def pass_through(
    model: TrainedModel,
    selection: Selection,
    batch: int,
    seed: int,
    advance: Advance = unheard,
) -> Passed:
    """Encode, decode and measure every datum; `advance` is told after each batch how many it held."""
    average = _average(selection, batch)
    parts = []
    for start, values in selection.batches(batch):
        parts.append(pass_batch(model, values, average, seed, start))
        advance(len(values))
    return Passed(
        likelihood=_stacked([part.likelihood for part in parts]),
        posterior=DiagonalGaussian(
            torch.cat([part.posterior.mean for part in parts]),
            torch.cat([part.posterior.scale for part in parts]),
        ),
        plain=_all_rebuilt([part.plain for part in parts]),
        sharpened=_all_rebuilt([part.sharpened for part in parts if part.sharpened])
        if parts[0].sharpened
        else None,
    )


@torch.no_grad()
def pass_batch(model: TrainedModel, values: NDArray, average: NDArray, seed: int, start: int) -> Passed:
    """One batch of `pass_through`: `start` is the place of its first datum, which its noise is drawn by, and `average`
    the mean datum that deviations are taken from."""
    draws = generator(seed, "evaluate", start)
    x = model.to_model(values)  # (N, C, H, W) or (N, D)
    posterior = model.vae.encode(x)
    plain = model.to_pictures(model.vae.decode(posterior.mean))  # as values: (N, H, W, C), or (N, D)
    sharp = None if model.sharpener is None else model.decode(posterior.mean)
    return Passed(
        likelihood=_likelihood(model, x, posterior, draws),
        posterior=DiagonalGaussian(posterior.mean.cpu(), posterior.scale.cpu()),
        plain=_rebuilt(values, plain, average),
        sharpened=None if sharp is None else _rebuilt(values, sharp, average),
    )


def _likelihood(
    model: TrainedModel, x: Tensor, posterior: DiagonalGaussian, draws: torch.Generator
) -> Columns:
    """Terms of the bound with one draw of z for each datum, and from the same draw the bits per dimension."""
    z = posterior.sample(generator=draws)  # (N, Z)
    passed = model.vae.passed(posterior, z)
    terms = elbo_terms(model.vae, x, passed)
    columns = {"distortion": terms.distortion, "rate": terms.rate, "elbo": terms.elbo}
    if model.input.kind == "image" and has_density(model):
        low, high = range_bounds(model.input.range)
        white = model.input.white
        dequantised = bound.dequantise(x, low, high, draws, white)
        elbo = elbo_terms(model.vae, dequantised, passed).elbo
        columns["bits_per_dimension"] = bound.bits_per_dimension(elbo, x[0].numel(), low, high, white)
    elif model.input.kind == "image" and has_levels(model):
        columns["bits_per_dimension"] = bound.bits_of_levels(terms.elbo, x[0].numel())
    return {name: column.cpu().double().numpy() for name, column in columns.items()}


def has_density(model: TrainedModel) -> bool:
    """Whether the likelihood is a density of the pictures' own values; a Bernoulli's is not, and a core at fewer
    pixels has one of reduced pictures."""
    return model.recipe.model.likelihood.kind in ("gaussian", "laplace") and _at_full_size(model)


def has_levels(model: TrainedModel) -> bool:
    """Whether the likelihood gives probabilities of the pictures' own 8-bit levels."""
    return model.recipe.model.likelihood.kind == "logistic" and _at_full_size(model)


def _at_full_size(model: TrainedModel) -> bool:
    return model.input.kind == "image" and model.recipe.core == model.input.shape


def _rebuilt(values: NDArray, drawn: NDArray, average: NDArray) -> Rebuilt:
    if values.ndim != 4:
        return Rebuilt(columns_of(Pair(values, drawn, average.astype(values.dtype)), "vector"), None)
    white = float(np.iinfo(values.dtype).max)
    pair = Pair(values / white, drawn / white, average / white)  # in [0, 1]
    return Rebuilt(columns_of(pair, "image", min(values.shape[1:3])), extract(drawn))


def _average(selection: Selection, batch: int) -> NDArray[np.float64]:
    """The mean datum of the evaluated set, on the outside's scale: (H, W, C) from 0 to its levels, or (D,)."""
    sums = [values.sum(axis=0, dtype=np.float64) for _, values in selection.batches(batch)]
    return np.sum(sums, axis=0) / len(selection.indices)


def _all_rebuilt(parts: list[Rebuilt]) -> Rebuilt:
    features = [part.features for part in parts if part.features is not None]
    return Rebuilt(_stacked([part.columns for part in parts]), joined(features) if features else None)


def _stacked(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
