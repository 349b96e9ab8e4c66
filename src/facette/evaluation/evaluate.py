"""One model measured on one set of data.

Enters: a loaded model (or its name) and a data store, an array, or a data source. Leaves: an `Evaluation`: figures
of reconstructions, of the bound, of the latents and of samples, with a few pictures to look at.
Knows nothing of files to write, nor of how figures are worded: that is `report`.

Legend: N data, D dimensions of one datum, Z latents, S side of a picture.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.errors import UsageError
from facette.evaluation import bound
from facette.evaluation import reconstruction as measures
from facette.evaluation.diversity import spread
from facette.evaluation.intervals import Bootstrap, Interval
from facette.latent.inputs import Picture, check_count, resolve_model
from facette.latent.vary import sweep
from facette.model.posterior import DiagonalGaussian

Split = Literal["auto", "train", "valid", "test", "all"]

SHOWN_PAIRS = 10  # photos above reconstructions on the sheet
SHOWN_SAMPLES = 20
SHARPNESS_SAMPLES = 200  # decoded to compare the sharpness of samples with that of photos
SPREAD_FACTORS = (1.0, 7.0)  # the posterior itself, and the default of `vary`
SPREAD_PHOTOS = 8
SPREAD_COUNT = 10


@dataclass(frozen=True, slots=True)
class ReconstructionFigures:
    """Decoded posterior means against the data; pictures on the scale [0, 1]."""

    mse: Interval  # ≥ 0, squared units of the values
    unexplained_variance: Interval  # 0 perfect … 1 the mean picture
    psnr: Interval | None  # dB; None for vectors, as the next two
    ssim: Interval | None  # [−1, 1]
    sharpness: Interval | None  # of the reconstructions over that of the photos


@dataclass(frozen=True, slots=True)
class BoundFigures:
    """What the model says about the probability of the data; nats per datum in the model's own range."""

    distortion: Interval
    rate: Interval
    elbo: Interval
    bits_per_dimension: Interval | None  # of 8-bit pictures; None for vectors and for a Bernoulli likelihood
    importance_weighted: Interval | None  # nats; None when not asked for
    importance_samples: int


@dataclass(frozen=True, slots=True)
class LatentFigures:
    """How the latent units are used."""

    size: int  # Z
    active: int  # units whose posterior mean varies by more than 0.01 over the data
    rate_per_unit: tuple[float, ...]  # (Z,) nats, from a standard normal
    activity: tuple[float, ...]  # (Z,) variance of the posterior mean
    posterior_scale: float  # mean σ over data and units


@dataclass(frozen=True, slots=True)
class SampleFigures:
    """Samples of one prior; they have no partner among the data."""

    prior: Literal["fitted", "normal"]
    count: int
    sharpness: float  # of the samples over that of the photos


@dataclass(frozen=True, slots=True)
class SpreadFigure:
    """How much the variations of one photo differ at one factor, averaged over some photos."""

    factor: float  # of σ
    spread: float  # [0, 1], root mean squared difference over all pairs
    photos: int
    variations: int


@dataclass(frozen=True, slots=True)
class Shown:
    """Pictures for the sheets; None for models of vectors."""

    photos: Picture  # (P, S, S, 3)
    reconstructions: Picture  # (P, S, S, 3)
    samples: dict[str, Picture]  # prior → (20, S, S, 3)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured in one go, with what is needed to measure it again."""

    model: str
    data: str
    split: str
    count: int
    seed: int
    kind: Literal["image", "vector"]
    dimensions: int  # D
    reconstruction: ReconstructionFigures
    bound: BoundFigures
    latents: LatentFigures
    samples: tuple[SampleFigures, ...]
    spreads: tuple[SpreadFigure, ...]
    shown: Shown | None

    def to_dict(self) -> dict:
        """Figures and provenance as plain JSON values, without the pictures."""
        from facette.evaluation.report import to_dict

        return to_dict(self)

    def save(self, directory: str | Path) -> list[Path]:
        """Write the card (JSON and Markdown) and, for pictures, the sheets; returns the paths written."""
        from facette.evaluation.report import write_report

        return write_report(self, directory)


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

    `data` is an open store, a source that `open_dataset` understands (a folder, a zip …), or an array: uint8
    pictures (N, S, S, 3) in the model's size, or float vectors (N, D). `split` "auto" takes the valid part of
    the set the model was trained on, and everything of any other set. `count` takes that many, drawn by the
    seed. `importance_samples` K > 0 adds the importance-weighted bound, whose cost grows with K. `progress` is
    called with the number of data finished each time, and counts up to `steps_of` in all.

    Raises UsageError for an empty choice, or data that do not fit the model.
    """
    check_count(batch, what="batch")
    model = resolve_model(model)
    subject = choose_data(model, data, split, count, seed)
    advance = progress or (lambda done: None)
    average = _average(subject, batch)
    seen = [
        _measure(model, values, average, torch.Generator().manual_seed(seed + start), importance_samples)
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
        reconstruction=_reconstruction_figures(drawn, image),
        bound=_bound_figures(drawn, columns, importance_samples),
        latents=_latent_figures(posterior),
        samples=tuple(_sample_figures(prior, some, real_sharpness) for prior, some in made.items()),
        spreads=_spreads(model, subject, seed) if image else (),
        shown=_shown(model, subject, made) if image else None,
    )


# ── what is evaluated ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Subject:
    """The data to measure on: a reader and the chosen indices."""

    read: Callable[[NDArray], NDArray]
    indices: NDArray[np.integer]
    label: str
    split: str

    def batches(self, size: int) -> Iterator[tuple[int, NDArray]]:
        """Each batch with the place of its first datum."""
        for start in range(0, len(self.indices), size):
            yield start, self.read(self.indices[start : start + size])


def choose_data(model, data, split: Split, count: int | None, seed: int) -> Subject:
    """Open the data where need be and pick what is measured; see `evaluate`."""
    if isinstance(data, np.ndarray | Tensor):
        array = np.asarray(data)
        return Subject(array.__getitem__, _pick(np.arange(len(array)), count, seed), f"{len(array)} given", "all")
    label = str(data) if isinstance(data, str | Path) else getattr(data, "name", type(data).__name__)
    if isinstance(data, str | Path):
        from facette.data import open_dataset

        data = open_dataset(data, model.recipe.input)
    if split == "auto":
        split = "valid" if is_training_set(model, data) else "all"
    indices = np.asarray(data.indices(split))
    if not len(indices):
        raise UsageError(f"The split {split!r} of {label!r} is empty: use --split all.")
    return Subject(data.read, _pick(indices, count, seed), label, split)


def is_training_set(model, store) -> bool:
    """Whether the store holds exactly the pictures the model says it was trained on."""
    return store.fingerprint == (model.provenance or {}).get("data", {}).get("fingerprint")


def _pick(indices: NDArray, count: int | None, seed: int) -> NDArray:
    if count is None or count >= len(indices):
        return indices
    check_count(count, least=2)
    return np.sort(np.random.default_rng(seed).choice(indices, count, replace=False))


def _announced(batches: Iterator[tuple[int, NDArray]], advance: Callable[[int], None]):
    for start, values in batches:
        yield start, values
        advance(len(values))


# ── one batch ────────────────────────────────────────────────────────────────────────────────────────────


class Measured(NamedTuple):
    columns: dict[str, NDArray]  # each (N,)
    posterior: DiagonalGaussian  # on the CPU
