"""Laws of the paths between two photos."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import facette
from facette.errors import UsageError
from facette.latent import interpolate, reconstruct
from facette.latent.paths import path


@pytest.fixture(scope="module")
def photos(quick_model):
    store = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    return store.read(np.array([5, 17]))


@pytest.mark.parametrize("method", ["linear", "slerp"])
@pytest.mark.parametrize("steps", [2, 7])
def test_the_ends_are_the_reconstructions(quick_model, photos, method, steps):
    made = interpolate(quick_model, photos[0], photos[1], steps=steps, method=method)
    kept = reconstruct(quick_model, photos)
    assert len(made.pictures) == steps
    assert (made.pictures[0] == kept.pictures[0]).all()
    assert (made.pictures[-1] == kept.pictures[1]).all()


@pytest.mark.parametrize("method", ["linear", "slerp"])
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3))
def test_both_ends_are_hit_exactly(method, seed, scale):
    a, b = torch.randn(2, 12, generator=torch.Generator().manual_seed(seed)) * scale
    points = path(a, b, 5, method)
    assert torch.equal(points[0], a)
    assert torch.equal(points[-1], b)


def test_linear_steps_are_equal():
    a, b = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    steps = path(a, b, 9).diff(dim=0)
    torch.testing.assert_close(steps, steps[:1].expand_as(steps), rtol=1e-4, atol=1e-6)


def test_slerp_keeps_the_norm_and_turns_evenly():
    a = torch.tensor([3.0, 0.0, 0.0])
    b = 3 * torch.tensor([math.cos(2.0), math.sin(2.0), 0.0])
    points = path(a, b, 5, "slerp")
    torch.testing.assert_close(points.norm(dim=1), torch.full((5,), 3.0))
    angles = torch.atan2(points[:, 1], points[:, 0])
    torch.testing.assert_close(angles, torch.linspace(0, 2.0, 5))


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.5, 0.0])
def test_parallel_vectors_are_joined_by_a_straight_line(factor):
    a = torch.tensor([1.0, -2.0, 0.5])
    points = path(a, factor * a, 6, "slerp")
    assert torch.equal(points, path(a, factor * a, 6, "linear"))
    assert points.isfinite().all()


def test_the_way_back_is_the_way_there(quick_model, photos):
    there = interpolate(quick_model, photos[0], photos[1], steps=5, method="slerp")
    back = interpolate(quick_model, photos[1], photos[0], steps=5, method="slerp")
    torch.testing.assert_close(there.latents, back.latents.flip(0))


def test_the_sheet_shows_both_photos_and_every_step(quick_model, photos):
    sheet = interpolate(quick_model, photos[0], photos[1], steps=4).sheet()
    assert len(sheet.tiles[0]) == 6


def test_senseless_wishes_are_refused_in_a_sentence(quick_model, photos):
    with pytest.raises(UsageError, match="at least 2, got 1"):
        interpolate(quick_model, photos[0], photos[1], steps=1)
    with pytest.raises(UsageError, match="unknown method 'bow'"):
        interpolate(quick_model, photos[0], photos[1], method="bow")
