"""What is computed again is the same to the bit: outputs, gradients, running statistics; and less of it is kept."""

from __future__ import annotations

import copy
import gc
from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from facette.model.kernels.recompute import recompute
from facette.model.vae import VAE, build_vae
from facette.recipe import Recipe, load_recipe

SMALL = ["input.size=32", "train.batch=4"]
LAYERS = "layers=[{channels=8, kernel=4, stride=2, padding=1}, {channels=%d, kernel=4, stride=2, padding=1}]"
KIND = 'kind="conv", norm="%s", activation="%s"'
CONV = "{" + f"{KIND}, {LAYERS % 16}" + "}"
DRAWN = "{" + f"{KIND}, {LAYERS % 8}, start_channels=16, start_size=8, head=" + "{channels=3, padding=1}}"


def conv(norm: str, act: str) -> Recipe:
    return load_recipe(
        "quick", [*SMALL, f"model.encoder={CONV % (norm, act)}", f"model.decoder={DRAWN % (norm, act)}"]
    )


RECIPES = {
    "residual": lambda: load_recipe("quick", SMALL),
    "batch norm and ReLU": lambda: conv("batch", "relu"),
    "batch norm and SiLU": lambda: conv("batch", "silu"),
    "batch norm and leaky ReLU, in place": lambda: conv("batch", "leaky-relu"),
    "no norm": lambda: conv("none", "relu"),
}


def both(recipe: Recipe) -> tuple[VAE, VAE]:
    torch.manual_seed(0)
    plain = build_vae(recipe).train()
    thrifty = copy.deepcopy(plain)
    for network in (thrifty.trunk, thrifty.decoder):
        recompute(network)
    return plain, thrifty


def passed(vae: VAE, recipe: Recipe) -> tuple[Tensor, int]:
    """A picture drawn again from x, and the bytes of maps that its graph keeps."""
    draws = torch.Generator().manual_seed(1)
    x = torch.rand(4, 3, *recipe.input.shape, generator=draws).to(memory_format=torch.channels_last)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.ndim == 4 and len(tensor) == len(x):
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        drawn = vae(x, torch.randn(4, recipe.model.latent, generator=draws)).decoded
    return drawn, sum(kept.values())


@pytest.mark.parametrize("name", RECIPES)
def test_gradients_and_statistics_are_the_same_to_the_bit(name):
    recipe = RECIPES[name]()
    plain, thrifty = both(recipe)
    drawn = []
    for _ in range(2):  # the second pass would see statistics that moved twice
        for vae in (plain, thrifty):
            picture, _ = passed(vae, recipe)
            picture.square().sum().backward()
            drawn.append(picture.detach())
        assert torch.equal(*drawn[-2:])
    theirs = dict(thrifty.named_parameters())
    for parameter_name, parameter in plain.named_parameters():
        assert parameter.grad is not None or theirs[parameter_name].grad is None
        assert parameter.grad is None or torch.equal(parameter.grad, theirs[parameter_name].grad)
    for buffer_name, buffer in plain.named_buffers():
        assert torch.equal(buffer, dict(thrifty.named_buffers())[buffer_name])


@pytest.mark.parametrize("name", ["residual", "batch norm and ReLU", "batch norm and SiLU"])
def test_less_is_kept(name):
    recipe = RECIPES[name]()
    plain, thrifty = (passed(vae, recipe)[1] for vae in both(recipe))
    assert thrifty < 0.6 * plain


class Counted(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.calls[function.overloadpacket.__name__] += 1
        return function(*args, **kwargs or {})


def test_a_plain_chain_computes_no_convolution_twice():
    recipe = conv("batch", "relu")
    recipe = recipe.model_copy(
        update={"model": recipe.model.model_copy(update={"decoder": headless(recipe)})}
    )
    counts = []
    for vae in both(recipe):
        picture, _ = passed(vae, recipe)
        with Counted() as counted:
            picture.square().sum().backward()
        counts.append(counted.calls)
    assert counts[0]["convolution"] == counts[1]["convolution"] == 0
    assert counts[1]["native_batch_norm"] == 3  # of both layers of the encoder, and of the decoder's first
    assert counts[0]["native_batch_norm"] == 0


def headless(recipe: Recipe):
    layers = recipe.model.decoder.layers
    return recipe.model.decoder.model_copy(
        update={"head": None, "layers": (layers[0], layers[1].model_copy(update={"channels": 3}))}
    )


class Own(nn.Module):
    """Draws numbers, and has a norm that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.SiLU(), nn.Linear(8, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def test_a_network_of_ones_own_is_computed_again_as_a_whole_with_the_numbers_that_it_drew():
    torch.manual_seed(0)
    plain = Own().train()
    thrifty = copy.deepcopy(plain)
    recompute(thrifty)
    again = copy.deepcopy(thrifty)  # a copy computes with its own weights
    x, kept = torch.randn(5, 6), []
    for network in (plain, thrifty, again):
        torch.manual_seed(7)
        kept.append(0)

        def count(tensor: Tensor) -> Tensor:
            kept[-1] += 1
            return tensor

        with saved_tensors_hooks(count, lambda tensor: tensor):
            y = network(x)
        torch.manual_seed(8)  # whatever is drawn between the two passes
        y.square().sum().backward()
        assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(8)))
        for mine, theirs in zip(network.parameters(), plain.parameters(), strict=True):
            assert torch.equal(mine.grad, theirs.grad)
        assert torch.equal(network.layers[1].running_mean, plain.layers[1].running_mean)
        assert network.layers[1].num_batches_tracked == 1
    assert kept[0] > 0
    assert kept[1:] == [0, 0]
    with torch.no_grad():
        again.layers[0].weight.zero_()
    assert thrifty.layers[0].weight.any()
    assert torch.equal(plain.eval()(x), thrifty.eval()(x))


def test_the_second_computation_has_the_first_ones_precision():
    network = nn.Sequential(nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 1))
    thrifty = copy.deepcopy(network)
    recompute(thrifty)
    x = torch.randn(4, 8)
    for side in (network, thrifty):
        with torch.autocast("cpu", torch.bfloat16):
            y = side.train()(x)
        y.float().sum().backward()
    for mine, theirs in zip(thrifty.parameters(), network.parameters(), strict=True):
        assert torch.equal(mine.grad, theirs.grad)


def test_what_was_kept_is_gone_when_the_gradient_is_there():
    recipe = conv("batch", "relu")
    _, thrifty = both(recipe)
    gc.collect()
    before = maps()
    picture, _ = passed(thrifty, recipe)
    assert maps() > before
    loss = picture.square().sum()
    loss.backward()
    del picture, loss
    assert maps() <= before  # by the count of references, without a search for circles


def maps() -> int:
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), Tensor)]
    return sum(tensor.ndim == 4 and len(tensor) == 4 for tensor in tensors)
