"""The critic that a sharpener is trained against: tells photos from drawn pictures, patch by patch and as a whole.

Enters: pictures (N, C, H, W) in [−1, 1]. Leaves: features layer by layer, and verdicts, high for photos. It is of use
in training only and never travels in a model file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
DETAIL = 6.0  # how much louder than the picture its detail is
MOVED = 8  # an augmented picture is moved by up to an eighth of its side


@dataclass(frozen=True, slots=True)
class Judged:
    """What the critic makes of N pictures."""

    features: list[Tensor]  # (N, C, H, W) each, from fine to coarse
    patches: Tensor  # (N, P) verdict on each patch
    whole: Tensor  # (N,) verdict on the picture

    def part(self, rows: slice | Tensor) -> Judged:
        return Judged([f[rows] for f in self.features], self.patches[rows], self.whole[rows])


class Critic(nn.Module):
    """Convolutions at the picture's own resolution, a half, a quarter and an eighth of it, where each place has its
    verdict (a PatchGAN, arXiv 1611.07004), and one further stage that sees the whole picture. Sizes are halved by
    means of 2×2: the gradient of a strided convolution is a chequer, and what follows it draws chequers
    (distill.pub/2016/deconv-checkerboard).

    Beside the values it is given their detail, the difference from a 3×3 mean, six times as loud: photo and blurred
    photo differ in little else, and a critic that must find this out first learns five times slower. Nothing bounds
    its layers: `steepness` holds it.
    """

    def __init__(self, width: int, channels: int = 3):
        super().__init__()
        widths = (2 * channels, max(1, width // 2), width, 2 * width, 4 * width)
        self.stages = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths)])
        self.last = nn.Conv2d(widths[-1], widths[-1], 3, padding=1)
        self.patch = nn.Conv2d(widths[-1], 1, 3, padding=1)
        self.coarse = nn.Conv2d(widths[-1], widths[-1], 3, padding=1)
        self.whole = nn.Linear(16 * widths[-1], 1)

    def forward(self, x: Tensor) -> Judged:
        mean = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        x = torch.cat([x, DETAIL * (x - mean)], dim=1)
        features = []
        for depth, stage in enumerate(self.stages):
            x = F.leaky_relu(stage(F.avg_pool2d(x, 2) if depth else x), SLOPE)
            features.append(x)
        x = F.leaky_relu(self.last(x), SLOPE)
        features.append(x)
        coarse = F.leaky_relu(self.coarse(F.avg_pool2d(x, 2)), SLOPE)
        whole = self.whole(F.adaptive_avg_pool2d(coarse, 4).flatten(1)).flatten()
        return Judged(features, self.patch(x).flatten(1), whole)


def critic_loss(photos: Judged, drawn: Judged) -> Tensor:
    """What a critic minimises: −log of the chance that a photo is taken for one sooner than the drawn picture beside
    it (the relativistic pair, arXiv 1807.00734, 2501.05441). N photos, N drawn pictures."""
    return _total(F.softplus(d - p).mean() for p, d in _verdicts(photos, drawn))


def deception(photos: Judged, drawn: Judged) -> Tensor:
    """What a sharpener minimises: the same with the parts exchanged."""
    return _total(F.softplus(p - d).mean() for p, d in _verdicts(photos, drawn))


def steepness(judged: Judged, disturbed: Judged, noise: float) -> Tensor:
    """The squared length of the critic's gradient at its input, by how far verdicts move when Gaussian noise of that
    standard deviation is added: the gradient penalties R1, at photos, and R2, at drawn pictures, without a second
    derivative (arXiv 1801.04406, 2501.08316)."""
    return _total((d - j).square().mean() for j, d in _verdicts(judged, disturbed)) / noise**2


def _verdicts(a: Judged, b: Judged) -> list[tuple[Tensor, Tensor]]:
    return [(a.patches, b.patches), (a.whole, b.whole)]


def _total(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()


def feature_distance(drawn: Judged, photos: Judged) -> Tensor:
    """Mean absolute difference of the critic's features, averaged over its layers (arXiv 1711.11585)."""
    pairs = zip(drawn.features, photos.features, strict=True)
    distances = [(a - b.detach()).abs().mean() for a, b in pairs]
    return torch.stack(distances).mean()


def detail_distance(drawn: Tensor, photos: Tensor) -> Tensor:
    """How far the local strength of detail differs, whatever the detail is: of the standard deviation of the Laplacian
    of the grey picture in windows of 8×8, at the side and at half of it, the mean absolute difference. It is smallest
    at the median, below the mean: `detail_level` holds that."""
    pairs = zip(_detail_power(drawn), _detail_power(photos), strict=True)
    return _total((_deviation(a) - _deviation(b)).abs().mean() for a, b in pairs)


def detail_level(drawn: Tensor, photos: Tensor) -> Tensor:
    """How far the strength of detail differs as a whole, of any numbers of pictures: the squared difference of the mean
    logarithm of a picture's power of the Laplacian, at the side and at half of it. Of the logarithm, since one grainy
    photo has the power of twenty others."""
    pairs = zip(_detail_power(drawn), _detail_power(photos), strict=True)
    return _total((_level(a) - _level(b)).square() for a, b in pairs)


def _detail_power(x: Tensor) -> list[Tensor]:
    grey = x.mean(dim=1, keepdim=True)
    kernel = grey.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return [F.avg_pool2d(F.conv2d(p, kernel).square(), 8, 4) for p in (grey, F.avg_pool2d(grey, 2))]


def _level(power: Tensor) -> Tensor:
    return (power.mean(dim=(1, 2, 3)) + 1e-4).log().mean()


def _deviation(power: Tensor) -> Tensor:
    return (power + 1e-4).sqrt()  # the root is steep at nothing


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
