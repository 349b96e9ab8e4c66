"""Two clouds of pictures in one embedding: every measure of how alike they are, with intervals.

Enters: embeddings of real and of made pictures, (N, D) each. Leaves: `DistributionFigures`. Knows no model.

The real pictures are parted in two. Whatever is made is compared with the first half; reconstructions are those of
the second half, for a reconstruction compared with its own photo would come out nearer than any other picture can.
The second half itself, compared with the first, is the floor: what a perfect model would get.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facette.evaluation.result import DistributionFigures
from facette.measures.density import two_sample_accuracy
from facette.measures.distances import KernelSums, frechet_distance
from facette.measures.diversity import vendi_score
from facette.measures.intervals import Bootstrap, Interval, resampled
from facette.measures.manifold import overlap

FEWEST = 40  # real pictures: 20 in each half


def halves(count: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two halves of `count` real pictures, equal in number, drawn by the seed."""
    order = np.random.default_rng(seed).permutation(count)
    half = count // 2
    return np.sort(order[:half]), np.sort(order[half : 2 * half])


def compare_clouds(of: str, real: NDArray, made: NDArray, seed: int) -> DistributionFigures:
    """All measures of made pictures (M, D) against real ones (N, D); `of` names what was made."""
    sizes = (len(real), len(made))
    found = overlap(real, made)
    of_made = Bootstrap({"precision": found.precision, "density": found.density}, seed)
    of_real = Bootstrap({"recall": found.recall, "coverage": found.coverage}, seed)
    centre = real.mean(axis=0)
    beyond_chance = two_sample_accuracy(real, made, seed, boundary="linear")
    error = 1.96 * 0.5 / np.sqrt(sum(sizes))
    return DistributionFigures(
        of=of,
        frechet=resampled(lambda r, m: frechet_distance(real[r], made[m]), sizes, seed),
        kernel=kernel_interval(real, made, seed),
        precision=of_made.mean("precision"),
        recall=of_real.mean("recall"),
        density=of_made.mean("density"),
        coverage=of_real.mean("coverage"),
        two_sample=Interval(beyond_chance, max(0.0, beyond_chance - error), min(1.0, beyond_chance + error)),
        vendi=resampled(lambda m: vendi_score(made[m] - centre), sizes[1:], seed),
    )


def kernel_interval(real: NDArray, made: NDArray, seed: int) -> Interval:
    """The kernel distance with its interval."""
    sums, sizes = KernelSums.of(real, made), (len(real), len(made))

    def distance(*rows: NDArray) -> float:
        return sums.distance(
            *(
                np.bincount(some, minlength=size).astype(np.float64)
                for some, size in zip(rows, sizes, strict=True)
            )
        )

    return resampled(distance, sizes, seed)
