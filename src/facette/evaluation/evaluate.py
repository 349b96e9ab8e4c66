"""One model measured on one set of data.

Enters: a loaded model (or its name) and a data store, an array, or a data source. Leaves: an `Evaluation`: figures
of reconstructions, of the bound, of the latents and of samples, with a few pictures to look at.
Knows nothing of files to write, nor of how figures are worded: that is `report`.

Legend: N data, D dimensions of one datum, Z latents, S side of a picture.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.evaluation import bound
from facette.evaluation import reconstruction as measures
from facette.evaluation.diversity import spread
from facette.evaluation.intervals import Bootstrap
from facette.evaluation.result import (
    BoundFigures,
    Evaluation,
    LatentFigures,
    ReconstructionFigures,
    SampleFigures,
    Shown,
    SpreadFigure,
)
from facette.evaluation.subject import Split, Subject, choose_data
from facette.images.convert import range_bounds
from facette.latent.inputs import Picture, check_count, resolve_model
from facette.latent.reconstruct import PriorName
from facette.latent.vary import sweep
from facette.model.posterior import DiagonalGaussian
from facette.runtime import generator

# dB: the error that rounding to 8 bits makes by itself. Without it one perfect picture makes a mean infinite.
PSNR_CEILING = 10 * np.log10(12 * 255.0**2)
SHOWN_PAIRS = 10  # photos above reconstructions on the sheet
SHOWN_SAMPLES = 20
SHARPNESS_SAMPLES = 200  # decoded to compare the sharpness of samples with that of photos
SPREAD_FACTORS = (1.0, 7.0)  # the posterior itself, and the default of `vary`
SPREAD_PHOTOS = 8
SPREAD_COUNT = 10


def evaluate(
    model,
    data,
    *,
    split: Split = "auto",
    count: int | None = None,
    batch: int = 64,
    seed: int = 0,
    importance_samples: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Measure a model on data.

    `data` is an open store, a source that `open_dataset` understands (a folder, a zip …), a chosen Subject, or
    an array: uint8 pictures (N, S, S, 3) in the model's size, or float vectors (N, D). `split` "auto" takes the
    valid part of the set the model was trained on, and everything of any other set. `count` takes that many,
    drawn by the seed. `importance_samples` K > 0 adds the importance-weighted bound, whose cost grows with K.
    `progress` is called after every batch with the number of data in it.

    Raises UsageError for an empty choice, or data that do not fit the model.
    """
    check_count(batch, what="batch")
    check_count(importance_samples, least=0, what="importance_samples")
    model = resolve_model(model)
    subject = choose_data(model, data, split, count, seed)
    advance = progress or (lambda done: None)
    average = _average(subject, batch)
    seen = [
        _measure(model, values, average, generator(seed, "evaluate", start), importance_samples)
        for start, values in _announced(subject.batches(batch), advance)
    ]
    columns = {name: np.concatenate([one.columns[name] for one in seen]) for name in seen[0].columns}
    drawn = Bootstrap(columns, seed)
    posterior = DiagonalGaussian(
        torch.cat([one.posterior.mean for one in seen]), torch.cat([one.posterior.scale for one in seen])
    )
    image = model.recipe.input.kind == "image"
    real_sharpness = float(columns["real_sharpness"].mean()) if image else 0.0
    made = _samples(model, seed) if image else {}
    return Evaluation(
        model=model.name,
        data=subject.label,
        split=subject.split,
        count=len(subject.indices),
        seed=seed,
        kind=model.recipe.input.kind,
        dimensions=average.size,
        reconstruction=_reconstruction_figures(drawn),
        bound=_bound_figures(drawn, importance_samples),
        latents=_latent_figures(posterior),
        samples=tuple(_sample_figures(prior, some, real_sharpness) for prior, some in made.items()),
        spreads=_spreads(model, subject, seed) if image else (),
        shown=_shown(model, subject, made) if image else None,
    )


def _announced(batches: Iterator[tuple[int, NDArray]], advance: Callable[[int], None]):
    for start, values in batches:
        yield start, values
        advance(len(values))


# ── one batch ────────────────────────────────────────────────────────────────────────────────────────────


class Measured(NamedTuple):
    columns: dict[str, NDArray]  # each (N,)
    posterior: DiagonalGaussian  # on the CPU


def _average(subject: Subject, batch: int) -> NDArray[np.float64]:
    """The mean datum of the evaluated set, on the outside's scale: (S, S, 3) in [0, 255], or (D,)."""
    sums = [values.sum(axis=0, dtype=np.float64) for _, values in subject.batches(batch)]
    return np.sum(sums, axis=0) / len(subject.indices)


