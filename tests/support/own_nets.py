"""Somebody's own networks and loss terms, as a user would write them beside their pictures."""

from __future__ import annotations

from torch import nn

RAN: list[str] = []


class Encoder(nn.Module):
    """Two convolutions and a linear layer: 16 × 16 pictures."""

    def __init__(self, latent: int = 5, width: int = 8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * width, 2 * latent),
        )

    def forward(self, x):
        return self.layers(x)


class Decoder(nn.Module):
    """A linear layer to all pixels."""

    def __init__(self, latent: int = 5):
        super().__init__()
        self.out = nn.Linear(latent, 3 * 16 * 16)

    def forward(self, z):
        return self.out(z).view(-1, 3, 16, 16).tanh()


def crooked(latent: int = 5):
    """A network of another shape than is asked for."""
    return nn.Linear(latent, 7)


def nothing():
    """No network at all."""
    return "a network"


def far_from(batch, centre: float = 0.0):
    """Squared distance of the mean latents from a point, (N,)."""
    return (batch.posterior.mean - centre).square().sum(1)


def smiles_apart(batch):
    """Minus how far smiling and other faces are apart in the first latent, (): uses labels."""
    smiling = batch.labels["Smiling"] == 1
    RAN.append("labelled")
    return -(batch.z[:, 0] * smiling).mean()


def crooked_term(batch):
    """Costs of another shape than asked for."""
    return batch.x
