"""The layers that compute the same in another order while they train: same values, same gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from facette.model.blocks import PictureConv2d, Resize, TransposedConv2d


def both(
    layer: nn.Module, plain: nn.Module, shape: tuple[int, ...]
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Output, input gradient and parameter gradients of a layer and of torch's own with its weights."""
    plain.load_state_dict(layer.state_dict())  # the same names, too: model files do not see the difference
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(shape, generator=draws).to(memory_format=torch.channels_last)
    sides = []
    for module in (layer.train(), plain.train()):
        given = x.clone(memory_format=torch.preserve_format).requires_grad_()
        y = module(given)
        y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(2)))
        sides.append([y, given.grad, *(p.grad for p in module.parameters())])
    return list(zip(*sides, strict=True))


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (5, 2), (1, 0)])
def test_a_picture_drawn_in_blocks_is_the_plain_convolution(kernel, padding):
    layer = PictureConv2d(8, 3, kernel, padding=padding)
    for mine, theirs in both(layer, nn.Conv2d(8, 3, kernel, padding=padding), (2, 8, 12, 10)):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_picture_of_odd_size_is_drawn_too():
    layer = PictureConv2d(8, 3, 3, padding=1)
    for mine, theirs in both(layer, nn.Conv2d(8, 3, 3, padding=1), (2, 8, 11, 10)):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride", "padding", "extra"), [(3, 2, 1, 1), (4, 2, 1, 0), (4, 1, 0, 0)])
def test_a_transposed_convolution_with_its_bias_apart_is_the_plain_one(kernel, stride, padding, extra):
    options = (8, 6, kernel, stride, padding, extra)
    for mine, theirs in both(TransposedConv2d(*options), nn.ConvTranspose2d(*options), (2, 8, 5, 5)):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3, 20, 20), (1, 3, 20, 17), (2, 3, 12, 12)])
def test_pictures_are_resized_by_products_as_by_interpolation(shape):
    layer = Resize((12, 12))
    sides = []
    for module in (layer.train(), copy.deepcopy(layer).eval()):
        given = torch.rand(shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
        drawn = module(given)
        drawn.backward(torch.rand(drawn.shape, generator=torch.Generator().manual_seed(2)))
        sides.append((drawn, given.grad))
    assert sides[0][0].shape[2:] == (12, 12)
    for mine, theirs in zip(*sides, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("layer", [PictureConv2d(8, 3, 3, padding=1), TransposedConv2d(8, 6, 4, 2, 1)])
def test_channels_stay_last_and_evaluation_is_the_same_to_rounding(layer):
    x = torch.randn(2, 8, 6, 6).to(memory_format=torch.channels_last)
    trained, used = layer.train()(x), layer.eval()(x)
    assert trained.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(trained, used, rtol=1e-4, atol=1e-5)
