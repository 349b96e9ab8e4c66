"""Small parts that encoders and decoders are made of. Plain keyword arguments; no recipe here."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUP_WIDTH = 16  # channels per group of a GroupNorm
FEW = 4  # channels of a picture at most; more fill a CPU's vectors well enough
BLOCK = 2  # pixels on the side of what PictureConv2d draws at once


def activation(name: str, inplace: bool = False) -> nn.Module:
    match name:
        case "relu":
            return ReLUInPlace() if inplace else nn.ReLU()
        case "leaky-relu":
            return nn.LeakyReLU(0.01, inplace=inplace)
        case "silu":
            return nn.SiLU(inplace=inplace)
    raise ValueError(name)


def output_activation(name: str) -> nn.Module:
    match name:
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "identity":
            return nn.Identity()
    raise ValueError(name)


def norm(name: str, channels: int) -> nn.Module:
    match name:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "group":
            return nn.GroupNorm(max(1, channels // GROUP_WIDTH), channels)
        case "none":
            return nn.Identity()
    raise ValueError(name)


def begin_at_zero(layer: nn.Conv2d | nn.Linear) -> None:
    """So that at first nothing is added where the layer's output is."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


class ReLUInPlace(nn.ReLU):
    """ReLU over the map that enters it; in training on a CPU its gradient is written over the one that comes back.

    Nobody else may hold that one.
    """

    def __init__(self) -> None:
        super().__init__(inplace=True)

    def forward(self, input: Tensor) -> Tensor:
        graph = self.training and input.device.type == "cpu" and input.requires_grad
        return _ReLU.apply(input) if graph and not torch.compiler.is_compiling() else super().forward(input)


class _ReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        ctx.mark_dirty(x)
        ctx.save_for_backward(F.relu_(x))
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (y,) = ctx.saved_tensors
        if gradient.stride() != y.stride():
            return torch.ops.aten.threshold_backward(gradient, y, 0)
        return torch.ops.aten.threshold_backward.grad_input(gradient, y, 0, grad_input=gradient)


class ResidualBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))), the last convolution starting at zero (arXiv 1603.05027, 1901.09321)."""

    def __init__(self, channels: int, act: str):
        super().__init__()
        self.norm1, self.norm2 = norm("group", channels), norm("group", channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = activation(act)
        begin_at_zero(self.conv2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.act(self.norm2(self.conv1(self.act(self.norm1(x))))))


class TransposedConv2d(nn.ConvTranspose2d):
    """The transposed convolution; in training its bias is added in a pass of its own.

    oneDNN's gradient of a transposed convolution's bias costs several times that of its weights (80 of 115 ms for 32
    channels of 160×160, batch 16, on one core); the gradient of a plain addition costs 2 ms.
    """

    bias_apart = True  # a choice of the machine (kernels/choices.py)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if not (self.training and self.bias_apart) or self.bias is None:
            return super().forward(input, output_size)
        assert isinstance(self.padding, tuple)
        assert output_size is None
        geometry = (self.stride, self.padding, self.output_padding, self.groups, self.dilation)
        drawn = F.conv_transpose2d(input, self.weight, None, *geometry)
        return drawn.add_(self.bias[:, None, None])


class PictureConv2d(nn.Conv2d):
    """A convolution to the few channels of a picture; in training on a CPU, blocks of 2×2 pixels at once.

    CPU kernels are 16 channels wide, and with three of them thirteen idle. Four shifted copies of the weights,
    surrounded by zeros, give twelve channels at half the resolution, which are then put in their places: the same
    sums, sooner. Only the gradient of the input is sooner had from the weights as they are.
    """

    in_blocks = True  # a choice of the machine (kernels/choices.py)

    def forward(self, input: Tensor) -> Tensor:
        whole_blocks = input.shape[-1] % BLOCK == 0 and input.shape[-2] % BLOCK == 0
        narrow = self.out_channels <= FEW and self.stride == (1, 1) and self.groups == 1
        here = self.in_blocks and self.training and input.device.type == "cpu"
        if not (here and whole_blocks and narrow):
            return super().forward(input)
        return _InBlocks.apply(input, self.weight, self.bias, self.padding)


class _InBlocks(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]
    ) -> Tensor:
        last = BLOCK - 1
        shifted = [F.pad(weight, (right, last - right, down, last - down)) for down, right in _PLACES]
        wide = torch.stack(shifted, 1).flatten(0, 1)  # (4C, I, K + 1, K + 1), in the order of pixel_shuffle
        ctx.save_for_backward(x, weight, wide)
        ctx.padding, ctx.biased = list(padding), bias is not None
        repeated = None if bias is None else bias.repeat_interleave(BLOCK**2)
        return F.pixel_shuffle(F.conv2d(x, wide, repeated, BLOCK, padding), BLOCK)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, weight, wide = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        channels, side = len(weight), weight.shape[-1]

        def backward_of(weight: Tensor, gradient: Tensor, stride: int, mask: list[bool]) -> Any:
            return torch.ops.aten.convolution_backward(
                gradient, x, weight, [len(weight)], [stride] * 2, ctx.padding, [1, 1], False, [0, 0], 1, mask
            )

        of_x = backward_of(weight, gradient, 1, [True, False, False])[0] if ctx.needs_input_grad[0] else None
        of_blocks = F.pixel_unshuffle(gradient, BLOCK)
        _, of_wide, of_bias = backward_of(wide, of_blocks, BLOCK, [False, True, ctx.biased])
        of_copies = of_wide.unflatten(0, (channels, BLOCK, BLOCK))
        of_weight = torch.stack(
            [
                of_copies[:, down, right, :, down : down + side, right : right + side]
                for down, right in _PLACES
            ]
        ).sum(0)
        return of_x, of_weight, of_bias.view(channels, -1).sum(1) if ctx.biased else None, None


_PLACES = tuple((down, right) for down in range(BLOCK) for right in range(BLOCK))


class Resize(nn.Module):
    """Pictures to `shape` (height, width), bilinear with antialiasing; in training on a CPU by two matrix products.

    The kernel that torch has for it takes 12 ms forward and backward for 16 pictures of 160 pixels, the products 5.
    """

    by_products = True  # a choice of the machine (kernels/choices.py)

    def __init__(self, shape: tuple[int, int]):
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[-2:]) == self.shape:
            return x
        if not (self.by_products and self.training) or x.device.type != "cpu":
            return resized(x, self.shape)
        rows, columns = (
            _weights(side, wished, x.dtype) for side, wished in zip(x.shape[2:], self.shape, strict=True)
        )
        return rows @ x.contiguous() @ columns.T


def _weights(side: int, wished: int, dtype: torch.dtype) -> Tensor:
    """What each of `side` pixels in a row gives to each of those `wished`, (wished, side)."""
    return resized(torch.eye(side, dtype=dtype)[None, None], (wished, side))[0, 0]


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (N, C, H, W) at another size, bilinear with antialiasing."""
    return F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)


class FromMap(nn.Module):
    """A feature map (N, C, H, W) to the rows of a linear layer (N, C·H·W), in that order."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class ToMap(nn.Module):
    """Rows (N, C·H·W) to a feature map (N, C, H, W), channels-last in memory unless the machine chooses otherwise."""

    channels_last = True

    def __init__(self, channels: int, shape: tuple[int, int]):
        super().__init__()
        self.channels, self.shape = channels, shape

    def forward(self, x: Tensor) -> Tensor:
        drawn = x.view(-1, self.channels, *self.shape)
        return drawn.contiguous(memory_format=torch.channels_last) if self.channels_last else drawn
