"""What varying a photo gives: its relatives at one strength, or at several, with everything to draw them again.

Enters: what `vary` drew. Leaves: sheets, files and the settings they carry. Knows nothing of how relatives are drawn.

Legend: N variations, Z latents, S side of the model's pictures, W of the result's, F strengths.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.latent.around import Step
from facette.latent.drawing import Drawing
from facette.latent.inputs import Picture
from facette.latent.levels import Mode
from facette.latent.noise import Noise
from facette.latent.points import Latents
from facette.latent.sheets import Result, footer

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet
    from facette.latent.refine import Refined


@dataclass(frozen=True, slots=True)
class Variations(Result):
    """Several relatives of one photo, with everything needed to make each of them again."""

    photo: Picture  # (W, W, 3)
    reconstruction: Picture  # (S, S, 3): the decoded mean that the variations start from
    pictures: Picture  # (N, W, W, 3)
    latents: Latents  # (N, Z)
    factor: float  # of σ, or of σ² in mode "variance"; with people noise a share of how people differ
    seeds: tuple[int, ...]  # variation i alone: count=1, seed=seeds[i]
    mode: Mode
    model: str
    drawing: Drawing
    refined: "Refined | None" = None  # the posterior drawn from, when it was refined for this photo
    remark: str = ""  # a line under the sheet, such as what was done to the photo
    noise: Noise = "posterior"
    around: tuple[Step, ...] = ()  # from the photo to where these start, if they are relatives of a relative
    condition: Mapping[str, str | float] = field(default_factory=dict)  # what the photo was told
    # to expect of such relatives: 1 the photo, 0 a stranger; None where nobody knows
    likeness: float | None = None
    asked: str = ""  # the level or the likeness that was asked for, such as "auto"
    note: str = ""  # what that means, in a sentence
    pool: int = 0  # seeds that these were chosen from, the most various; 0: as drawn

    @property
    def strength_label(self) -> str:
        """The strength with its unit, as captions say it."""
        if self.noise == "people":
            return f"{self.factor:g} of people"
        return f"{self.factor:g} {'σ' if self.mode == 'factor' else 'σ²'}"

    def sheet(self, captions: Sequence[str] = (), note: str = "", seed: int | None = None) -> "Sheet":
        """The photo first, large and framed, then the variations in order, each over its caption if there are any.

        `note` ends the line under the title; `seed` stands there in the place of the first variation's own.
        """
        from facette.images.sheets.grid import variation_sheet

        title = f"{len(self.pictures)} variation{'s' if len(self.pictures) > 1 else ''}"
        refined = f" · refined in {self.refined.steps} steps" if self.refined else ""
        formula = _formula(self.factor, self.mode, self.noise)
        formula += "".join(f", {name} = {value}" for name, value in self.condition.items())
        formula += "".join(f" around {step}" for step in self.around)
        shown = self.seeds[0] if seed is None else seed
        various = f"the {len(self.pictures)} of {self.pool} that differ most" if self.pool else ""
        words = " · ".join(part for part in (self.note, various, note) if part)
        subtitle = f"{formula} · {self.model} · seed {shown}{refined}{words and f' · {words}'}"
        return variation_sheet(
            self.photo,
            list(self.pictures),
            captions,
            title=title,
            subtitle=subtitle,
            footer=footer(self.drawing, self.remark),
        )

    def settings(self) -> dict[str, Any]:
        return {
            "made": "vary",
            "model": self.model,
            "count": len(self.pictures),
            "diversity": self.factor,
            "mode": self.mode,
            "noise": self.noise,
            "asked": self.asked,
            "likeness": None if self.likeness is None else round(self.likeness, 4),
            "spread": "best" if self.pool else "random",
            "seed": self.seeds[0],
            "seeds": list(self.seeds),
            "refine": self.refined.steps if self.refined else 0,
            **({"condition": dict(self.condition)} if self.condition else {}),
            **({"around": [str(step) for step in self.around]} if self.around else {}),
            **self.drawing.settings(),
        }

    def settings_of(self, number: int) -> dict[str, Any]:
        return {**self.settings(), "count": 1, "seed": self.seeds[number], "seeds": [self.seeds[number]]}


@dataclass(frozen=True, slots=True)
class Sweep(Result):
    """The same directions at growing factors: one row of variations for each factor."""

    photo: Picture  # (W, W, 3)
    reconstruction: Picture  # (S, S, 3)
    rows: tuple[Variations, ...]  # F of them
    remark: str = ""  # a line under the sheet, such as what was done to the photo

    @property
    def factors(self) -> tuple[float, ...]:
        return tuple(row.factor for row in self.rows)

    @property
    def pictures(self) -> Picture:
        """Row after row: (F·N, W, W, 3)."""
        return np.concatenate([row.pictures for row in self.rows])

    def sheet(self) -> "Sheet":
        """The photo first, large and framed, then one labelled row for each factor."""
        from facette.images.sheets.grid import sweep_sheet

        first = self.rows[0]
        return sweep_sheet(
            self.photo,
            [list(row.pictures) for row in self.rows],
            [row.strength_label for row in self.rows],
            title="Diversity from row to row",
            subtitle=f"each column keeps its direction · {first.model} · seed {first.seeds[0]}",
            wrap=len(first.pictures),
            footer=footer(first.drawing, self.remark),
        )

    def settings(self) -> dict[str, Any]:
        return {**self.rows[0].settings(), "made": "sweep", "diversity": list(self.factors)}


def _formula(factor: float, mode: Mode, noise: Noise) -> str:
    """The formula as a person reads it under the title."""
    if noise == "people":
        return f"{factor:g} of how people differ"
    if mode == "variance":
        return f"diversity {factor:g} · σ²"
    return f"z = μ + {factor:g} · σ · ε"
