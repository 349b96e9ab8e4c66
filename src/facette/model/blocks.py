"""Small parts that encoders and decoders are made of. Plain keyword arguments; no recipe here."""

from __future__ import annotations

import torch
from torch import Tensor, nn

GROUP_WIDTH = 16  # channels per group of a GroupNorm


def activation(name: str, inplace: bool = False) -> nn.Module:
    match name:
        case "relu":
            return nn.ReLU(inplace=inplace)
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


class ResidualBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))), the last convolution starting at zero (arXiv 1603.05027, 1901.09321)."""

    def __init__(self, channels: int, act: str):
        super().__init__()
        self.norm1, self.norm2 = norm("group", channels), norm("group", channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = activation(act)
        nn.init.zeros_(self.conv2.weight)
        assert self.conv2.bias is not None
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.act(self.norm2(self.conv1(self.act(self.norm1(x))))))


class FromMap(nn.Module):
    """A feature map (N, C, H, W) to the rows of a linear layer (N, C·H·W), in that order."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class ToMap(nn.Module):
    """Rows (N, C·S·S) to a feature map (N, C, S, S), channels-last in memory."""

    def __init__(self, channels: int, size: int):
        super().__init__()
        self.channels, self.size = channels, size

    def forward(self, x: Tensor) -> Tensor:
        return x.view(-1, self.channels, self.size, self.size).contiguous(memory_format=torch.channels_last)
