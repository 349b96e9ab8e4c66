"""The second stage as a network: shapes, ranges, and that it begins by changing nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import facette
from facette.errors import RecipeError
from facette.latent import reconstruct, sample, vary
from facette.model.sharpener import Sharpener
from facette.model.vae import build_sharpener
from facette.recipe import load_recipe
from facette.training.second_stage import with_section


def network(range="symmetric", latent=8) -> Sharpener:
    torch.manual_seed(0)
    return Sharpener(latent=latent, widths=(8, 16, 16), condition=16, range=range)


def disturbed(sharpener: Sharpener) -> Sharpener:
    """As if it had learnt something: no weight is zero any more."""
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in sharpener.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=draws))
    return sharpener.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def sharp(quick_model):
    model = with_section(quick_model, ["sharpen.widths=[8, 16, 16]", "sharpen.steps=1"])
    torch.manual_seed(0)
    return replace(model, sharpener=disturbed(build_sharpener(model.recipe)))


@pytest.mark.parametrize("size", [64, 50, 150])
def test_it_begins_by_changing_nothing_at_any_size(size):
    x = torch.rand(2, 3, size, size) * 2 - 1
    assert torch.equal(network()(x, torch.randn(2, 8)), x)


@pytest.mark.parametrize(("range", "low"), [("unit", 0.0), ("symmetric", -1.0)])
def test_what_leaves_has_the_shape_and_the_range_of_what_enters(range, low):
    x = torch.rand(2, 3, 50, 50) * (1 - low) + low
    made = disturbed(network(range))(x, torch.randn(2, 8))
    assert made.shape == x.shape
    assert not torch.allclose(made, x, atol=0.01)
    assert made.min() >= low
    assert made.max() <= 1


def test_latents_matter_but_their_length_does_not_lead_astray():
    draw = disturbed(network())
    x, z = torch.rand(1, 3, 32, 32), torch.randn(1, 8, generator=torch.Generator().manual_seed(2))
    assert not torch.allclose(draw(x, z), draw(x, -z), atol=1e-3)
    torch.testing.assert_close(draw(x, 10 * z), draw(x, 100 * z), atol=1e-3, rtol=0)


def test_a_model_decodes_through_it_and_plain_does_not(sharp):
    z = torch.randn(3, sharp.latent, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        mean = sharp.vae.decode(z)
    torch.testing.assert_close(sharp.plain().decode_float(z), mean)
    torch.testing.assert_close(sharp.decode_float(z), sharp.sharpener(mean, z))
    assert not np.array_equal(sharp.decode(z), sharp.plain().decode(z))
    assert sharp.sharpener is not None  # plain is another model, not this one changed


def test_every_law_of_the_latents_still_holds(sharp):
    photo = facette.open_dataset("synthetic-faces:4", sharp.input).read(np.arange(1))
    again = reconstruct(sharp, photo).pictures
    assert np.array_equal(
        vary(sharp, photo[0], count=2, diversity=0.0, details="model").pictures[0], again[0]
    )
    one, other = (sample(sharp, count=3, seed=5).pictures for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("half", [False, True])
def test_a_model_file_carries_it(sharp, tmp_path, half):
    facette.save(sharp, tmp_path, half=half)
    again = facette.load(tmp_path)
    z = torch.randn(2, sharp.latent, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(again.decode_float(z), sharp.decode_float(z), atol=0.05 if half else 0, rtol=0)
    assert again.recipe == sharp.recipe
    facette.save(again.plain(), tmp_path)
    assert facette.load(tmp_path).sharpener is None


def test_a_recipe_without_the_section_builds_none():
    with pytest.raises(RecipeError, match=r"no section \[sharpen\]"):
        build_sharpener(load_recipe("quick"))


def test_vectors_have_no_second_stage():
    with pytest.raises(RecipeError, match="only pictures can be sharpened"):
        load_recipe("mixture3d", ["sharpen.steps=3"])


def test_the_card_names_the_second_stage_and_what_distances_are_measured_in(sharp, tmp_path):
    facette.save(replace(sharp, metrics={"frechet_reconstructions": 9.0}), tmp_path)
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "| second stage | a sharpener of" in card
    assert "they are not FID" in card
    facette.save(sharp.plain(), tmp_path)
    assert "second stage" not in (tmp_path / "README.md").read_text("utf-8")
