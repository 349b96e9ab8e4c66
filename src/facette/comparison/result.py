"""What a comparison found: methods side by side on one photo, their pictures and their figures.

Enters nothing: these are results. How they are made is `compare`'s business, how they are worded on a page the
command's.

Legend: M methods, N pictures of each, S side of the common frame, H side of the diffusion model's pictures.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.comparison.autoencoders import SHOWN, Kept
from facette.comparison.methods import Size
from facette.comparison.trials import Trial, to_side
from facette.latent.sheets import Result

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet

IN_A_LINE = 6  # pictures of a method side by side; more are shown in two lines


@dataclass(frozen=True, slots=True)
class Entry:
    """One method in the comparison, at the level at which it is compared."""

    name: str
    knob: str
    strongest: float  # the highest level that was tried
    chosen: Trial
    size: Size
    curve: tuple[Trial, ...]  # by rising level; only the chosen one without matching
    # whether the similarity is the common one within the tolerance; None without matching
    matched: bool | None


@dataclass(frozen=True, slots=True)
class Comparison(Result):
    """Methods side by side on one photo. The diffusion model is the last entry."""

    photo: np.ndarray  # uint8 (S, S, 3)
    large: np.ndarray  # uint8 (H, H, 3): the same frame at the diffusion model's size
    entries: tuple[Entry, ...]
    kept: tuple[Kept, ...]  # each autoencoder's reconstruction of the photo, in the order of the entries
    wished: float | None  # the similarity asked for, or that at the asked strength; None without matching
    tolerance: float
    seeds: tuple[int, ...]
    asked: dict[str, Any]  # what was run, as plain values
    remark: str = ""

    @property
    def pictures(self) -> np.ndarray:
        """Entry after entry at the common size: (M·N, S, S, 3)."""
        return np.concatenate([entry.chosen.pictures for entry in self.entries])

    def sheet(self) -> Sheet:
        """The photo, then a row for each method."""
        from facette.images.sheets.grid import Cell, SheetRow, contact_sheet

        side = SHOWN if len(self.photo) <= SHOWN else len(self.photo)
        rows = [
            SheetRow(
                [
                    Cell(picture, "withheld" if hidden else "")
                    for picture, hidden in zip(
                        to_side(entry.chosen.output.pictures, side), entry.chosen.output.withheld, strict=True
                    )
                ],
                f"{entry.name}, {entry.knob} {entry.chosen.level:.3g}: {_told(entry.chosen)}",
                apart=place > 0,
            )
            for place, entry in enumerate(self.entries)
        ]
        finest = max(self.photo, self.large, key=len)
        photo = Cell(to_side(finest[None], side)[0], "photo", framed=True)
        texts: dict[str, Any] = {"title": self.title, "subtitle": self.subtitle, "footer": self.remark}
        count = len(self.seeds)
        return contact_sheet(rows, photo=photo, wrap=count if count <= IN_A_LINE else -(-count // 2), **texts)

    @property
    def matched(self) -> bool:
        """Whether every method has the common similarity within the tolerance."""
        return all(entry.matched for entry in self.entries)

    @property
    def title(self) -> str:
        return f"{self.entries[0].name.split()[0]} beside {self.entries[-1].name}"

    @property
    def subtitle(self) -> str:
        similarity = " · ".join(f"{e.chosen.figures.similarity.value:.2f}" for e in self.entries)
        way = (
            "equally like the photo"
            if self.matched
            else "as asked"
            if self.wished is None
            else "as near as can be"
        )
        return f"{way}: similarity {similarity} · seed {self.seeds[0]}"

    def settings(self) -> dict[str, Any]:
        return {"made": "compare", **self.asked, "seeds": list(self.seeds)}

    def to_dict(self) -> dict[str, Any]:
        """Every number, as JSON holds it."""
        return {
            **self.settings(),
            "wished_similarity": self.wished,
            "tolerance": self.tolerance,
            "methods": [_entry_dict(entry) for entry in self.entries],
            "autoencoders": [kept.to_dict() for kept in self.kept],
        }


def _told(trial: Trial) -> str:
    """The figures that a glance at the pictures asks for."""
    figures = trial.figures
    return f"similarity {figures.similarity.value:.2f}, realism {figures.realism:.2f}"


def _entry_dict(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "knob": entry.knob,
        "matched": entry.matched,
        "parameters": entry.size.parameters,
        "weight_bytes": entry.size.bytes,
        **_trial_dict(entry.chosen),
        "curve": [_trial_dict(trial) for trial in entry.curve],
    }


def _trial_dict(trial: Trial) -> dict[str, Any]:
    figures, output = trial.figures, trial.output
    return {
        "level": trial.level,
        "similarity": asdict(figures.similarity),
        "realism": figures.realism,
        "spread": figures.spread,
        "variety": figures.variety,
        "sharpness": figures.sharpness,
        "seconds_per_picture": output.seconds,
        "peak_memory_bytes": output.memory,
        "withheld": list(output.withheld),
    }
