"""What both sides of `plain.py` are given and measured by. Knows neither side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import arguments, write
from numpy.typing import NDArray
from torch import Tensor

SAMPLES, LATENTS, COMPONENTS = 500, 64, 64
HELD = 10  # one picture in so many is held out


@dataclass(frozen=True, slots=True)
class Asked:
    """The pictures, uint8 (N, S, S, C), and for how long."""

    train: NDArray[np.uint8]
    held: NDArray[np.uint8]
    seconds: float
    seed: int
    out: Path


def asked_for(description: str | None) -> Asked:
    parser = arguments(description or "")
    parser.add_argument("pictures", type=Path, help="uint8 (N, S, S, C) as .npy, S a multiple of 8")
    parser.add_argument("seconds", type=float, help="of the processor")
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    torch.set_num_threads(1)
    pictures = np.load(given.pictures)
    pictures = pictures[np.random.default_rng(given.seed).permutation(len(pictures))]
    held = len(pictures) // HELD
    return Asked(pictures[:-held], pictures[-held:], given.seconds, given.seed, given.out)


def measured(
    asked: Asked,
    redraw: Callable[[Tensor], Tensor],
    sample: Callable[[int], Tensor],
    passes: int,
    spent: float,
    more: dict[str, Any] | None = None,
) -> None:
    """Write unexplained variance of the held-out pictures, and the Fréchet distance of samples to the training
    pictures in their leading principal components; all in [0, 1]."""
    real = torch.from_numpy(asked.held).permute(0, 3, 1, 2).float() / 255
    known = torch.from_numpy(asked.train).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        again = torch.cat([redraw(real[i : i + 256]) for i in range(0, len(real), 256)])
        unexplained = ((again - real) ** 2).mean() / ((real - known.mean(0)) ** 2).mean()
        samples = sample(SAMPLES).clamp(0, 1).flatten(1).double()
    centred = known.flatten(1).double()
    middle = centred.mean(0)
    components = torch.pca_lowrank(centred - middle, COMPONENTS, center=False)[2]  # (D, K)
    figures = {
        "unexplained_variance": round(unexplained.item(), 5),
        "frechet": round(frechet((centred - middle) @ components, (samples - middle) @ components), 4),
        "pictures_per_cpu_second": round(passes / spent, 1),
        "passes": passes,
        "cpu_s": round(spent, 2),
    }
    write(asked.out, figures | (more or {}))


def frechet(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of two Gaussians fitted to points (N, K) and (M, K)."""
    difference = (a.mean(0) - b.mean(0)).square().sum()
    one, two = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(one)
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ two @ root).clamp_min(0).sqrt().sum()
    return (difference + one.trace() + two.trace() - 2 * shared).item()
