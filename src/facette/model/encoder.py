"""From pictures or vectors to the raw parameters of the posterior, (N, 2Z).

Three families, each a plain `nn.Module` with keyword arguments: strided convolutions (the classics), residual
blocks over a space-to-depth stem (ours), and fully connected layers for vectors. Any picture size is taken.
"""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from facette.model.blocks import FromMap, ResidualBlock, activation, norm
from facette.model.kernels.normed import NormedConv
from facette.model.kernels.recompute import LayerChain


class ConvEncoder(LayerChain):
    """Convolution, norm, activation for every (channels, kernel, stride, padding); then one linear layer."""

    def __init__(
        self,
        *,
        shape: tuple[int, int],
        channels: int,
        layers: list[tuple[int, int, int, int]],
        norm_name: str,
        act: str,
        out: int,
    ):
        super().__init__()
        blocks = []
        for width, kernel, stride, padding in layers:
            conv = nn.Conv2d(channels, width, kernel, stride, padding)
            blocks.append(NormedConv(conv, norm(norm_name, width), activation(act, inplace=True)))
            high, wide = ((side + 2 * padding - kernel) // stride + 1 for side in shape)
            shape, channels = (high, wide), width
            if min(shape) < 1:
                raise ValueError("the encoder's layers shrink the picture to nothing")
        self.layers = nn.Sequential(*blocks)
        self.flatten = FromMap()
        self.linear = nn.Linear(channels * shape[0] * shape[1], out)

    def forward(self, x: Tensor) -> Tensor:
        return self.through((self.layers, self.flatten, self.linear), x)


class ResidualEncoder(LayerChain):
    """Space-to-depth by `patch`, residual blocks at each of `widths`, halving in between; then one linear layer.

    A size that is not a multiple of the coarsest cell is padded by repeating the edge.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int],
        channels: int,
        patch: int,
        widths: tuple[int, ...],
        blocks: tuple[int, ...],
        act: str,
        out: int,
    ):
        super().__init__()
        self.down, self.across = (padding_for(side, patch, len(widths)) for side in shape)
        high, wide = cells(shape, patch, len(widths))
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(patch), nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        )
        stages = []
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            if i:
                stages.append(nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * widths[i - 1], width, 1)))
            stages.extend(ResidualBlock(width, act) for _ in range(count))
        self.stages = nn.Sequential(*stages, norm("group", widths[-1]), activation(act))
        self.flatten = FromMap()
        self.linear = nn.Linear(widths[-1] * high * wide, out)

    def forward(self, x: Tensor) -> Tensor:
        if self.down or self.across:
            x = F.pad(x, (0, self.across, 0, self.down), mode="replicate")
        return self.through((self.stem, self.stages, self.flatten, self.linear), x)


class MlpEncoder(nn.Module):
    """Fully connected layers over vectors (N, D), and beside them a straight line to the posterior means.

    The line makes a map without folds the easiest one to learn: while a warm-up leaves the rate free, bent layers
    alone may fold the latent space, and no prior unfolds it later.
    """

    def __init__(self, *, size: int, widths: tuple[int, ...], act: str, out: int):
        super().__init__()
        self.layers = nn.Sequential(*fully_connected((size, *widths), act))
        self.linear = nn.Linear(widths[-1], out)
        self.straight = straight_line(size, out // 2)  # the means are the first half of the parameters

    def forward(self, x: Tensor) -> Tensor:
        return add_first(self.linear(self.layers(x)), self.straight(x))


def straight_line(size: int, out: int) -> nn.Linear:
    """A linear map that begins as a scaled rotation, with weights as large as a plain layer's."""
    line = nn.Linear(size, out, bias=False)
    nn.init.orthogonal_(line.weight, gain=max(size, out) ** -0.5)
    return line


def add_first(whole: Tensor, part: Tensor) -> Tensor:
    """`part` (N, P) added to the first P columns of `whole` (N, W)."""
    return whole + F.pad(part, (0, whole.shape[1] - part.shape[1]))


def fully_connected(sizes: tuple[int, ...], act: str) -> list[nn.Module]:
    """Linear layers from each size to the next, each followed by its activation."""
    pairs = itertools.pairwise(sizes)
    return [part for a, b in pairs for part in (nn.Linear(a, b), activation(act))]


def cell(patch: int, levels: int) -> int:
    """Pixels on the side of one cell of the coarsest map."""
    return patch * 2 ** (levels - 1)


def cells(shape: tuple[int, int], patch: int, levels: int) -> tuple[int, int]:
    """How high and wide the coarsest map of a picture of that (height, width) is."""
    high, wide = ((side + padding_for(side, patch, levels)) // cell(patch, levels) for side in shape)
    return high, wide


def padding_for(size: int, patch: int, levels: int) -> int:
    """Pixels missing on the right and at the bottom to a whole number of cells."""
    return -size % cell(patch, levels)
