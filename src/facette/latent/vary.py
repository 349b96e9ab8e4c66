"""Relatives of one photo: z = μ + factor · σ · ε.

Enters: a model (or its name), one photo, a factor and a seed. Leaves: `Variations` (one factor) or a `Sweep`
(several), with the latents and the seed of every picture. Knows nothing of where photos come from on the
command line, nor how a good factor is chosen.

Legend: N variations, Z latents, S side of a picture, F factors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from facette.errors import UsageError
from facette.latent.inputs import Picture, check_count, resolve_model, resolve_picture
from facette.latent.points import decode_each, encode_each
from facette.latent.sheets import Result, labelled_sheet

Mode = Literal["factor", "variance"]

DIVERSITY = {"factor": 7.0, "variance": 0.01}  # what each mode takes when no factor is given
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Variations(Result):
    """Several relatives of one photo, with everything needed to make each of them again."""

    photo: Picture  # (S, S, 3)
    reconstruction: Picture  # (S, S, 3): the decoded posterior mean
    pictures: Picture  # (N, S, S, 3)
    latents: Tensor  # (N, Z)
    factor: float  # as asked for: of σ, or of σ² in mode "variance"
    seeds: tuple[int, ...]  # variation i alone: count=1, seed=seeds[i]
    mode: Mode

    def sheet(self):
        """One Pillow contact sheet: the photo first, set apart, then the variations in order."""
        return labelled_sheet(self.pictures, photos=self.photo[None], title=f"{_sigma_text(self)}")


@dataclass(frozen=True, slots=True)
class Sweep(Result):
    """The same directions at growing factors: one row of variations for each factor."""

    photo: Picture  # (S, S, 3)
    reconstruction: Picture  # (S, S, 3)
    rows: tuple[Variations, ...]  # F of them

    @property
    def factors(self) -> tuple[float, ...]:
        return tuple(row.factor for row in self.rows)

    @property
    def pictures(self) -> Picture:
        return np.stack([row.pictures for row in self.rows])  # (F, N, S, S, 3)

    def sheet(self):
        """One Pillow contact sheet: the photo first, set apart, then one labelled row for each factor."""
        labels = [_sigma_text(row) for row in self.rows]
        return labelled_sheet(
            np.concatenate([row.pictures for row in self.rows]),
            photos=self.photo[None],
            columns=len(self.rows[0].pictures),
            row_labels=labels,
        )


def vary(
    model, picture, count: int = 10, diversity: float | None = None, seed: int = 0, mode: Mode = "factor"
) -> Variations:
    """Make `count` relatives of one photo.

    `model` is a loaded model or its name, `picture` a file, a Pillow image or a uint8 RGB array. In mode
    "factor" the diversity multiplies the posterior's standard deviation σ (default 7; 1 draws from the posterior
    itself, 0 is the reconstruction); in mode "variance" it multiplies the variance (default 0.01, that is a tenth
    of σ). The draws ε depend on the seed and on nothing else: the first five of ten are the five of `count=5`,
    and they stay the same at every diversity.

    Raises UsageError for a count below 1, a negative or infinite diversity, a negative seed or an unknown mode.
    """
    model = resolve_model(model)
    return sweep(model, picture, [_diversity(diversity, mode)], count=count, seed=seed, mode=mode).rows[0]


def sweep(
    model, picture, factors: Sequence[float], count: int = 10, seed: int = 0, mode: Mode = "factor"
) -> Sweep:
    """`vary` at several factors with the same draws, so that each column walks outwards in one direction.

    Raises UsageError as `vary` does, and for an empty list of factors.
    """
    check_count(count)
    strengths = [strength_of(factor, mode) for factor in factors]
    if not strengths:
        raise UsageError("A sweep needs at least one factor, none was given.")
    model = resolve_model(model)
    photo = resolve_picture(model, picture)  # (S, S, 3)
    mean, scale = encode_each(model, photo[None])  # (1, Z), (1, Z)
    reconstruction = decode_each(model, mean)[0]
    seeds = variation_seeds(seed, count)
    noise = variation_noise(seeds, mean.shape[1])  # (N, Z)
    rows = []
    for factor, strength in zip(factors, strengths, strict=True):
        latents = varied_latents(mean, scale, noise, strength)  # (N, Z)
        pictures = decode_each(model, latents)
        rows.append(Variations(photo, reconstruction, pictures, latents, float(factor), seeds, mode))
    return Sweep(photo, reconstruction, tuple(rows))


def varied_latents(mean: Tensor, scale: Tensor, noise: Tensor, strength: float) -> Tensor:
    """z = μ + strength · σ · ε, the one place where this is written; (…, Z) each."""
    return mean + strength * scale * noise


def strength_of(factor: float, mode: Mode = "factor") -> float:
    """How many posterior σ a factor means: the factor itself, or the root of a factor of the variance."""
    if not (isinstance(factor, int | float) and math.isfinite(factor) and factor >= 0):
        raise UsageError(f"Diversity must be a number of at least 0, got {factor!r}: 0 keeps the reconstruction.")
    if mode not in DIVERSITY:
        raise UsageError(f"Unknown mode {mode!r}: use 'factor' (times σ) or 'variance' (times σ²).")
    return math.sqrt(factor) if mode == "variance" else float(factor)


def variation_seeds(seed: int, count: int) -> tuple[int, ...]:
    """A seed for each variation. The first is the seed itself, so any of them can be made again by `count=1`."""
    if not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"A seed is a whole number from 0 to 2⁶³ − 1, got {seed!r}.")
    # Hashed and not counted upwards: seeds 0 and 1 would otherwise share nine of ten variations.
    later = (int(np.random.SeedSequence([seed, i]).generate_state(1)[0]) for i in range(1, count))
    return (seed, *later)


def variation_noise(seeds: Sequence[int], latent: int) -> Tensor:
    """ε ~ N(0, I) for each seed, (N, Z), drawn on the CPU so that every device gives the same."""
    return torch.stack([torch.randn(latent, generator=torch.Generator().manual_seed(s)) for s in seeds])


def _diversity(diversity: float | None, mode: Mode) -> float:
    return DIVERSITY.get(mode, math.nan) if diversity is None else diversity


def _sigma_text(row: Variations) -> str:
    return f"{row.factor:g} σ" if row.mode == "factor" else f"{row.factor:g} σ²"
