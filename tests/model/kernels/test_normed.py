"""A block trained in place is convolution, batch norm and leaky ReLU: values, gradients, running statistics."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from facette.model.blocks import TransposedConv2d
from facette.model.kernels import normed
from facette.model.kernels.normed import NormedConv


def block(conv: nn.Module, act: nn.Module | None = None) -> NormedConv:
    torch.manual_seed(3)
    norm = nn.BatchNorm2d(conv.out_channels)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias)
    nn.init.normal_(conv.bias)
    made = NormedConv(conv, norm, act or nn.LeakyReLU(0.01, inplace=True))
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def trained(module: nn.Module, given: Tensor) -> dict[str, Tensor]:
    """Everything that a step of training leaves behind."""
    x = given.clone(memory_format=torch.preserve_format).requires_grad_()
    y = module.train()(x)
    shown = y.detach().clone()
    y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(2)))
    left = {"y": shown, "x": x.grad, **{f"grad {n}": p.grad for n, p in module.named_parameters()}}
    return left | {name: buffer.clone() for name, buffer in module.named_buffers()}


def plainly(made: NormedConv) -> nn.Sequential:
    plain = nn.Sequential(*copy.deepcopy(made))
    plain.load_state_dict(made.state_dict())  # the same names: model files do not see the difference
    return plain


def agree(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert mine.keys() == theirs.keys()
    for name in mine:
        if (
            name == "grad 0.bias"
        ):  # what a norm takes away again has no influence; plainly computed it is rounding
            assert not mine[name].any()
            assert theirs[name].abs().max() < 1e-3
        else:
            torch.testing.assert_close(mine[name], theirs[name], rtol=1e-4, atol=2e-5, msg=lambda m: m)


CONVS = {
    "plain": lambda: nn.Conv2d(8, 16, 3, 2, 1),
    "transposed": lambda: TransposedConv2d(8, 4, 3, 2, 1, 1),
}


def pictures(*shape: int) -> Tensor:
    draws = torch.Generator().manual_seed(1)
    return (torch.randn(shape, generator=draws) * 3 + 2).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("part", [normed.PART, 1000, 1], ids=["at once", "in parts", "pixel by pixel"])
@pytest.mark.parametrize("conv", CONVS)
def test_it_learns_as_the_plain_layers_do(conv, part, monkeypatch):
    monkeypatch.setattr(normed, "PART", part)
    made, x = block(CONVS[conv]()), pictures(3, 8, 9, 7)
    theirs = trained(plainly(made), x)
    kept = made[0].bias.detach().clone()
    agree(trained(made, x), theirs)
    assert torch.equal(made[0].bias, kept)


def test_the_running_mean_has_the_bias_that_was_never_added():
    made = block(CONVS["plain"]())
    nn.init.constant_(made[0].bias, 50.0)
    made.train()(pictures(3, 8, 9, 7))
    assert made[1].running_mean.min() > 3  # a tenth of 50 and a little
    assert made[1].num_batches_tracked == 1


def test_it_takes_the_way_in_place_and_keeps_one_map(monkeypatch):
    saved: list[Tensor] = []
    made, x = block(CONVS["plain"]()), pictures(3, 8, 9, 7).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        y = made.train()(x)
    assert [t.data_ptr() for t in saved if t.shape == y.shape] == [y.data_ptr()]


@pytest.mark.parametrize(
    ("change", "x"),
    [
        (lambda b: nn.init.constant_(b[1].weight[:1], 0.0), pictures(3, 8, 9, 7)),
        (lambda b: None, pictures(3, 8, 9, 7).contiguous()),
        (lambda b: b.double(), pictures(3, 8, 9, 7).double()),
        (lambda b: setattr(b[1], "momentum", None), pictures(3, 8, 9, 7)),
    ],
    ids=["a weight of 0", "channels first", "float64", "a cumulative mean"],
)
def test_what_cannot_be_done_in_place_is_done_plainly(change, x):
    made = block(CONVS["plain"]())
    with torch.no_grad():
        change(made)
    theirs = trained(plainly(made), x)
    mine = trained(made, x)
    for name in theirs:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("act", [nn.ReLU(inplace=True), nn.SiLU(), nn.LeakyReLU(1.5)])
def test_other_activations_are_left_to_torch(act):
    made, x = block(CONVS["plain"](), act), pictures(3, 8, 9, 7)
    theirs, mine = trained(plainly(made), x), trained(made, x)
    for name in theirs:
        torch.testing.assert_close(mine[name], theirs[name], rtol=0, atol=0)


def test_in_use_it_is_the_plain_layers():
    made, x = block(CONVS["transposed"]()), pictures(2, 8, 5, 5)
    assert torch.equal(made.eval()(x), plainly(made).eval()(x))
