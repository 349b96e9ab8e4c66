"""A sweep with its measures: for each strength the relatives, and how like, how real and how various they are.

Enters: a calibrated model, a photo, strengths. Leaves: `DialSweep`, a sheet and figures. How the page looks that
shows them is `facette.plots.dial`'s business.

Legend: F strengths, N variations, Z latents, W side of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facette.dial.curves import JUDGED
from facette.errors import UsageError
from facette.images.warp import at_side
from facette.judges.identity import available, describe, speaks_for
from facette.judges.similarity import WhitenedEmbedding, embedding_of, embedding_spread
from facette.latent.details import Details
from facette.latent.inputs import Picture, resolve_model
from facette.latent.levels import STRANGERS, Curve, choose_setting, measured_curve
from facette.latent.noise import Noise
from facette.latent.photo import PhotoSource
from facette.latent.sheets import Result
from facette.latent.vary import Origin, Sweep, Variations, origin_of, variation_seeds
from facette.measures.identity import distances
from facette.model.interface import DrawingModel

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet


@dataclass(frozen=True, slots=True)
class Reading:
    """What one strength does to one photo."""

    strength: float
    likeness: NDArray[np.float64]  # (N,): 1 the photo, 0 as far as the nearest strangers
    realism: NDArray[np.float64]  # (N,) in [0, 1], 0.5 for real faces on average
    spread: float  # 0 when all are one, 1 for strangers
    cycle: float  # root mean square of E(x') − z over latents and variations; 0 when both agree


@dataclass(frozen=True, slots=True)
class DialSweep(Result):
    """Variations at growing strengths, measured."""

    sweep: Sweep
    readings: tuple[Reading, ...]  # F of them
    judged: bool  # likeness was measured on these very pictures; else it is what the model's curve expects
    automatic: float  # the strength of "auto" with this noise

    @property
    def pictures(self) -> Picture:  # type: ignore[override]
        return self.sweep.pictures

    @property
    def factors(self) -> tuple[float, ...]:
        return self.sweep.factors

    def sheet(self) -> Sheet:
        """The photo first, then one row for each strength with its likeness and realism."""
        from facette.images.sheets.grid import sweep_sheet

        first = self.sweep.rows[0]
        labels = [
            f"{row.strength_label} likeness\u00a0{reading.likeness.mean():.2f} "
            f"realism\u00a0{reading.realism.mean():.2f}"
            for row, reading in zip(self.sweep.rows, self.readings, strict=True)
        ]
        return sweep_sheet(
            self.sweep.photo,
            [list(row.pictures) for row in self.sweep.rows],
            labels,
            title="Diversity from row to row",
            subtitle=f"each column keeps its direction · {first.model} · seed {first.seeds[0]} · "
            f"auto is {self.automatic:g}",
            wrap=len(first.pictures),
            footer=self.sweep.remark,
        )

    def settings(self) -> dict[str, Any]:
        return {
            **self.sweep.settings(),
            "automatic": self.automatic,
            "judged": self.judged,
            "readings": [
                {
                    "factor": reading.strength,
                    "likeness": [round(float(value), 4) for value in reading.likeness],
                    "realism": [round(float(value), 4) for value in reading.realism],
                    "spread": round(reading.spread, 4),
                    "cycle": round(reading.cycle, 4),
                }
                for reading in self.readings
            ],
        }

    def remarked(self, text: str) -> DialSweep:
        """The same with a line under its sheet, such as what was done to the photo."""
        return replace(self, sweep=replace(self.sweep, remark=text))


def dial_sweep(
    model: DrawingModel | str | Path,
    picture: PhotoSource,
    factors: Sequence[float],
    count: int = 10,
    seed: int = 0,
    noise: Noise | None = None,
    details: Details = "photo",
    side: int | None = None,
) -> DialSweep:
    """`sweep` at several strengths, with likeness, realism, spread and cycle consistency of each row.

    Arguments as `sweep` takes them. Likeness is measured by the judge of who a face is where the extra `identity` is
    installed; without it, it is what the model's curve expects. Raises UsageError as `sweep` does, for fewer than two
    variations, and for a model that was not calibrated.
    """
    if count < 2:
        raise UsageError(f"a spread needs at least 2 variations in a row, got {count}.")
    if not len(factors):
        raise UsageError("a sweep needs at least one factor, none was given.")
    model = resolve_model(model)
    setting = choose_setting(model, noise=noise, details=details)
    curve, embedding = measured_curve(model, setting.noise, details), embedding_of(model)
    origin = origin_of(model, picture, seed, details=details, side=side)
    seeds = variation_seeds(seed, count)
    rows = tuple(origin.variations(seeds, factor, noise=setting.noise) for factor in factors)
    readings = tuple(_read(origin, row, curve, embedding) for row in rows)
    return DialSweep(
        Sweep(rows[0].photo, origin.reconstruction, rows), readings, available(), setting.strength
    )


def _read(origin: Origin, row: Variations, curve: Curve, embedding: WhitenedEmbedding) -> Reading:
    places = embedding.places(row.pictures)
    again = np.asarray(origin.model.encode(at_side(row.pictures, origin.model.input.size)).mean, np.float64)
    return Reading(
        strength=row.factor,
        likeness=_likeness(origin.model, row, curve),
        realism=embedding.realism(places),
        spread=embedding_spread(places),
        cycle=float(np.sqrt(np.square(again - row.latents).mean())),
    )


def _likeness(model: DrawingModel, row: Variations, curve: Curve) -> NDArray[np.float64]:
    """(N,), always at one size, whatever size the pictures have."""
    if not available():
        return np.full(len(row.pictures), curve.likeness_at(row.factor))
    box = speaks_for(model.input.frame)
    assert box is not None, f"{STRANGERS} is only measured where the judge speaks"
    who = describe(at_side(np.concatenate([row.photo[None], row.pictures]), JUDGED), box)
    return 1 - distances(who[1:], np.repeat(who[:1], len(row.pictures), axis=0)) / curve.strangers
