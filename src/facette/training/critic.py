"""The critic that a sharpener is trained against: tells photos from drawn pictures, patch by patch and as a whole.

Enters: pictures (N, C, H, W) in [−1, 1]. Leaves: features layer by layer, and verdicts, high for photos. It is of use
in training only and never travels in a model file.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2
DETAIL = 6.0  # how much louder than the picture its detail is
MOVED = 8  # an augmented picture is moved by up to an eighth of its side


@dataclass(frozen=True, slots=True)
class Judged:
    """What the critic makes of N pictures."""

    features: list[Tensor]  # (N, C, H, W) each, from fine to coarse
    patches: Tensor  # (N, P) verdict on each patch
    whole: Tensor  # (N,) verdict on the picture

    def part(self, rows: slice) -> Judged:
        return Judged([f[rows] for f in self.features], self.patches[rows], self.whole[rows])


class Critic(nn.Module):
    """Strided convolutions with spectral normalisation (arXiv 1802.05957): a PatchGAN (arXiv 1611.07004) at an eighth
    of the side, and one further stage that sees the whole picture.

    Beside the values it is given their detail, the difference from a 3×3 mean, six times as loud: photo and blurred
    photo differ in little else, and a critic that must find this out first learns five times slower.
    """

    def __init__(self, width: int, channels: int = 3):
        super().__init__()
        widths = (2 * channels, width, 2 * width, 4 * width)
        self.stages = nn.ModuleList([spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths)])
        self.stages.append(spectral_norm(nn.Conv2d(widths[-1], widths[-1], 3, padding=1)))
        self.patch = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))
        self.coarse = spectral_norm(nn.Conv2d(widths[-1], widths[-1], 4, 2, 1))
        self.whole = spectral_norm(nn.Linear(16 * widths[-1], 1))

    def forward(self, x: Tensor) -> Judged:
        mean = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        x = torch.cat([x, DETAIL * (x - mean)], dim=1)
        features = []
        for stage in self.stages:
            x = F.leaky_relu(stage(x), SLOPE)
            features.append(x)
        coarse = F.leaky_relu(self.coarse(x), SLOPE)
        whole = self.whole(F.adaptive_avg_pool2d(coarse, 4).flatten(1)).flatten()
        return Judged(features, self.patch(x).flatten(1), whole)


def critic_loss(photos: Judged, drawn: Judged) -> Tensor:
    """The hinge: photos should score above 1, drawn pictures below −1 (arXiv 1705.02894)."""
    patches = F.relu(1 - photos.patches).mean() + F.relu(1 + drawn.patches).mean()
    return patches + F.relu(1 - photos.whole).mean() + F.relu(1 + drawn.whole).mean()


def deception(drawn: Judged) -> Tensor:
    """What a sharpener minimises: minus the critic's verdicts."""
    return -drawn.patches.mean() - drawn.whole.mean()


def feature_distance(drawn: Judged, photos: Judged) -> Tensor:
    """Mean absolute difference of the critic's features, averaged over its layers (arXiv 1711.11585)."""
    pairs = zip(drawn.features, photos.features, strict=True)
    distances = [(a - b.detach()).abs().mean() for a, b in pairs]
    return torch.stack(distances).mean()


def augment(x: Tensor, draws: torch.Generator) -> Tensor:
    """Move and tint pictures (N, C, H, W), each in its own way; differentiable (arXiv 2006.10738)."""
    count, (high, wide) = len(x), x.shape[-2:]
    far = max(high, wide) // MOVED
    light, contrast, colour = torch.rand(3, count, 1, 1, 1, generator=draws).to(x.device)
    dx, dy = torch.randint(-far, far + 1, (2, count, 1), generator=draws).to(x.device)
    grey = x.mean(dim=1, keepdim=True)
    x = (x - grey) * (2 * colour) + grey + (light - 0.5)
    centre = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - centre) * (0.5 + contrast) + centre
    padded = F.pad(x, (far, far, far, far))
    down, across = (torch.arange(side, device=x.device) for side in (high, wide))
    rows, columns = (down + far + dy)[:, :, None], (across + far + dx)[:, None, :]
    images = torch.arange(count, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[images, rows, columns].permute(0, 3, 1, 2)
