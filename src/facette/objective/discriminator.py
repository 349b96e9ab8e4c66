"""FactorVAE's estimate of the total correlation: a network that tells draws of q(z) from draws of Π q(z_j).

Enters: draws z. Leaves: the log of the density ratio, and the loss that the network itself learns by. It is of use in
training only and never travels in a model file; the run's state keeps it and its optimizer.

Legend: B draws, Z latents.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2


class Discriminator(nn.Module):
    """log q(z) − log Π q(z_j), (B, Z) → (B,) nats: leaky fully connected layers (arXiv 1802.05983, appendix A)."""

    def __init__(self, latent: int, width: int = 1000, layers: int = 5):
        super().__init__()
        sizes = [latent, *[width] * layers]
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)])
        self.out = nn.Linear(sizes[-1], 1)

    def forward(self, z: Tensor) -> Tensor:
        for layer in self.layers:
            z = F.leaky_relu(layer(z), SLOPE)
        return self.out(z).flatten()


def permuted(z: Tensor, generator: torch.Generator) -> Tensor:
    """Every latent shuffled over the batch by itself, (B, Z): draws of Π q(z_j) (algorithm 1)."""
    order = torch.rand(z.shape, generator=generator).argsort(0).to(z.device)
    return z.gather(0, order)


def discriminator_loss(network: Discriminator, z: Tensor, generator: torch.Generator) -> Tensor:
    """Binary cross-entropy, () nats, log 2 for one that cannot tell: the first half of the batch stands for q(z), the
    second, permuted, for Π q(z_j), so that the two are of different images (algorithm 2). The gradient reaches the
    network alone."""
    half = len(z) // 2
    joint = network(z[:half].detach())
    single = network(permuted(z[half:].detach(), generator))
    return 0.5 * (F.softplus(-joint).mean() + F.softplus(single).mean())
