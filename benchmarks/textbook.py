"""A network of Facette's as a textbook would write it: the same weights and sums, plain layers, contiguous memory."""

from __future__ import annotations

import copy

import torch
from torch import nn

from facette.model.blocks import PictureConv2d, Resize, ToMap, TransposedConv2d, resized
from facette.model.kernels.normed import NormedConv


def plain_layers(network: nn.Module) -> nn.Module:
    """A copy that has none of our layers which compute sooner what torch's own compute."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, part in list(parent.named_children()):
            if isinstance(part, TransposedConv2d):
                part.__class__ = nn.ConvTranspose2d
            elif isinstance(part, PictureConv2d):
                part.__class__ = nn.Conv2d
            elif isinstance(part, NormedConv):
                part.__class__ = nn.Sequential
            elif isinstance(part, Resize):
                part.__class__ = _PlainResize
            elif isinstance(part, ToMap):
                setattr(parent, name, nn.Unflatten(1, (part.channels, part.size, part.size)))
    return network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


class _PlainResize(Resize):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return resized(x, (self.size, self.size))
