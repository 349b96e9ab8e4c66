"""The noise that makes relatives: where the model is unsure of a photo, or how people differ.

Enters: seeds, and a loaded model, whose file may know how people differ. Leaves: draws and steps as arrays; no torch.
Knows nothing of pictures, nor of how large a step should be.

    posterior noise    z' = μ + factor · σ · ε      ε ~ N(0, I), a draw of the model's own doubt
    people noise       z' = μ + share · B · e       B (Z, K) of the model file, e a unit of every part

The columns of B stand in named parts (light, expression, age, hair, features), each of them directions in which the
people of the data differ, by one standard deviation of theirs times the part's weight (`people`). Of a part of K
directions the draw lies on the sphere of radius √K, where it lies on average anyway: so every relative differs in
every part, and no seed goes much farther than another.

The mean μ is not drawn towards the average person, as a draw that keeps the spread of all people would
(z' = m + √(1 − s²)(μ − m) + s · B e): such relatives were less real and no more like the person (docs/dial.md).
One seed gives one relative, whatever its size, the count or the share.

Legend: N draws, Z latents, K directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

Noise = Literal["posterior", "people"]

PREFIX = "people."  # of the tensors in the model file: one for each part, its directions (Z, K of the part)
PARTS = ("light", "expression", "age", "hair", "features", "rest")  # the order of the columns


@dataclass(frozen=True, slots=True)
class PeopleNoise:
    """How people differ, in parts."""

    basis: NDArray[np.float64]  # (Z, K)
    parts: tuple[tuple[str, int], ...]  # name and number of directions, in the order of the columns

    def draws(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """e of each seed, (N, K): of a part of K directions, rows of length √K."""
        ends = np.cumsum([size for _, size in self.parts])[:-1]
        blocks = np.split(normal_draws(seeds, self.basis.shape[1]).astype(np.float64), ends, axis=1)
        return np.concatenate([_on_sphere(block) for block in blocks], axis=1)

    def steps(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """B·e of each seed, (N, Z): what a share of 1 adds to a latent."""
        return self.draws(seeds) @ self.basis.T


def ways_to_differ(seeds: Sequence[int], noise: PeopleNoise | None, latents: int) -> NDArray[np.float64]:
    """Where each seed leads, (N, K): rows of length 1 in which every part counts alike; without people noise, ε's."""
    if noise is None:
        draws, sizes = _on_sphere(normal_draws(seeds, latents).astype(np.float64)), [latents]
    else:
        draws, sizes = noise.draws(seeds), [size for _, size in noise.parts]
    return draws / np.sqrt(np.repeat(sizes, sizes) * len(sizes))


def normal_draws(seeds: Sequence[int], size: int) -> NDArray[np.float32]:
    """ε ~ N(0, I) of each seed, float32 (N, size), drawn by NumPy: the same for every model, on every device."""
    generators = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
    return np.stack([generator.standard_normal(size, dtype=np.float32) for generator in generators])


def knows_people(model: Any) -> bool:
    """Whether the model's file says how people differ."""
    return any(PREFIX + name in model.extras for name in PARTS)


def people_noise(model: Any) -> PeopleNoise:
    """How people differ to a model. Raises UsageError for one that does not know."""
    columns = {
        name: np.asarray(model.extras[PREFIX + name], np.float64)
        for name in PARTS
        if PREFIX + name in model.extras
    }
    if not columns:
        raise UsageError(
            f"model {model.name!r} does not know how people differ: run `facette calibrate MODEL DATA` once."
        )
    parts = tuple((name, block.shape[1]) for name, block in columns.items())
    return PeopleNoise(np.concatenate(list(columns.values()), axis=1), parts)


def _on_sphere(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows (N, K) made as long as √K."""
    return block * (np.sqrt(block.shape[1]) / np.linalg.norm(block, axis=1, keepdims=True))
