"""What an evaluation found: figures with their units, and a few pictures to look at.

In: nothing, these are results. What a measure means is said where it is declared (`measures.declarations`); how it is
measured is `evaluate`'s business, how it is worded that of `reports`.
"""

from dataclasses import dataclass
from typing import Literal

from facette.evaluation.identity import IdentityFigures
from facette.evaluation.protocol import Protocol
from facette.latent.inputs import Picture
from facette.latent.reconstruct import PriorName
from facette.measures.aggregate import Surgery
from facette.measures.disentanglement import Disentanglement
from facette.measures.intervals import Interval, MeasureFigures
from facette.measures.memory import Memorisation


@dataclass(frozen=True, slots=True)
class BoundFigures:
    """What the model says about the probability of the data; nats per datum in the model's own range."""

    distortion: Interval
    rate: Interval
    elbo: Interval
    bits_per_dimension: Interval | None  # of 8-bit pictures; None for vectors and for a Bernoulli likelihood
    importance_weighted: Interval | None  # nats; None when not asked for
    importance_samples: int  # K
    importance_count: int  # data it was measured on, the first of those drawn by the seed


@dataclass(frozen=True, slots=True)
class LatentFigures:
    """How the latent units are used."""

    size: int  # Z
    active: int  # units whose posterior mean varies by more than 0.01 over the data
    rate_per_unit: tuple[float, ...]  # (Z,) nats, from a standard normal
    activity: tuple[float, ...]  # (Z,) variance of the posterior mean
    posterior_scale: float  # mean σ over data and units
    parts: Surgery  # of the rate from a standard normal, over `parts_count` of the data
    parts_count: int


@dataclass(frozen=True, slots=True)
class SampleFigures:
    """Samples of one prior; they have no partner among the data."""

    prior: PriorName
    count: int
    sharpness: float  # of the samples over that of the photos


@dataclass(frozen=True, slots=True)
class Distributions:
    """Everything the model makes against real pictures, under one protocol; the floor is real against real."""

    protocol: Protocol
    floor: MeasureFigures  # of the measures in `DISTRIBUTION`
    made: tuple[MeasureFigures, ...]


@dataclass(frozen=True, slots=True)
class StandardRow:
    """One cloud of pictures against real ones in Inception's features."""

    of: str
    fid: float  # ≥ 0; without an interval, for each resample would take seconds
    kid: Interval  # around 0 for equal distributions


@dataclass(frozen=True, slots=True)
class StandardFigures:
    """What the networks say that the field's measures are named after; only where the user has their weights."""

    protocol: Protocol | None  # of FID and KID
    rows: tuple[StandardRow, ...]  # the floor first
    lpips: Interval | None  # ≥ 0, photos to reconstructions; 0 is equal
    lpips_network: str


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
    reconstructions: Picture  # (P, S, S, 3), of the bare decoder
    sharpened: Picture | None  # (P, S, S, 3), where the model has a second stage
    samples: dict[PriorName, Picture]  # prior → (20, S, S, 3)


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
    frame: str  # which cut of a photo the model sees, and how large; empty for vectors
    # of the measures in `RECONSTRUCTION`; of the bare decoder, the mean of p(x|z)
    reconstruction: MeasureFigures
    sharpened: MeasureFigures | None  # of what `decode` gives, where the model has a second stage
    bound: BoundFigures
    latents: LatentFigures
    samples: tuple[SampleFigures, ...]
    spreads: tuple[SpreadFigure, ...]
    distributions: Distributions | None  # None for vectors and for fewer than 40 pictures
    standard: StandardFigures | None  # None where no weights were given
    # None where the judge is silent, not installed, or nobody says who it is
    identity: IdentityFigures | None
    memorisation: Memorisation | None  # None where no training pictures, or too few others, are at hand
    training_pictures: int  # that samples were compared with; 0 where they were not
    disentanglement: Disentanglement | None  # None where the factors are not known
    shown: Shown | None
