"""What may be done with every picture of a collection: three tasks as plain values.

Enters and leaves: nothing but numbers and words, the same in `job.json`, on every worker and after a restart.
How a task is done is the business of `shards`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from facette.errors import UsageError
from facette.latent.details import Details
from facette.latent.levels import choose_setting
from facette.latent.noise import Noise
from facette.model.interface import DrawingModel

Table = Literal["parquet", "npz"]
Format = Literal["jpg", "png"]


@dataclass(frozen=True, slots=True)
class Encode:
    """Every picture's posterior: mean and σ."""

    kind: ClassVar[str] = "encode"
    table: Table = "parquet"
    half: bool = False  # float16 instead of float32: half the bytes, three digits


@dataclass(frozen=True, slots=True)
class Vary:
    """Relatives of every picture, as `facette.latent.vary` makes them. A picture's draws depend on the seed and its
    name alone.

    `diversity` and `noise` as `vary` takes them; a job holds what they come to for its model.
    """

    kind: ClassVar[str] = "vary"
    count: int = 10
    diversity: float | str | None = None
    noise: Noise | None = None
    details: Details = "photo"
    seed: int = 0
    format: Format = "jpg"
    zipped: bool = False  # one archive a shard instead of a folder of files
    table: Table = "parquet"

    def __post_init__(self) -> None:
        number = self.diversity if isinstance(self.diversity, int | float) else 0
        if self.count < 1 or not 0 <= number < float("inf"):
            raise UsageError(
                f"variations need a count of at least 1 and a diversity of at least 0, got {self.count} and "
                f"{self.diversity}."
            )

    def for_model(self, model: DrawingModel) -> Vary:
        """The same in figures: the strength and the noise that a level comes to for this model. Raises UsageError for
        what it cannot draw."""
        setting = choose_setting(model, self.diversity, noise=self.noise, details=self.details)
        return replace(self, diversity=setting.strength, noise=setting.noise)


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Measures of the whole collection, from sums that shards are added up by."""

    kind: ClassVar[str] = "evaluate"
    seed: int = 0


Task = Encode | Vary | Evaluate


def task_of(kind: str, settings: dict[str, Any]) -> Task:
    """The task that `job.json` names."""
    return {"encode": Encode, "vary": Vary, "evaluate": Evaluate}[kind](**settings)
