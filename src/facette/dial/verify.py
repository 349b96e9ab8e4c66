"""Whether the dial keeps its word: three figures over photos that calibration did not see.

    python -m facette.dial.verify MODEL DATA --count 50

Enters: a calibrated model and data. Leaves: how surely spread grows and likeness falls with the factor, how many
variations at the automatic factor stay more like their photo than strangers are, and how much more the chosen ten
spread than random ones at the same likeness.

Legend: P photos, F factors.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facette.data.selection import choose_data
from facette.dial.calibrate import PHOTOS, measure_curve
from facette.dial.choice import best_spread
from facette.dial.search import Dial, automatic_factor, dial_of, factor_for_likeness, known_factors
from facette.dial.vary import POOL, SEARCHED
from facette.judges.likeness import place_spread
from facette.latent.inputs import resolve_model
from facette.latent.vary import Noise, variation_seeds

COUNT = 10
ASKED = 0.5  # the likeness at which choices are compared


@dataclass(frozen=True, slots=True)
class Study:
    """What was found on P photos with one kind of noise."""

    photos: int
    noise: Noise
    spread_rank: float  # Spearman's correlation of the mean spread with the factor
    likeness_rank: float  # and of the mean likeness
    automatic_factors: tuple[float, float, float]  # least, median and largest of the automatic factors
    automatic_above: float  # share of fresh variations at the automatic factor above the impostor threshold
    unlike: int  # photos redrawn so unlike that there is no automatic factor
    random_spread: float  # mean over photos, at the likeness asked
    best_spread: float
    random_likeness: float  # cosines
    best_likeness: float

    @property
    def gain(self) -> float:
        """How much more the chosen ten spread than ten random ones: 0.25 is a quarter more."""
        return self.best_spread / self.random_spread - 1

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "gain": self.gain}

    def lines(self) -> list[str]:
        """The figures as sentences."""
        least, median, largest = self.automatic_factors
        return [
            f"{self.photos} photos, {self.noise} noise",
            f"  rank correlation with the factor: spread {self.spread_rank:+.3f}, likeness {self.likeness_rank:+.3f}",
            f"  automatic factor {median:.3g} ({least:.3g} to {largest:.3g}): {self.automatic_above:.1%} of fresh "
            f"variations above the impostor threshold"
            + (f"; {self.unlike} photos are redrawn too unlike to have one" if self.unlike else ""),
            f"  at likeness {ASKED:g}, ten of {POOL} chosen spread {self.best_spread:.3f} (cosine "
            f"{self.best_likeness:.3f}), ten at random {self.random_spread:.3f} ({self.random_likeness:.3f}): "
            f"{self.gain:+.0%}",
        ]


def study(
    model,
    data,
    *,
    photos: int = PHOTOS,
    noise: Noise = "posterior",
    seed: int = 0,
    advance: Callable[[int], None] | None = None,
) -> Study:
    """Measure the three figures on `photos` validation pictures of `data`.

    The automatic factor is found with the draws of one seed and judged by those of another, so that it is not
    measured on what it was made for. Random tens are every tenth of the pool in turn, at the same factor.
    """
    model = resolve_model(model)
    subject = choose_data(model, data, "valid", photos, seed + 1)
    dials = [dial_of(model, photo, noise) for photo in subject.read(subject.indices)]
    fresh = variation_seeds(seed + 1, COUNT)
    factors = known_factors(model)
    curve = measure_curve(dials, factors, variation_seeds(seed, COUNT))
    kept = [dial for dial in dials if dial.redrawn > dial.gauge.threshold]
    found, above, compared = [], [], []
    for done, dial in enumerate(kept, start=1):
        found.append(factor := automatic_factor(dial, seed))
        above.append((dial.at(factor, fresh).likeness >= dial.gauge.threshold).mean())
        compared.append(_compare(dial, seed))
        if advance is not None:
            advance(done)
    means = [float(np.mean(column)) for column in zip(*compared, strict=True)]
    return Study(
        photos=len(dials),
        noise=noise,
        spread_rank=_rank_correlation(curve.factors, curve.spread),
        likeness_rank=_rank_correlation(curve.factors, curve.likeness),
        automatic_factors=(min(found), float(np.median(found)), max(found)),
        automatic_above=float(np.mean(above)),
        unlike=len(dials) - len(kept),
        random_spread=means[0],
        best_spread=means[2],
        random_likeness=means[1],
        best_likeness=means[3],
    )


def _compare(dial: Dial, seed: int) -> tuple[float, float, float, float]:
    """Spread and mean likeness of random tens of a pool, then of the ten chosen from it at no less likeness."""
    seeds = variation_seeds(seed, POOL)
    pool = dial.at(factor_for_likeness(dial, seeds[:SEARCHED], ASKED), seeds)
    tens = [pool.places[i : i + COUNT] for i in range(0, POOL, COUNT)]
    mean = float(pool.likeness.mean())
    chosen = best_spread(pool.places, pool.likeness, COUNT, mean)
    spread = float(np.mean([place_spread(ten) for ten in tens]))
    return spread, mean, place_spread(pool.places[chosen]), float(pool.likeness[chosen].mean())


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's, of two rows without ties."""
    one, other = (
        np.argsort(np.argsort(row)) - (len(row) - 1) / 2 for row in (first, second)
    )  # ranks, centred
    return float(one @ other / (one @ one))


def main() -> None:
    """The three figures for both kinds of noise, on stdout."""
    from facette.data import open_dataset

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--count", type=int, default=PHOTOS, help="photos")
    parser.add_argument("--noise", choices=["posterior", "aggregate"], action="append")
    parser.add_argument("--seed", type=int, default=0)
    wished = parser.parse_args()
    model = resolve_model(wished.model)
    store = open_dataset(wished.data, model.recipe.input)
    noises: list[Noise] = wished.noise or ["posterior", "aggregate"]
    for noise in noises:
        found = study(model, store, photos=wished.count, noise=noise, seed=wished.seed)
        sys.stdout.write("\n".join(found.lines()) + "\n")


if __name__ == "__main__":
    main()
