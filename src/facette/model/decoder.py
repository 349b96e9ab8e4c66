"""From latents (N, Z) to the parameters of p(x|z): pictures (N, C, H, W) or vectors (N, D).

The mirror of encoder.py, family by family. What leaves is in the range the likelihood expects.
"""

from __future__ import annotations

from torch import Tensor, nn

from facette.model.blocks import (
    PictureConv2d,
    ResidualBlock,
    Resize,
    ToMap,
    TransposedConv2d,
    activation,
    norm,
    output_activation,
)
from facette.model.encoder import add_first, cells, fully_connected, straight_line
from facette.model.kernels.normed import NormedConv
from facette.model.kernels.recompute import LayerChain


class ConvDecoder(LayerChain):
    """Linear to a small map, then transposed convolutions of (channels, kernel, stride, padding, output_padding).

    With a `head` (channels, kernel, padding) every transposed layer has norm and activation and the head, a plain
    convolution, draws the picture; without one the last transposed layer draws it. Another final size than
    `shape` is resized, bilinear with antialiasing, as the classic 150×150 network does (160 → 150).
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int],
        channels: int,
        latent: int,
        start_channels: int,
        start: tuple[int, int],
        start_activation: bool,
        layers: list[tuple[int, int, int, int, int]],
        head: tuple[int, int, int] | None,
        norm_name: str,
        act: str,
        output: str,
    ):
        super().__init__()
        self.linear = nn.Linear(latent, start_channels * start[0] * start[1])
        self.to_map = ToMap(start_channels, start)
        self.start = activation(act) if start_activation else nn.Identity()
        blocks: list[nn.Module] = []
        width = start_channels
        for i, (out, kernel, stride, padding, output_padding) in enumerate(layers):
            conv = TransposedConv2d(width, out, kernel, stride, padding, output_padding)
            last = head is None and i == len(layers) - 1
            blocks.append(
                conv if last else NormedConv(conv, norm(norm_name, out), activation(act, inplace=True))
            )
            width = out
        self.layers = nn.Sequential(*blocks)
        self.head = nn.Identity() if head is None else PictureConv2d(width, head[0], head[1], padding=head[2])
        drawn = width if head is None else head[0]
        if drawn != channels:
            raise ValueError(f"the decoder draws {drawn} channels, but {channels} are needed")
        self.output = output_activation(output)
        self.resize = Resize(shape)

    def forward(self, z: Tensor) -> Tensor:
        x = self.start(self.to_map(self.linear(z)))
        return self.resize(self.output(self.through((self.layers, self.head), x)))


class ResidualDecoder(LayerChain):
    """Linear to the coarsest map, residual blocks, doubling by pixel shuffle, and a pixel-shuffle head of `patch`.

    `widths` and `blocks` run from fine to coarse, as in the encoder. A size that is not a multiple of the
    coarsest cell is drawn larger and cut on the right and at the bottom.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int],
        channels: int,
        latent: int,
        patch: int,
        widths: tuple[int, ...],
        blocks: tuple[int, ...],
        act: str,
        output: str,
    ):
        super().__init__()
        self.shape = shape
        coarsest = cells(shape, patch, len(widths))
        self.linear = nn.Linear(latent, widths[-1] * coarsest[0] * coarsest[1])
        self.to_map = ToMap(widths[-1], coarsest)
        stages: list[nn.Module] = []
        for i in reversed(range(len(widths))):
            stages.extend(ResidualBlock(widths[i], act) for _ in range(blocks[i]))
            if i:
                stages.append(nn.Sequential(nn.Conv2d(widths[i], 4 * widths[i - 1], 1), nn.PixelShuffle(2)))
        self.stages = nn.Sequential(*stages, norm("group", widths[0]), activation(act))
        self.head = nn.Sequential(
            nn.Conv2d(widths[0], channels * patch**2, 3, padding=1), nn.PixelShuffle(patch)
        )
        self.output = output_activation(output)

    def forward(self, z: Tensor) -> Tensor:
        x = self.through((self.stages, self.head), self.to_map(self.linear(z)))
        return self.output(x[..., : self.shape[0], : self.shape[1]])


class MlpDecoder(nn.Module):
    """Fully connected layers back to vectors (N, D), and beside them a straight line to the means.

    `outputs` are the numbers given for each of the `size` dimensions: 2 where σ is predicted too. See MlpEncoder
    for what the line is good for.
    """

    def __init__(self, *, latent: int, widths: tuple[int, ...], act: str, size: int, outputs: int = 1):
        super().__init__()
        self.layers = nn.Sequential(*fully_connected((latent, *widths), act))
        self.linear = nn.Linear(widths[-1], size * outputs)
        self.straight = straight_line(latent, size)  # the means come first

    def forward(self, z: Tensor) -> Tensor:
        return add_first(self.linear(self.layers(z)), self.straight(z))
