"""Two clouds of points in one embedding: every measure of how alike they are, with intervals.

In: embeddings of real and of made pictures, (N, D) and (M, D). Out: `Interval`s. Knows no model and no pictures.

The real pictures are parted in two. Whatever is made is compared with the first half; reconstructions are those of
the second half, for a reconstruction compared with its own photo would come out nearer than any other picture can.
The second half itself, compared with the first, is the floor: what a perfect model would get.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facette.measures.density import two_sample_accuracy
from facette.measures.distances import KernelSums, Points, frechet_distance
from facette.measures.diversity import vendi_score
from facette.measures.intervals import Bootstrap, Interval, resampled
from facette.measures.manifold import Overlap, overlap

FEWEST = 40  # real pictures: 20 in each half


def halves(count: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two halves of `count` real pictures, equal in number, drawn by the seed."""
    order = np.random.default_rng(seed).permutation(count)
    half = count // 2
    return np.sort(order[:half]), np.sort(order[half : 2 * half])


class Clouds:
    """Real points (N, D) and made ones (M, D). What the measures are is said where each is computed."""

    def __init__(self, real: Points, generated: Points):
        self.real, self.generated = real, generated
        self.sizes = (len(real), len(generated))

    @cached_property
    def overlap(self) -> Overlap:
        return overlap(self.real, self.generated)

    def frechet(self, seed: int) -> Interval:
        """≥ 0, squared units of the embedding."""
        return resampled(lambda r, m: frechet_distance(self.real[r], self.generated[m]), self.sizes, seed)

    def kernel(self, seed: int) -> Interval:
        """Around 0 for equal distributions."""
        return kernel_interval(self.real, self.generated, seed)

    def precision(self, seed: int) -> Interval:
        """In [0, 1]."""
        return self._over_made(seed).mean("precision")

    def recall(self, seed: int) -> Interval:
        """In [0, 1]."""
        return self._over_real(seed).mean("recall")

    def density(self, seed: int) -> Interval:
        """≥ 0, 1 for equal distributions."""
        return self._over_made(seed).mean("density")

    def coverage(self, seed: int) -> Interval:
        """In [0, 1]."""
        return self._over_real(seed).mean("coverage")

    def two_sample(self, seed: int) -> Interval:
        """In [0, 1], 0.5 for equal distributions."""
        accuracy = two_sample_accuracy(self.real, self.generated, seed, boundary="linear")
        error = 1.96 * 0.5 / np.sqrt(sum(self.sizes))
        return Interval(accuracy, max(0.0, accuracy - error), min(1.0, accuracy + error))

    def vendi(self, seed: int) -> Interval:
        """From 1 to the number of pictures."""
        centre = self.real.mean(axis=0)
        return resampled(lambda m: vendi_score(self.generated[m] - centre), self.sizes[1:], seed)

    def _over_made(self, seed: int) -> Bootstrap:
        return Bootstrap({"precision": self.overlap.precision, "density": self.overlap.density}, seed)

    def _over_real(self, seed: int) -> Bootstrap:
        return Bootstrap({"recall": self.overlap.recall, "coverage": self.overlap.coverage}, seed)


def kernel_interval(real: Points, generated: Points, seed: int) -> Interval:
    """The kernel distance with its interval."""
    sums, sizes = KernelSums.of(real, generated), (len(real), len(generated))

    def distance(*rows: NDArray) -> float:
        counts = [
            np.bincount(some, minlength=size).astype(np.float64)
            for some, size in zip(rows, sizes, strict=True)
        ]
        return sums.distance(*counts)

    return resampled(distance, sizes, seed)
