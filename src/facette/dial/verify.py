"""Whether the dial keeps its word on photos that calibration did not see.

Enters: a calibrated model and photos of faces. Leaves: how far relatives at each level are from their photo, how many
are still taken for the same person, how much they differ among themselves, and what choosing the most various adds.

Legend: P photos, N relatives of each, D features.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facette.dial.curves import JudgedPhotos, distances_at, relatives
from facette.errors import UsageError
from facette.judges.attributes import extract
from facette.latent.choice import most_various
from facette.latent.details import Details
from facette.latent.levels import DISTANCE, Level, choose_setting
from facette.latent.noise import Noise, people_noise, ways_to_differ
from facette.latent.vary import variation_seeds
from facette.model.interface import DrawingModel

RELATIVES = 3  # of a photo, for spread
CHOSEN, POOL, COMPARED = 10, 100, 12  # of so many seeds, so many are chosen, on so many photos


@dataclass(frozen=True, slots=True)
class LevelStudy:
    """One level, over P photos with a relative each."""

    level: Level
    strength: float
    distance: float  # median
    same: float  # share nearer to their photo than 1 % of strangers are to each other


@dataclass(frozen=True, slots=True)
class Study:
    """What P photos say of one kind of noise."""

    photos: int
    noise: Noise
    details: Details
    strangers: float  # measured anew on these photos
    levels: tuple[LevelStudy, ...]
    spread: float  # variance of features among relatives of a photo at auto ÷ among people
    best: float  # the same of ten chosen from a hundred
    random: float  # and of ten that were not

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The figures as sentences."""
        head = f"{self.photos} photos, {self.noise} noise, details of the {self.details}"
        rows = [
            f"  {row.level:>6}: strength {row.strength:.3g}, median distance {row.distance:.3f}, "
            f"the same person in {row.same:.1%}"
            for row in self.levels
        ]
        return [
            f"{head}; strangers from {self.strangers:.3f}",
            *rows,
            f"  spread at auto {self.spread:.3f} of people's; ten of {POOL} chosen {self.best:.3f}, "
            f"at random {self.random:.3f}",
        ]


def study(
    model: DrawingModel,
    frames: NDArray[np.uint8],
    people: NDArray[np.integer] | None = None,
    *,
    noise: Noise | None = None,
    details: Details = "photo",
    seed: int = 0,
) -> Study:
    """Measure frames (P, W, W, 3) of faces that calibration did not see; `people` (P,) says whose they are.

    Raises UsageError for fewer than two photos.
    """
    if len(frames) < 2:
        raise UsageError(f"a study takes at least 2 photos, there is {len(frames)}.")
    photos = JudgedPhotos.of(model, frames)
    strangers = photos.strangers(people)
    seeds = variation_seeds(seed + 1, len(frames) * RELATIVES)
    levels = []
    for level in DISTANCE:
        setting = choose_setting(model, level, noise=noise, details=details)
        apart = distances_at(model, photos, setting.noise, details, setting.strength, seeds[: len(frames)])
        near = float((apart < strangers).mean())
        levels.append(LevelStudy(level, setting.strength, float(np.median(apart)), near))
    auto = choose_setting(model, "auto", noise=noise, details=details)

    def features(some: JudgedPhotos, chosen: list[tuple[int, ...]]) -> NDArray[np.floating]:
        """(N, P, D) of N relatives of each photo at auto; a seed for each photo."""
        drawn = (relatives(model, some, auto.noise, details, auto.strength, row) for row in chosen)
        return np.stack([extract(pictures).features for pictures in drawn])

    varied = features(photos, [seeds[i::RELATIVES] for i in range(RELATIVES)])
    among_people = extract(photos.frames).features.var(axis=0)  # (D,)
    few, pool = photos.first(COMPARED), variation_seeds(seed, POOL)
    shaped = people_noise(model) if auto.noise == "people" else None
    best = most_various(ways_to_differ(pool, shaped, model.latent), CHOSEN)
    size = len(few.frames)
    chosen, random = (
        features(few, [(pool[i],) * size for i in rows]) for rows in (best.tolist(), range(CHOSEN))
    )
    spread = (relative_spread(values, among_people) for values in (varied, chosen, random))
    return Study(len(frames), auto.noise, details, strangers, tuple(levels), *spread)


def relative_spread(features: NDArray[np.floating], among_people: NDArray[np.floating]) -> float:
    """Mean over D features of the variance among the N relatives (N, P, D) of a photo ÷ that among people (D,)."""
    return float((features.var(axis=0, ddof=1).mean(axis=0) / among_people).mean())
