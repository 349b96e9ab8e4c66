"""A VAE as it is best computed when it learns no more: batch norms folded into the convolutions before them.

Enters: a VAE in evaluation mode. Leaves: a copy that computes the same to rounding, without a pass over every map for
each norm (a third of the classic network's time). The copy is for use alone: it can neither be trained nor saved.
"""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from facette.model.vae import VAE


def folded(vae: VAE) -> VAE | None:
    """The copy, or None where there is no batch norm to fold."""
    if not any(isinstance(part, nn.BatchNorm2d) for part in vae.modules()):
        return None
    quick = copy.deepcopy(vae).eval().requires_grad_(False)
    for block in quick.modules():
        if isinstance(block, nn.Sequential):
            _fold(block)
    return quick


def _fold(block: nn.Sequential) -> None:
    """Every norm of a block that stands right behind a convolution."""
    for place in range(1, len(block)):
        before, norm = block[place - 1], block[place]
        if isinstance(norm, nn.BatchNorm2d) and isinstance(before, nn.Conv2d | nn.ConvTranspose2d):
            transposed = isinstance(before, nn.ConvTranspose2d)
            fused: nn.Module = fuse_conv_bn_eval(before, norm, transpose=transposed)
            if transposed:
                # ours adds the bias apart, which only gradients gain by
                fused.__class__ = nn.ConvTranspose2d  # type: ignore[assignment]
            block[place - 1], block[place] = fused, nn.Identity()