@torch.no_grad()
def _measure(
    model, values: NDArray, average: NDArray, draws: torch.Generator, importance_samples: int
) -> Measured:
    x = model.to_model(values)  # (N, 3, S, S) or (N, D)
    posterior = model.vae.encode(x)
    made = model.to_pictures(model.vae.decode(posterior.mean))  # as values: uint8 (N, S, S, 3), or (N, D)
    terms = bound.evidence_lower_bound(model.vae, x, generator=draws, posterior=posterior)
    columns = {"distortion": terms.distortion, "rate": terms.rate, "elbo": terms.elbo}
    if importance_samples:
        columns["importance"] = bound.importance_weighted_bound(
            model.vae, x, samples=importance_samples, generator=draws
        )
    if model.recipe.input.kind == "image":
        if has_density(model):
            columns["bits"] = _bits(model, x, posterior, draws)
        columns |= _picture_columns(values, made, average)
    else:
        columns |= {
            "mse": measures.mse(values, made),
            "deviation": measures.mse(values, _all(average, values)),
        }
    plain = {name: np.asarray(torch.as_tensor(column).cpu(), np.float64) for name, column in columns.items()}
    return Measured(plain, DiagonalGaussian(posterior.mean.cpu(), posterior.scale.cpu()))


def _picture_columns(photos: Picture, made: Picture, average: NDArray) -> dict[str, NDArray]:
    real, decoded = photos / 255.0, made / 255.0  # (N, S, S, 3) in [0, 1]
    columns = {
        "mse": measures.mse(real, decoded),
        "deviation": measures.mse(real, _all(average / 255.0, real)),
        "psnr": np.minimum(measures.psnr(real, decoded), PSNR_CEILING),
        "real_sharpness": measures.sharpness(real),
        "made_sharpness": measures.sharpness(decoded),
    }
    if min(photos.shape[1:3]) > 2 * measures.SSIM_RADIUS:
        columns["ssim"] = measures.ssim(real, decoded)
    return columns


def _bits(model, x: Tensor, posterior: DiagonalGaussian, draws: torch.Generator) -> Tensor:
    """Bits per dimension from the bound of the dequantised pictures; q(z|x) may be that of the originals."""
    low, high = range_bounds(model.recipe.input.range)
    target = bound.dequantise(x, low, high, draws)
    terms = bound.evidence_lower_bound(model.vae, x, generator=draws, posterior=posterior, target=target)
    return bound.bits_per_dimension(terms.elbo, x[0].numel(), low, high)


def has_density(model) -> bool:
    """Whether the likelihood is a density of continuous values; a Bernoulli's is not."""
    return model.recipe.model.likelihood.kind == "gaussian"


def _all(average: NDArray, values: NDArray) -> NDArray:
    return np.broadcast_to(average.astype(values.dtype), values.shape)


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────


def _reconstruction_figures(drawn: Bootstrap) -> ReconstructionFigures:
    return ReconstructionFigures(
        mse=drawn.mean("mse"),
        unexplained_variance=drawn.ratio("mse", "deviation"),
        psnr=drawn.mean("psnr") if "psnr" in drawn else None,
        ssim=drawn.mean("ssim") if "ssim" in drawn else None,
        sharpness=drawn.ratio("made_sharpness", "real_sharpness") if "psnr" in drawn else None,
    )


def _bound_figures(drawn: Bootstrap, importance_samples: int) -> BoundFigures:
    return BoundFigures(
        distortion=drawn.mean("distortion"),
        rate=drawn.mean("rate"),
        elbo=drawn.mean("elbo"),
        bits_per_dimension=drawn.mean("bits") if "bits" in drawn else None,
        importance_weighted=drawn.mean("importance") if "importance" in drawn else None,
        importance_samples=importance_samples,
    )


def _latent_figures(posterior: DiagonalGaussian) -> LatentFigures:
    return LatentFigures(
        size=posterior.mean.shape[1],
        active=bound.active_units(posterior.mean),
        rate_per_unit=tuple(bound.rate_per_unit(posterior).tolist()),
        activity=tuple(bound.activity(posterior.mean).tolist()),
        posterior_scale=float(posterior.scale.mean()),
    )


def _samples(model, seed: int) -> dict[PriorName, Picture]:
    """Pictures of every prior the model has."""
    priors: list[PriorName] = ["normal"] if model.fitted_prior is None else ["fitted", "normal"]
    made: dict[PriorName, Picture] = {}
    for prior in priors:
        made[prior] = model.decode(model.sample_latents(SHARPNESS_SAMPLES, seed=seed, prior=prior))
    return made


def _sample_figures(prior: PriorName, pictures: Picture, real_sharpness: float) -> SampleFigures:
    sharpness = float(measures.sharpness(pictures / 255.0).mean()) / real_sharpness
    return SampleFigures(prior, len(pictures), sharpness)


def _spreads(model, subject: Subject, seed: int) -> tuple[SpreadFigure, ...]:
    photos = subject.read(subject.indices[:SPREAD_PHOTOS])
    sweeps = [sweep(model, photo, SPREAD_FACTORS, count=SPREAD_COUNT, seed=seed) for photo in photos]
    return tuple(
        SpreadFigure(
            factor=factor,
            spread=float(np.mean([spread(one.rows[place].pictures / 255.0) for one in sweeps])),
            photos=len(photos),
            variations=SPREAD_COUNT,
        )
        for place, factor in enumerate(SPREAD_FACTORS)
    )


def _shown(model, subject: Subject, made: dict[PriorName, Picture]) -> Shown:
    photos = subject.read(subject.indices[:SHOWN_PAIRS])
    return Shown(
        photos=photos,
        reconstructions=model.decode(model.encode(photos).mean),
        samples={prior: pictures[:SHOWN_SAMPLES] for prior, pictures in made.items()},
    )
