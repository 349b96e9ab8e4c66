"""Convolution, norm and activation as one block, and the way it is trained on a CPU.

Enters: feature maps (N, C, H, W). Leaves: feature maps, by the same weights under the same names, computed either way.

On a CPU a batch norm and its leaky ReLU are memory traffic, and new memory is the slowest. Both are therefore done over
the convolution's own output, forward and backward, a part at a time that stays in the cache; one map is kept where two
were, for the map before the norm is had again from the one behind the activation (Rota Bulò et al. 2018, "In-Place
Activated BatchNorm", arXiv 1712.02616). A bias before a batch norm is taken away again by it: it is not even added.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Numbers worked on at once: 2 MB, so that a part of one map and of its gradient fit a core's cache.
PART = 2**19
LEAST_WEIGHT = 0.01  # of a norm, below which the map before it cannot be had again in float32


class NormedConv(nn.Sequential):
    """A convolution (plain or transposed), its norm, its activation, in this order.

    In training on a CPU the gradient that comes back is overwritten, so nobody else may hold it. `overwrites` and
    `part` are choices of the machine (kernels/choices.py).
    """

    overwrites = True
    part: int | None = None  # numbers at once; None is PART

    def __init__(self, conv: nn.Module, norm: nn.Module, act: nn.Module):
        super().__init__(conv, norm, act)

    def forward(self, input: Tensor) -> Tensor:
        conv, norm, act = self
        if not (self.training and self.works_in_place()):
            return super().forward(input)
        drawn = _without_bias(conv, input)
        before: Any = conv.bias
        if drawn.dtype != torch.float32 or not drawn.is_contiguous(memory_format=torch.channels_last):
            return act(norm(drawn if before is None else drawn + before[:, None, None]))
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        return _InPlaceNorm.apply(
            drawn, norm.weight, norm.bias, before, norm.running_mean, norm.running_var,
            norm.momentum, norm.eps, act.negative_slope, self.part or PART,
        )  # fmt: skip

    def works_in_place(self) -> bool:
        """Whether norm and activation are done in place, here and now."""
        return self.overwrites and _in_place(*self)


def _in_place(conv: nn.Module, norm: nn.Module, act: nn.Module) -> bool:
    """Whether norm and activation are of the kinds that can be done in place, here and now."""
    return (
        type(norm) is nn.BatchNorm2d
        and norm.affine
        and norm.momentum is not None
        and isinstance(act, nn.LeakyReLU)
        and 0 < act.negative_slope < 1
        and isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
        and conv.padding_mode == "zeros"
        and norm.weight.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and bool(norm.weight.detach().abs().amin() >= LEAST_WEIGHT)
    )


def _without_bias(conv: Any, x: Tensor) -> Tensor:
    if isinstance(conv, nn.ConvTranspose2d):
        geometry: Any = (conv.stride, conv.padding, conv.output_padding, conv.groups, conv.dilation)
        return F.conv_transpose2d(x, conv.weight, None, *geometry)
    return F.conv2d(x, conv.weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)


class _InPlaceNorm(torch.autograd.Function):
    """y = LeakyReLU(v), v = γ·x̂ + β, x̂ = (x − mean)/σ, written over x, (N, C, H, W) float32, channels-last.

    With h the gradient at v, that of x is γ/σ · (h − mean h − x̂ · mean h·x̂), as for every batch norm. It is linear in
    h and v, v is had from y, and Σ h·v is Σ gradient·y.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        before: Tensor | None,
        running_mean: Tensor,
        running_var: Tensor,
        momentum: float,
        eps: float,
        slope: float,
        at_once: int,
    ) -> Tensor:
        mean, var = torch.batch_norm_update_stats(x, running_mean, running_var, momentum)
        if before is not None:
            running_mean.add_(before, alpha=momentum)
        inverse = torch.rsqrt(var + eps)
        scale = weight * inverse
        shift = bias - scale * mean
        for part in _parts(x, at_once):
            torch.addcmul(shift, part, scale, out=part)
            F.leaky_relu_(part, slope)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x, weight, bias, inverse)
        ctx.slope, ctx.biased, ctx.at_once = slope, before is not None, at_once
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        y, weight, bias, inverse = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        pairs = list(zip(_parts(gradient, ctx.at_once), _parts(y, ctx.at_once), strict=True))
        sums, products = _sums(pairs, ctx.slope)
        of_weight = (products - bias * sums) / weight
        count = y.numel() // len(weight)
        of_h, of_v = weight * inverse, -inverse * of_weight / count
        rest = -of_h * sums / count - of_v * bias
        for h, part in pairs:
            v = F.leaky_relu(part, 1 / ctx.slope)
            torch.addcmul(rest, v, of_v, out=v)
            torch.addcmul(v, h, of_h, out=h)
        of_bias_before = torch.zeros_like(bias) if ctx.biased else None
        return gradient, of_weight, sums, of_bias_before, None, None, None, None, None, None


def _sums(pairs: list[tuple[Tensor, Tensor]], slope: float) -> tuple[Tensor, Tensor]:
    """Σ h and Σ gradient·y by channel, from (gradient, y) of each part; the gradient becomes h on the way."""
    most, channels = pairs[0][0].shape
    ones, product = torch.ones(most), torch.empty(most, channels)
    sums, products = torch.zeros(channels), torch.zeros(channels)
    for gradient, y in pairs:
        count = len(y)
        # a product with ones is summed four times as fast as by sum(0)
        products += ones[:count] @ torch.mul(gradient, y, out=product[:count])
        torch.ops.aten.leaky_relu_backward.grad_input(gradient, y, slope, True, grad_input=gradient)
        sums += ones[:count] @ gradient
    return sums, products


def _parts(x: Tensor, at_once: int) -> tuple[Tensor, ...]:
    """The pixels of a map as rows (M, C), some at a time."""
    channels = x.shape[1]
    return x.permute(0, 2, 3, 1).view(-1, channels).split(max(1, at_once // channels))
