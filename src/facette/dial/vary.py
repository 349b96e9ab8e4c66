"""Variations by what they should be like: at an asked likeness, at the automatic factor, or the ten that differ most.

Enters: a calibrated model, a photo, what is asked. Leaves: `Dialled`, the variations with a score each. Each
of them is made again by its seed and the factor alone, without any measuring.

Legend: N variations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from facette.dial.choice import best_spread
from facette.dial.search import Dial, automatic_factor, dial_of, factor_for_likeness
from facette.errors import UsageError, check_count
from facette.latent.inputs import Picture
from facette.latent.sheets import Result
from facette.latent.vary import DIVERSITY, Noise, Variations, strength_of, variation_seeds

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet

SpreadName = Literal["best", "random"]

POOL = 100
SEARCHED = 20  # draws of a pool that the factor of a likeness is searched with


@dataclass(frozen=True, slots=True)
class Dialled(Result):
    """Variations that were measured against their photo."""

    variations: Variations
    likeness: tuple[float, ...]  # (N,) cosines with the photo: 1 the photo, 0 an average stranger
    scaled: tuple[float | None, ...]  # (N,) the same on the dial: 1 the reconstruction, 0 the threshold
    realism: tuple[float, ...]  # (N,) in [0, 1], 0.5 for real faces on average
    spread: float | None  # how unlike they are to each other; None for one alone
    threshold: float  # the cosine that one pair of strangers in a hundred exceeds
    asked: float | Literal["auto"] | None  # a likeness, the automatic factor, or neither
    chosen: SpreadName
    pool: int  # draws chosen from
    seed: int  # of all draws; each variation has its own

    @property
    def pictures(self) -> Picture:  # type: ignore[override]
        return self.variations.pictures

    def sheet(self) -> "Sheet":
        """The sheet of the variations, with the likeness of each."""
        shown = [
            f"cosine {cosine:.2f}" if scaled is None else f"likeness {scaled:.2f}"
            for scaled, cosine in zip(self.scaled, self.likeness, strict=True)
        ]
        return self.variations.sheet(shown, self._note(), self.seed)

    def settings(self) -> dict[str, Any]:
        return {
            **self.variations.settings(),
            "seed": self.seed,
            "likeness": self.asked if self.asked != "auto" else None,
            "automatic": self.asked == "auto",
            "spread": self.chosen,
            "pool": self.pool,
            "threshold": _short(self.threshold),
            "spread_measured": _short(self.spread),
            "scores": [
                {"seed": seed, "likeness": _short(scaled), "cosine": _short(cosine), "realism": _short(real)}
                for seed, scaled, cosine, real in zip(
                    self.variations.seeds, self.scaled, self.likeness, self.realism, strict=True
                )
            ],
        }

    def _note(self) -> str:
        asked = (
            "automatic"
            if self.asked == "auto"
            else f"likeness {self.asked:g} asked"
            if self.asked is not None
            else ""
        )
        several = self.chosen == "best" and len(self.pictures) > 1
        best = f"the {len(self.pictures)} of {self.pool} that differ most" if several else ""
        return " · ".join(part for part in (asked, best) if part)


def dial_vary(
    model,
    picture,
    count: int = 10,
    *,
    diversity: float | str | None = None,
    likeness: float | None = None,
    noise: Noise = "posterior",
    spread: SpreadName = "random",
    pool: int = POOL,
    seed: int = 0,
    refine: int = 0,
    pick: int | None = None,
) -> Dialled:
    """Make `count` relatives of one photo by what they should be like.

    `likeness` 1 is the reconstruction and 0 what one stranger in a hundred exceeds; the factor is searched so that
    the variations have it in the mean. `diversity` "auto" takes the largest factor that keeps everyone above that
    threshold and realism within 20 % of factor 1; a number is taken as it is. `spread` "best" draws a `pool` and keeps
    those that differ most from each other while their mean likeness is that of the pool, or the asked one. `pick`
    makes the one of that seed alone, at the factor that the same call without it finds.

    Raises UsageError as `vary` does, for both a likeness and a diversity, a pool smaller than the choice, and for a
    model that was not calibrated.
    """
    _check(count, diversity, likeness, spread, pool)
    dial = dial_of(model, picture, noise, seed, refine)
    seeds = variation_seeds(seed, pool if spread == "best" else count)
    factor = _factor(dial, seeds if spread == "random" else seeds[:SEARCHED], seed, diversity, likeness)
    if pick is not None:
        seeds = variation_seeds(pick, 1)
    elif spread == "best":
        seeds = _chosen(dial, seeds, factor, count, likeness)
    variations = dial.origin.variations(seeds, factor, noise=noise)
    reading = dial.read(variations.pictures, factor)
    return Dialled(
        variations=variations,
        likeness=tuple(reading.likeness.tolist()),
        scaled=tuple(dial.scaled(cosine) for cosine in reading.likeness.tolist()),
        realism=tuple(reading.realism.tolist()),
        spread=reading.spread if len(seeds) > 1 else None,
        threshold=dial.gauge.threshold,
        asked=likeness if likeness is not None else "auto" if diversity == "auto" else None,
        chosen=spread,
        pool=pool if spread == "best" else count,
        seed=seed if pick is None else pick,
    )


def _check(
    count: int, diversity: float | str | None, likeness: float | None, spread: SpreadName, pool: int
) -> None:
    check_count(count)
    if likeness is not None and diversity is not None:
        raise UsageError("a likeness and a diversity both say how far to go: give one of them.")
    if spread not in ("best", "random"):
        raise UsageError(f"unknown spread {spread!r}: use 'best' or 'random'.")
    if spread == "best" and pool < count:
        raise UsageError(f"a pool of {pool} holds no {count} to choose: make the pool larger.")
    if isinstance(diversity, str) and diversity != "auto":
        raise UsageError(f"a diversity is a number or 'auto', got {diversity!r}.")
    if isinstance(diversity, int | float):
        strength_of(diversity)


def _factor(
    dial: Dial, seeds: Sequence[int], seed: int, diversity: float | str | None, likeness: float | None
) -> float:
    if likeness is not None:
        return factor_for_likeness(dial, seeds, likeness)
    if diversity == "auto":
        return automatic_factor(dial, seed)
    return DIVERSITY["factor"] if diversity is None else float(diversity)


def _chosen(
    dial: Dial, seeds: Sequence[int], factor: float, count: int, asked: float | None
) -> tuple[int, ...]:
    """The seeds of the pool that differ most, none below the threshold where enough are above it."""
    pool = dial.at(factor, seeds)
    least = float(pool.likeness.mean()) if asked is None else dial.cosine(asked)
    above = [i for i, cosine in enumerate(pool.likeness) if cosine >= dial.gauge.threshold]
    taken = above if len(above) >= count else list(range(len(seeds)))
    picked = best_spread(pool.places[taken], pool.likeness[taken], count, least)
    return tuple(seeds[taken[i]] for i in picked)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
