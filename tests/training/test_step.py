"""A fast step is a plain step: the same pictures, gradients and weights, whatever is done to be quick."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from facette.images.convert import to_model
from facette.objective import draw_noise, elbo_terms
from facette.recipe import Recipe, load_recipe
from facette.runtime import Rank, generator
from facette.training.state import fresh_state
from facette.training.step import clip, prepare_batch, train_step

CPU = torch.device("cpu")
SMALL = [
    "input.size=64",
    "train.batch=4",
    "train.ema=0.0",
    "train.lr_warmup_steps=0",
    "train.lr_schedule=constant",
]


def pictures(recipe: Recipe, seed: int = 0) -> np.ndarray:
    side, count = recipe.input.size, recipe.train.batch
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


@pytest.mark.parametrize("name", ["faces64", "celeba64-z50"])
def test_a_step_moves_the_weights_as_a_plain_one_does(name):
    recipe = load_recipe(name, [*SMALL, "train.clip=1e9", "input.flip=false"])
    assert recipe.input.kind == "image"
    state, plain = fresh_state(recipe, CPU), fresh_state(recipe, CPU).vae
    for parameter in plain.parameters():
        parameter.data = parameter.data.contiguous()
    data = pictures(recipe)
    terms = train_step(state, state.vae.train(), data, recipe, 10, Rank(), None)

    x = torch.from_numpy(data.astype(np.float32).transpose(0, 3, 1, 2).copy()) / 255
    x = x if recipe.input.range == "unit" else 2 * x - 1
    noise = draw_noise(len(data), recipe.model.latent, generator(recipe.seed, "step", 0))
    given = elbo_terms(plain, x, plain.train()(x, noise), fit_sigma=True)
    loss = (given.distortion + recipe.objective.beta * given.rate).mean()
    loss.backward()
    gradients = {n: p.grad for n, p in plain.named_parameters()}
    torch.optim.Adam(plain.parameters(), lr=recipe.train.lr, betas=recipe.train.adam_betas).step()

    torch.testing.assert_close(terms.loss, loss.detach(), rtol=1e-5, atol=1e-2)
    mine = dict(state.vae.named_parameters())
    for n, parameter in plain.named_parameters():
        gradient = gradients[n]
        assert gradient is not None
        clear = (
            gradient.abs() > 1e-3 * gradient.abs().max()
        )  # Adam makes a whole step of a rounding error, too
        torch.testing.assert_close(mine[n][clear], parameter[clear], rtol=1e-3, atol=recipe.train.lr / 50)


def test_channels_stay_last_from_bytes_to_the_decoded_picture():
    recipe = load_recipe("faces64", SMALL)
    state = fresh_state(recipe, CPU)
    x, noise = prepare_batch(pictures(recipe), recipe, 0, Rank(), CPU)
    assert x.is_contiguous(memory_format=torch.channels_last)
    layouts = []
    for module in state.vae.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda _, __, out: layouts.append(out.is_contiguous(memory_format=torch.channels_last))
            )
    state.vae(x, noise)
    assert len(layouts) > 10
    assert all(layouts)


def test_flips_mirror_some_pictures_and_leave_the_given_ones_alone():
    recipe = load_recipe("faces64", [*SMALL, "train.batch=16"])
    data = pictures(recipe)
    before = data.copy()
    x, _ = prepare_batch(data, recipe, 5, Rank(), CPU)
    assert np.array_equal(data, before)
    plain, mirrored = (to_model(d.copy(), "symmetric") for d in (data, data[:, :, ::-1]))
    same = [bool(torch.equal(a, b)) for a, b in zip(x, plain, strict=True)]
    turned = [bool(torch.equal(a, b)) for a, b in zip(x, mirrored, strict=True)]
    assert all(a != b for a, b in zip(same, turned, strict=True))
    assert 0 < sum(turned) < 16


def test_no_gradient_lies_beside_the_next_steps_activations():
    recipe = load_recipe("faces64", SMALL)
    state = fresh_state(recipe, CPU)
    train_step(state, state.vae.train(), pictures(recipe), recipe, 10, Rank(), None)
    assert all(p.grad is None for p in state.vae.parameters())


def test_gradients_are_scaled_down_to_the_limit_and_no_further():
    layer = nn.Linear(3, 1, bias=False)
    for limit, expected in ((None, 5.0), (10.0, 5.0), (1.0, 1.0)):
        layer.weight.grad = torch.tensor([[3.0, 4.0, 0.0]])
        assert clip(layer, limit).item() == pytest.approx(5.0)
        assert layer.weight.grad.norm().item() == pytest.approx(expected, rel=1e-4)
