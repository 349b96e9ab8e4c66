"""The four families of networks as their own code builds them, written anew with the same names and shapes.

What `reconstruct` gives is the original's forward pass with the posterior's mean, in evaluation mode.
Weights and BatchNorm statistics are drawn, so that a tensor in the wrong place shows.
"""

import itertools
import sys
import types
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ClassicVAE(nn.Module):
    """vae-torch-celeba (`resized`), or VanillaVAE with a tanh."""

    def __init__(self, size=150, widths=(32, 64, 128, 256, 512), latent=128, output=nn.Sigmoid):
        super().__init__()
        self.image_size, self.latent_dim = size, latent
        self.encoder = nn.Sequential(*(down(a, b) for a, b in zip((3, *widths), widths, strict=False)))
        self.size = self.encoder(torch.zeros(1, 3, size, size)).shape[2]
        self.final_dim = widths[-1]
        flat = widths[-1] * self.size**2
        self.fc_mu, self.fc_var = nn.Linear(flat, latent), nn.Linear(flat, latent)
        self.decoder_input = nn.Linear(latent, flat)
        back = widths[::-1]
        self.decoder = nn.Sequential(*(up(a, b) for a, b in itertools.pairwise(back)))
        self.final_layer = nn.Sequential(
            *up(back[-1], back[-1]), nn.Conv2d(back[-1], 3, kernel_size=3, padding=1), output()
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.encoder(x).flatten(1)
        return self.fc_mu(h), self.fc_var(h).exp()

    def decode(self, z: Tensor) -> Tensor:
        h = self.decoder_input(z).view(-1, self.final_dim, self.size, self.size)
        drawn = self.final_layer(self.decoder(h))
        side = (self.image_size, self.image_size)
        if drawn.shape[2:] != side:
            drawn = F.interpolate(drawn, side, mode="bilinear", align_corners=False, antialias=True)
        return torch.nan_to_num(drawn)


class VanillaVAE(ClassicVAE):
    def __init__(self, latent=128, widths=(32, 64, 128, 256, 512)):
        super().__init__(64, widths, latent, nn.Tanh)


class CompactEncoder(nn.Module):
    def __init__(self, latent):
        super().__init__()
        for i, (a, b) in enumerate(((3, 32), (32, 32), (32, 64), (64, 64))):
            setattr(self, f"conv{i + 1}", nn.Conv2d(a, b, 4, 2, padding=1))
        self.conv5 = nn.Conv2d(64, 256, 4)
        self.linear = nn.Linear(256, 2 * latent)
        self.relu, self.softplus = nn.ReLU(), nn.Softplus()

    def forward(self, x):
        for i in range(1, 6):
            x = self.relu(getattr(self, f"conv{i}")(x))
        mean, raw = self.linear(x.flatten(1)).chunk(2, 1)
        return mean, self.softplus(raw / 2)


class CompactDecoder(nn.Module):
    def __init__(self, latent):
        super().__init__()
        self.linear = nn.Linear(latent, 256)
        self.tconv1 = nn.ConvTranspose2d(256, 64, 4)
        for i, (a, b) in enumerate(((64, 64), (64, 32), (32, 32), (32, 3))):
            setattr(self, f"tconv{i + 2}", nn.ConvTranspose2d(a, b, 4, 2, padding=1))
        self.relu, self.tanh = nn.ReLU(), nn.Tanh()

    def forward(self, z):
        x = self.relu(self.linear(z)).view(-1, 256, 1, 1)
        for i in range(1, 5):
            x = self.relu(getattr(self, f"tconv{i}")(x))
        return self.tanh(self.tconv5(x))


class CompactVAE(nn.Module):
    """The 64×64 network with a softplus variance."""

    image_size = 64

    def __init__(self, latent=50):
        super().__init__()
        self.latent_dim = latent
        self.encoder, self.decoder = CompactEncoder(latent), CompactDecoder(latent)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


class PythaeEncoder(nn.Module):
    def __init__(self, widths, latent):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 4, 2, padding=1), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in zip((3, *widths), widths, strict=False)
        )
        self.embedding = nn.Linear(widths[-1] * 16, latent)
        self.log_var = nn.Linear(widths[-1] * 16, latent)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        x = x.reshape(len(x), -1)
        return self.embedding(x), self.log_var(x).exp()


class PythaeDecoder(nn.Module):
    def __init__(self, widths, latent):
        super().__init__()
        a, b, c, d = widths[::-1]
        self.start = a
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.Linear(latent, a * 64)),
                nn.Sequential(nn.ConvTranspose2d(a, b, 5, 2, padding=2), nn.BatchNorm2d(b), nn.ReLU()),
                nn.Sequential(nn.ConvTranspose2d(b, c, 5, 2, padding=1), nn.BatchNorm2d(c), nn.ReLU()),
                nn.Sequential(
                    nn.ConvTranspose2d(c, d, 5, 2, padding=2, output_padding=1), nn.BatchNorm2d(d), nn.ReLU()
                ),
                nn.Sequential(nn.ConvTranspose2d(d, 3, 5, 1, padding=1), nn.Sigmoid()),
            ]
        )

    def forward(self, z):
        x = self.layers[0](z).reshape(len(z), self.start, 8, 8)
        for layer in self.layers[1:]:
            x = layer(x)
        return x


class PythaeVAE(nn.Module):
    """pythae's benchmark network for CelebA, 64×64."""

    image_size = 64

    def __init__(self, latent=64, widths=(128, 256, 512, 1024)):
        super().__init__()
        self.latent_dim = latent
        self.encoder, self.decoder = PythaeEncoder(widths, latent), PythaeDecoder(widths, latent)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


def down(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, kernel_size=3, stride=2, padding=1), nn.BatchNorm2d(b), nn.LeakyReLU()
    )


def up(a: int, b: int) -> nn.Sequential:
    conv = nn.ConvTranspose2d(a, b, kernel_size=3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(b), nn.LeakyReLU())


SMALL = (8, 12, 16, 20, 24)


def make(family: str, seed: int = 0) -> nn.Module:
    """A network of a family with drawn weights; `classic` and `pythae` come with fewer channels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        match family:
            case "classic":
                network = ClassicVAE(widths=SMALL, latent=16)
            case "classic full":
                network = ClassicVAE()
            case "vanilla":
                network = VanillaVAE(widths=(8, 12, 16, 20, 512), latent=16)
            case "compact":
                network = CompactVAE(50)
            case "compact 2":
                network = CompactVAE(2)
            case "pythae":
                network = PythaeVAE(16, (8, 12, 16, 20))
            case "pythae full":
                network = PythaeVAE()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # as if it had been trained
                nn.init.normal_(module.running_mean, std=0.3)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
                module.num_batches_tracked.fill_(1234)
    return network


@torch.inference_mode()
def reconstruct(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance and reconstruction in evaluation mode."""
    network.eval()
    mean, variance = network.encode(x)
    return mean, variance, network.decode(mean)


@contextmanager
def living_in(module: str, *classes: type):
    """While pickling, these classes say they come from `module`, as in somebody's own script."""
    before = {kind: kind.__module__ for kind in classes}
    known = sys.modules.get(module)
    stage = known or types.ModuleType(module)
    for kind in classes:
        setattr(stage, kind.__name__, kind)
        kind.__module__ = module
    sys.modules[module] = stage
    try:
        yield
    finally:
        for kind, name in before.items():
            kind.__module__ = name
            delattr(stage, kind.__name__)
        if known is None:
            del sys.modules[module]
