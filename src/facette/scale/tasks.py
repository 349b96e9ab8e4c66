"""What may be done with every picture of a collection: three tasks as plain values.

Enters and leaves: nothing but numbers and words, the same in `job.json`, on every worker and after a restart.
How a task is done is the business of `shards`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from facette.errors import UsageError

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
    """Relatives of every picture: z = μ + diversity · σ · ε. A picture's ε depend on the seed and its name alone."""

    kind: ClassVar[str] = "vary"
    count: int = 10
    diversity: float = 7.0
    seed: int = 0
    format: Format = "jpg"
    zipped: bool = False  # one archive a shard instead of a folder of files
    table: Table = "parquet"

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.diversity < float("inf"):
            raise UsageError(
                f"variations need a count of at least 1 and a diversity of at least 0, got {self.count} and "
                f"{self.diversity}."
            )


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Measures of the whole collection, from sums that shards are added up by."""

    kind: ClassVar[str] = "evaluate"
    seed: int = 0


Task = Encode | Vary | Evaluate


def task_of(kind: str, settings: dict[str, Any]) -> Task:
    """The task that `job.json` names."""
    return {"encode": Encode, "vary": Vary, "evaluate": Evaluate}[kind](**settings)
