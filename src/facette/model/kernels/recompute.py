"""A network whose activations are computed again in the backward pass instead of being kept.

Enters: a network in training. Leaves: the same outputs and gradients by the same arithmetic, at less memory and more
time (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174). What is kept: of each
residual block its input; of each norm, activation and the layer behind them the map before the norm, so that no
convolution of a plain chain is computed twice; of a network without such parts its input alone.
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm

from facette.model.blocks import ResidualBlock
from facette.model.kernels.normed import NormedConv

NORMS = (nn.BatchNorm2d, nn.GroupNorm)
BLOCKS = (ResidualBlock, NormedConv)


class LayerChain(nn.Module):
    """A network that passes a map through layers one after the other, and may compute them again."""

    recompute = False

    def through(self, layers: Iterable[nn.Module], x: Tensor) -> Tensor:
        """x through all layers; in training, where `recompute` is set, in segments of which only the inputs are
        kept."""
        if not (self.recompute and self.training and torch.is_grad_enabled()):
            return _in_turn(layers, x)
        for segment in _segments(layers):
            x = _recomputed(_in_turn, segment, segment, x) if _gains(segment) else _in_turn(segment, x)
        return x


def recompute(network: nn.Module) -> None:
    """Let a network keep less from now on, in training. Its names and its state are what they were."""
    chains = [part for part in network.modules() if isinstance(part, LayerChain)]
    for chain in chains:
        chain.recompute = True
    if not chains:
        # a bound method: copies of the network bind it anew
        network.forward = types.MethodType(_whole, network)


def _whole(network: Any, *inputs: Any) -> Any:
    plain = type(network).forward
    if not (network.training and torch.is_grad_enabled()):
        return plain(network, *inputs)
    return _recomputed(plain, [network], network, *inputs, random=True)


def _in_turn(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _recomputed(
    function: Callable[..., Any], parts: Iterable[nn.Module], *inputs: Any, random: bool = False
) -> Any:
    """A function of inputs that keeps these alone for its backward pass; `random` where it may draw numbers, which it
    then draws again."""
    frame = _Frame(function, parts, inputs, random)
    with saved_tensors_hooks(frame.pack, frame.unpack):
        return function(*inputs)


class _EnoughError(Exception):
    """Everything that the backward pass asks for is there again: the rest need not be computed."""


class _Frame:
    """What one function keeps: its inputs, and how its saved tensors are had again, by the order of their saving.

    torch.utils.checkpoint does the same, and imports torch's compiler for it (1.2 s, 80 MB).
    """

    def __init__(
        self, function: Callable[..., Any], parts: Iterable[nn.Module], inputs: tuple[Any, ...], random: bool
    ):
        self.function, self.inputs = function, inputs
        self.norms = [norm for part in parts for norm in part.modules() if isinstance(norm, _BatchNorm)]
        self.device = next((x.device for x in inputs if isinstance(x, Tensor)), torch.device("cpu"))
        self.draws = _draws(self.device) if random else None
        self.precision = (
            torch.is_autocast_enabled(self.device.type),
            torch.get_autocast_dtype(self.device.type),
        )
        self.count = 0
        self.again: dict[int, Tensor] = {}

    def pack(self, _: Tensor) -> int:
        self.count += 1
        return self.count - 1

    def unpack(self, place: int) -> Tensor:
        if place not in self.again:
            self._compute()
        return self.again.pop(place)

    def _compute(self) -> None:
        numbers = itertools.count()

        def keep(tensor: Tensor) -> Tensor:
            place = next(numbers)
            self.again[place] = tensor.detach()
            if place == self.count - 1:
                raise _EnoughError
            return self.again[place]

        enabled, dtype = self.precision
        with (
            torch.enable_grad(),
            torch.autocast(self.device.type, dtype, enabled),
            _statistics_left_alone(self.norms),
            _drawn_again(self.draws, self.device),
            saved_tensors_hooks(keep, lambda tensor: tensor),
            suppress(_EnoughError),
        ):
            self.function(*map(_apart, self.inputs))


def _apart(x: Any) -> Any:
    """An input without the graph that it came by."""
    return x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x


def _draws(device: torch.device) -> list[Tensor]:
    """The states of the generators of the CPU and of a device."""
    own = [] if device.type == "cpu" else [torch.get_device_module(device).get_rng_state(device)]
    return [torch.get_rng_state(), *own]


@contextmanager
def _drawn_again(draws: list[Tensor] | None, device: torch.device) -> Iterator[None]:
    if draws is None:
        yield
        return
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
        torch.set_rng_state(draws[0])
        for state in draws[1:]:
            torch.get_device_module(device).set_rng_state(state, device)
        yield


@contextmanager
def _statistics_left_alone(norms: Sequence[nn.Module]) -> Iterator[None]:
    """A batch counts once in the running statistics of batch norms, however often it is computed."""
    before = [dict(norm._buffers) for norm in norms]
    for norm, buffers in zip(norms, before, strict=True):
        norm._buffers.update({name: None if kept is None else kept.clone() for name, kept in buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in zip(norms, before, strict=True):
            norm._buffers.update(buffers)


def _segments(layers: Iterable[nn.Module]) -> Iterator[list[nn.Module]]:
    """The layers in groups: a block alone, or what lies between two norms, the first of them included."""
    segment: list[nn.Module] = []
    for layer in _flat(layers):
        if segment and (isinstance(layer, (*NORMS, *BLOCKS)) or isinstance(segment[-1], BLOCKS)):
            yield segment
            segment = []
        segment.append(layer)
    if segment:
        yield segment


def _flat(layers: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """The layers with convolution, norm and activation apart, but where norm and activation are done in place."""
    for layer in layers:
        splits = isinstance(layer, NormedConv) and isinstance(layer[1], NORMS) and not layer.works_in_place()
        if isinstance(layer, nn.Sequential) and (splits or not isinstance(layer, NormedConv)):
            yield from _flat(layer)
        else:
            yield layer


def _gains(segment: list[nn.Module]) -> bool:
    """Whether less is kept where only what enters is."""
    return isinstance(segment[0], (*NORMS, ResidualBlock))
