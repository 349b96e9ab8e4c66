"""A variation as a place to start from, so that relatives of a relative can be made: SEED@DIVERSITY.

Enters: text as typed. Leaves: steps. How a step is taken is `vary`'s business.
"""

import math
from dataclasses import dataclass

from facette.errors import UsageError


@dataclass(frozen=True, slots=True)
class Step:
    """From where one is to the variation of a seed, made there at a diversity."""

    seed: int
    factor: float

    def __str__(self) -> str:
        return f"{self.seed}@{self.factor:.12g}"


def parse_step(text: str) -> Step:
    """ "12@7" as a step. Raises UsageError for anything else."""
    seed, _, factor = text.partition("@")
    try:
        step = Step(int(seed), float(factor))
    except ValueError:
        step = Step(-1, math.nan)
    if not (step.seed >= 0 and math.isfinite(step.factor) and step.factor >= 0):
        raise UsageError(f"`around` takes SEED@DIVERSITY such as 12@7, got {text!r}.")
    return step
