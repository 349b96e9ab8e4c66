"""One model measured on one set of data.

Enters: a loaded model (or its name) and a data store, an array, or a data source. Leaves: an `Evaluation`: figures
of reconstructions, of the bound, of the latents, of samples and of distributions, with a few pictures to look at.
Knows nothing of files to write, nor of how figures are worded: that is `reports`.

Legend: N data, D dimensions of one datum, Z latents, S side of a picture.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facette.data.selection import Selection, Split, choose_data
from facette.errors import UsageError, check_count
from facette.evaluation import bound
from facette.evaluation.forward import Passed, Rebuilt, pass_through, split_seen
from facette.evaluation.identity import measure_identity
from facette.evaluation.result import (
    BoundFigures,
    Evaluation,
    LatentFigures,
    Shown,
    SpreadFigure,
)
from facette.evaluation.samples import (
    MOST_REAL,
    Samples,
    draw_samples,
    extract_from_samples,
    measure_distributions,
    measure_memorisation,
    sample_figures,
)
from facette.evaluation.standard_figures import measure_standard
from facette.form import spoken_size
from facette.images.convert import as_unit
from facette.judges.attributes import Features, speaks_for
from facette.judges.features import kept_features
from facette.judges.standard import check_weights
from facette.latent.inputs import resolve_model
from facette.latent.vary import sweep
from facette.measures.aggregate import take_apart
from facette.measures.declarations import JudgedPair, columns_of, figures_of
from facette.measures.disentanglement import FEWEST as FEWEST_FACTORS
from facette.measures.disentanglement import Disentanglement, measure_disentanglement
from facette.measures.diversity import spread
from facette.measures.intervals import Bootstrap, MeasureFigures
from facette.measures.memory import Memorisation
from facette.model.posterior import DiagonalGaussian
from facette.model.trained import TrainedModel
from facette.model.vae import data_shape
from facette.progress import Progress, stage, untold
from facette.runtime import generator

SHOWN_PAIRS = 10  # photos above reconstructions on the sheet
SHOWN_SAMPLES = 20
PARTS_MOST = 300  # data on which the rate is taken apart; the work grows with the square
TRAINING_MOST = 2000  # training pictures that samples are compared with
SPREAD_FACTORS = (1.0, 7.0)  # the posterior itself, and the default of `vary`
SPREAD_PHOTOS = 8
SPREAD_COUNT = 10


def evaluate(
    model: TrainedModel | str | Path,
    data: Any,
    *,
    split: Split = "auto",
    count: int | None = None,
    batch: int = 64,
    seed: int = 0,
    importance_samples: int = 0,
    importance_count: int | None = None,
    training_most: int = TRAINING_MOST,
    inception: str | Path | None = None,
    lpips: str | Path | None = None,
    people: str | Path | None = None,
    cache: str | Path | None = None,
    name: str | None = None,
    progress: Progress = untold,
) -> Evaluation:
    """Measure a model on data.

    `data` is an open store, a source that `open_dataset` understands (a folder, a zip …), a chosen Selection, or
    an array: uint8 pictures (N, S, S, 3) in the model's size, or float vectors (N, D). `split` "auto" takes the
    valid part of the set the model was trained on, and everything of any other set. `count` takes that many,
    drawn by the seed. `importance_samples` K > 0 adds the importance-weighted bound, whose cost grows with K, on
    all data or on `importance_count` of them. Samples are held against up to `training_most` training pictures
    where the store has them. `inception` and `lpips` are local files of the weights that FID, KID and LPIPS are
    defined by (see `standard`); without them none of these is measured. `people`: a list of whose pictures they are
    (`image_id,person`), instead of the one beside the source, or "none"; with it, and the extra `identity`, it is
    measured whether drawings stay the same person. `cache` keeps what judges say of real pictures. `name` is what the
    report calls the model.

    Raises UsageError for an empty choice, or data that do not fit the model; MissingExtraError where the library of
    the given weights is not installed.
    """
    check_count(batch, what="batch")
    check_count(importance_samples, least=0, what="importance_samples")
    check_weights(inception, lpips)
    model = resolve_model(model)
    selection = choose_data(model, data, split, count, seed, people=people)
    image = model.input.kind == "image"
    total = len(selection.indices)
    if total < 2:
        raise UsageError(
            "there is only 1 to measure on, and of one nobody can say how they differ: give other data, or take "
            "`split='all'`."
        )

    photos = kept_features(selection, cache, stage(progress, "looking at photos", total)) if image else None
    judged = photos if speaks_for(model.input) else None
    passed = pass_through(model, selection, batch, seed, stage(progress, "measuring", total))
    drawn, limited = _importance(model, selection, importance_samples, importance_count, seed, progress)
    samples = draw_samples(model, total, seed) if image else {}
    clouds = sum(len(stages) for stages in samples.values())
    looked = stage(progress, "looking at samples", clouds * (min(total, MOST_REAL) // 2))
    sample_features = extract_from_samples(samples, total, looked)
    standard = measure_standard(
        model, selection, passed, samples, inception=inception, lpips=lpips, seed=seed, progress=progress
    )
    training = selection.training_part(training_most, seed) if image and training_most else None
    return Evaluation(
        model=name or model.name,
        data=selection.label,
        split=selection.split,
        count=total,
        seed=seed,
        kind=model.input.kind,
        dimensions=_dimensions(model),
        frame=_frame(model),
        reconstruction=_reconstruction_figures(passed.plain, judged, seed),
        sharpened=passed.sharpened and _reconstruction_figures(passed.sharpened, judged, seed),
        bound=_bound_figures(passed, drawn, importance_samples, limited, seed),
        latents=_latent_figures(passed.posterior.inferred(), seed),
        samples=sample_figures(passed, samples),
        spreads=_spreads(model, selection, seed) if image else (),
        distributions=photos
        and measure_distributions(selection, passed, photos, sample_features, seed, known=judged is not None),
        standard=standard,
        identity=measure_identity(model, selection, passed.posterior, cache, seed, progress)
        if image
        else None,
        memorisation=photos and _memorisation(training, photos, sample_features, cache, progress),
        training_pictures=0 if training is None else len(training.indices),
        disentanglement=_disentanglement(selection, passed.posterior, seed),
        shown=_shown(model, selection, samples) if image else None,
    )


def _dimensions(model: TrainedModel) -> int:
    return math.prod(data_shape(model.recipe))


def _frame(model: TrainedModel) -> str:
    data = model.input
    if data.kind == "vector":
        return ""
    cut = (
        ""
        if data.frame is None
        else " of the box {},{} to {},{} of {}×{}".format(*data.frame.box, *data.frame.size)
    )
    return f"{spoken_size(data.size)} px{cut}"


# ── reconstructions and likelihood ───────────────────────────────────────────────────────────────────────


def _reconstruction_figures(rebuilt: Rebuilt, photos: Features | None, seed: int) -> MeasureFigures:
    columns = dict(rebuilt.columns)
    if photos is not None and rebuilt.features is not None:
        columns |= columns_of(JudgedPair(photos, rebuilt.features, photos.features.mean(axis=0)))
    return MeasureFigures(figures_of(columns, seed))


def _importance(
    model: TrainedModel, selection: Selection, samples: int, count: int | None, seed: int, progress: Progress
) -> tuple[NDArray | None, int]:
    """The importance-weighted bound of some of the data, (n,) nats, and of how many."""
    if not samples:
        return None, 0
    total = len(selection.indices)
    rows = np.arange(total)
    if count is not None and count < total:
        rows = np.sort(
            np.random.default_rng(seed).choice(total, check_count(count, what="count"), replace=False)
        )
    x = model.to_model(selection.read_encoded(selection.indices[rows]))
    advance = stage(progress, "importance bound", len(rows) * samples)
    draws = generator(seed, "importance")
    values = bound.importance_weighted_bound(model.vae, x, samples=samples, generator=draws, advance=advance)
    return values.cpu().numpy(), len(rows)


def _bound_figures(
    passed: Passed, importance: NDArray | None, samples: int, count: int, seed: int
) -> BoundFigures:
    drawn = Bootstrap(passed.likelihood, seed)
    weighted = None if importance is None else Bootstrap({"bound": importance}, seed).mean("bound")
    return BoundFigures(
        distortion=drawn.mean("distortion"),
        rate=drawn.mean("rate"),
        elbo=drawn.mean("elbo"),
        bits_per_dimension=drawn.mean("bits_per_dimension") if "bits_per_dimension" in drawn else None,
        importance_weighted=weighted,
        importance_samples=samples,
        importance_count=count,
    )


# ── latents ──────────────────────────────────────────────────────────────────────────────────────────────


def _latent_figures(posterior: DiagonalGaussian, seed: int) -> LatentFigures:
    total = len(posterior)
    few = min(total, PARTS_MOST)
    chosen = torch.from_numpy(np.sort(np.random.default_rng(seed).choice(total, few, replace=False)))
    some = posterior[chosen]
    return LatentFigures(
        size=posterior.mean.shape[1],
        active=bound.active_units(posterior.mean),
        rate_per_unit=tuple(bound.rate_per_unit(posterior).tolist()),
        activity=tuple(bound.activity(posterior.mean).tolist()),
        posterior_scale=float(posterior.scale.mean()),
        parts=take_apart(some, some.sample(generator=generator(seed, "parts")), total),
        parts_count=few,
    )


def _disentanglement(selection: Selection, posterior: DiagonalGaussian, seed: int) -> Disentanglement | None:
    table = selection.factors()
    if table is None or len(table.values) < FEWEST_FACTORS:
        return None
    from facette.data.synthetic import FACTORS

    kinds = {factor.name: factor.kind for factor in FACTORS}
    categorical = [kinds[name] == "categorical" for name in table.names]
    return measure_disentanglement(posterior.mean.numpy(), table.values, categorical, seed)


# ── variations and pictures to look at ────────────────────────────────────────────────────────────────────────────


def _spreads(model: TrainedModel, selection: Selection, seed: int) -> tuple[SpreadFigure, ...]:
    photos = selection.read(selection.indices[:SPREAD_PHOTOS])
    sweeps = [
        sweep(model, photo, SPREAD_FACTORS, count=SPREAD_COUNT, seed=seed, details="model")
        for photo in photos
    ]
    return tuple(
        SpreadFigure(
            factor=factor,
            spread=float(
                np.mean([spread(as_unit(variations.rows[place].pictures)) for variations in sweeps])
            ),
            photos=len(photos),
            variations=SPREAD_COUNT,
        )
        for place, factor in enumerate(SPREAD_FACTORS)
    )


def _memorisation(
    training: Selection | None,
    photos: Features,
    samples: dict[str, Features],
    cache: str | Path | None,
    progress: Progress,
) -> Memorisation | None:
    total = 0 if training is None else len(training.indices)
    advance = stage(progress, "looking at training pictures", total)
    return measure_memorisation(training, photos, samples, cache, advance)


def _shown(model: TrainedModel, selection: Selection, samples: Samples) -> Shown:
    pixels = selection.read_encoded(selection.indices[:SHOWN_PAIRS])
    photos, _ = split_seen(pixels, model)
    latents = model.encode(pixels).mean
    return Shown(
        photos=photos,
        reconstructions=model.plain().decode(latents),
        sharpened=None if model.sharpener is None else model.decode(latents),
        samples={prior: stages[""][:SHOWN_SAMPLES] for prior, stages in samples.items()},
    )
