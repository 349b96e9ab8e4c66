"""Folding batch norms away changes how soon a network computes, not what."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import facette
from facette.model.kernels.fold import folded
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.recipe import load_recipe


@pytest.fixture(scope="module")
def normed() -> TrainedModel:
    """The classic network, its norms having seen something."""
    recipe = load_recipe("celeba150", ["input.size=64", "model.decoder.start_size=2"])
    torch.manual_seed(0)
    vae = build_vae(recipe)
    for part in vae.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.3, 3)
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias, 0, 0.3)
    return TrainedModel(vae, recipe)


def test_the_copy_computes_the_same_without_norms(normed):
    quick = folded(normed.vae)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in quick.modules())
    x, z = torch.rand(2, 3, 64, 64), torch.randn(3, normed.latent)
    with torch.inference_mode():
        torch.testing.assert_close(quick.encode(x).mean, normed.vae.encode(x).mean, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(quick.decode(z), normed.vae.decode(z), atol=1e-5, rtol=1e-4)
    assert any(
        isinstance(part, nn.BatchNorm2d) for part in normed.vae.modules()
    )  # the original is left alone


def test_a_loaded_model_draws_by_it_and_is_saved_without_it(normed, tmp_path):
    loaded = facette.load(facette.save(normed, tmp_path / "one"))
    assert loaded.folded is not None
    with torch.no_grad():
        for part in loaded.folded.parameters():
            part.zero_()
    z = torch.randn(1, normed.latent)
    assert not torch.equal(loaded.decode_float(z), normed.decode_float(z))  # so it is the copy that draws
    again = facette.load(facette.save(loaded, tmp_path / "two"))
    torch.testing.assert_close(again.decode_float(z), normed.decode_float(z), atol=1e-5, rtol=1e-4)


def test_where_there_is_no_norm_there_is_no_copy():
    assert folded(build_vae(load_recipe("quick"))) is None
