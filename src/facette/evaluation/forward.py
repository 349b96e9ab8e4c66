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
from facette.images.convert import SEEN, range_bounds
from facette.judges.attributes import Features, extract
from facette.judges.features import joined
from facette.measures.declarations import Pair, columns_of
from facette.model.band import split_mask
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
    average = _average(selection, batch, model)
    parts = []
    for start, values in selection.encoded_batches(batch):
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
    the mean datum that deviations are taken from. `values` are pictures, with their masks where those are known, or
    vectors."""
    draws = generator(seed, "evaluate", start)
    x = model.to_model(values)  # (N, C or C + 1, H, W) or (N, D)
    values, seen = split_seen(values, model)
    posterior = model.vae.encode(x)
    plain = model.to_pictures(model.vae.decode(posterior.mean))  # as values: (N, H, W, C), or (N, D)
    sharp = None if model.sharpener is None else model.decode(posterior.mean)
    return Passed(
        likelihood=_likelihood(model, x, posterior, draws),
        posterior=DiagonalGaussian(posterior.mean.cpu(), posterior.scale.cpu()),
        plain=_rebuilt(values, plain, average, seen),
        sharpened=None if sharp is None else _rebuilt(values, sharp, average, seen),
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
        picture, mask = split_mask(x, model.input.channels)
        dequantised = bound.dequantise(picture, low, high, draws, white)
        whole = dequantised if mask is None else torch.cat([dequantised, mask], dim=1)
        elbo = elbo_terms(model.vae, whole, passed).elbo
        columns["bits_per_dimension"] = bound.bits_per_dimension(
            elbo, _shown(picture, mask), low, high, white
        )
    elif model.input.kind == "image" and has_levels(model):
        shown = _shown(*split_mask(x, model.input.channels))
        columns["bits_per_dimension"] = bound.bits_of_levels(terms.elbo, shown)
    return {name: column.cpu().double().numpy() for name, column in columns.items()}


def _shown(picture: Tensor, mask: Tensor | None) -> int | Tensor:
    """How many values of each picture its photo shows, (N,); one number where it shows all."""
    if mask is None:
        return picture[0].numel()
    return mask.sum(dim=(1, 2, 3)).clamp_min(1) * picture.shape[1]


def split_seen(values: NDArray, model: TrainedModel) -> tuple[NDArray, NDArray[np.bool_] | None]:
    """Pictures (N, H, W, C), and which of their pixels the photo shows (N, H, W, 1); None where no mask came along, as
    of vectors (N, D)."""
    if model.input.kind == "vector" or values.shape[-1] == model.input.channels:
        return values, None
    return values[..., : model.input.channels], values[..., model.input.channels :] >= SEEN


def has_density(model: TrainedModel) -> bool:
    """Whether the likelihood is a density of the pictures' own values; a Bernoulli's is not, and a core at fewer
    pixels has one of reduced pictures."""
    return model.recipe.model.likelihood.kind in ("gaussian", "laplace") and _at_full_size(model)


def has_levels(model: TrainedModel) -> bool:
    """Whether the likelihood gives probabilities of the pictures' own 8-bit levels."""
    return model.recipe.model.likelihood.kind == "logistic" and _at_full_size(model)


def _at_full_size(model: TrainedModel) -> bool:
    return model.input.kind == "image" and model.recipe.core == model.input.shape


def _rebuilt(values: NDArray, drawn: NDArray, average: NDArray, seen: NDArray[np.bool_] | None) -> Rebuilt:
    """What the photo does not show is compared with nothing: there both pictures are alike. The attribute network
    looks at all that was drawn."""
    if values.ndim != 4:
        return Rebuilt(columns_of(Pair(values, drawn, average.astype(values.dtype)), "vector"), None)
    white = float(np.iinfo(values.dtype).max)
    shown = drawn if seen is None else np.where(seen, drawn, values)
    around = average if seen is None else np.where(seen, average, values)
    share = None if seen is None else seen.mean(axis=(1, 2, 3))
    pair = Pair(values / white, shown / white, around / white, share)  # in [0, 1]
    return Rebuilt(columns_of(pair, "image", min(values.shape[1:3])), extract(drawn))


def _average(selection: Selection, batch: int, model: TrainedModel) -> NDArray[np.float64]:
    """The mean datum of the evaluated set, on the outside's scale: (H, W, C) from 0 to its levels, each pixel of those
    pictures that show it, or (D,)."""
    total, count = 0.0, 0.0
    for _, values in selection.encoded_batches(batch):
        data, seen = split_seen(values, model)
        total += data.sum(axis=0, dtype=np.float64, where=True if seen is None else seen)
        count += len(data) if seen is None else seen.sum(axis=0)
    return np.asarray(total / np.maximum(count, 1))


def _all_rebuilt(parts: list[Rebuilt]) -> Rebuilt:
    features = [part.features for part in parts if part.features is not None]
    return Rebuilt(_stacked([part.columns for part in parts]), joined(features) if features else None)


def _stacked(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
