"""A sweep with its measures: for each factor the variations, and how like, how real and how various they are.

Enters: a calibrated model, a photo, factors. Leaves: `DialSweep`, a sheet and figures. How the page looks that
shows them is `facette.plots.dial`'s business.

Legend: F factors, N variations, Z latents.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.dial.search import REALISM_KEPT, REFERENCE, Dial, Reading, automatic_factor, dial_of
from facette.errors import UsageError
from facette.latent.inputs import Picture
from facette.latent.sheets import Result
from facette.latent.vary import Noise, Sweep, Variations, variation_seeds

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet


@dataclass(frozen=True, slots=True)
class DialSweep(Result):
    """Variations at growing factors, measured."""

    sweep: Sweep
    readings: tuple[Reading, ...]  # F of them
    cycles: tuple[
        float, ...
    ]  # (F,) root mean square of E(D(z)) − z over latents and variations; 0 when both agree
    redrawn: float  # cosine of the reconstruction with the photo
    threshold: float  # the cosine that one pair of strangers in a hundred exceeds
    floor: float  # of the mean realism: 20 % below that at factor 1
    recommended: float | None  # None: not even the reconstruction is like the photo

    @property
    def pictures(self) -> Picture:  # type: ignore[override]
        return self.sweep.pictures

    @property
    def factors(self) -> tuple[float, ...]:
        return self.sweep.factors

    def sheet(self) -> "Sheet":
        """The photo first, then one row for each factor with its likeness and realism."""
        from facette.images.sheets.grid import sweep_sheet

        one = self.sweep.rows[0]
        labels = [
            f"{reading.factor:g}\u00a0σ likeness\u00a0{reading.likeness.mean():.2f} "
            f"realism\u00a0{reading.realism.mean():.2f}"
            for reading in self.readings
        ]
        recommended = "" if self.recommended is None else f" · recommended factor {self.recommended:g}"
        return sweep_sheet(
            self.sweep.photo,
            [list(row.pictures) for row in self.sweep.rows],
            labels,
            title="Diversity from row to row",
            subtitle=f"each column keeps its direction · {one.model} · seed {one.seeds[0]}{recommended}",
            wrap=len(one.pictures),
            footer=self.sweep.remark,
        )

    def settings(self) -> dict[str, Any]:
        return {
            **self.sweep.settings(),
            "recommended": self.recommended,
            "threshold": round(self.threshold, 4),
            "realism_floor": round(self.floor, 4),
            "reconstruction_likeness": round(self.redrawn, 4),
            "readings": [
                {
                    "factor": reading.factor,
                    "likeness": [round(float(value), 4) for value in reading.likeness],
                    "realism": [round(float(value), 4) for value in reading.realism],
                    "spread": round(reading.spread, 4),
                    "cycle": round(cycle, 4),
                }
                for reading, cycle in zip(self.readings, self.cycles, strict=True)
            ],
        }

    def remarked(self, text: str) -> "DialSweep":
        """The same with a line under its sheet, such as what was done to the photo."""
        return replace(self, sweep=replace(self.sweep, remark=text))


def dial_sweep(
    model,
    picture,
    factors: Sequence[float],
    count: int = 10,
    seed: int = 0,
    noise: Noise = "posterior",
    refine: int = 0,
) -> DialSweep:
    """`sweep` at several factors, with likeness, realism, spread and cycle consistency of each row.

    Arguments as `sweep` takes them. The recommended factor is the automatic one of `vary`, whatever the factors shown.
    Raises UsageError as `sweep` does, for fewer than two variations, and for a model that was not calibrated.
    """
    if count < 2:
        raise UsageError(f"a spread needs at least 2 variations in a row, got {count}.")
    if not len(factors):
        raise UsageError("a sweep needs at least one factor, none was given.")
    dial = dial_of(model, picture, noise, seed, refine)
    seeds = variation_seeds(seed, count)
    rows = tuple(dial.origin.variations(seeds, factor, noise=noise) for factor in factors)
    return DialSweep(
        sweep=Sweep(rows[0].photo, dial.origin.reconstruction, rows),
        readings=tuple(dial.read(row.pictures, row.factor) for row in rows),
        cycles=tuple(_cycle(dial, row) for row in rows),
        redrawn=dial.redrawn,
        threshold=dial.gauge.threshold,
        floor=REALISM_KEPT * float(dial.at(REFERENCE, seeds).realism.mean()),
        recommended=automatic_factor(dial, seed) if dial.redrawn > dial.gauge.threshold else None,
    )


def _cycle(dial: Dial, row: Variations) -> float:
    """How far the encoder puts decoded variations from the latents they were decoded from, per latent."""
    again = dial.origin.model.encode(row.pictures).mean  # (N, Z)
    return float(np.sqrt(np.square(np.asarray(again, np.float64) - row.latents).mean()))
