"""A model in use: shapes, batching that changes nothing, and where samples come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from facette.checkpoint.drawing import open_to_draw
from facette.data.synthetic import draw_faces
from facette.errors import DataError, UsageError


@pytest.fixture(scope="module")
def faces():
    return draw_faces(10, 32, seed=5).pictures


def test_pictures_in_pictures_out(quick_model, faces):
    posterior = quick_model.encode(faces)
    assert posterior.mean.shape == (10, quick_model.latent)
    again = quick_model.decode(posterior.mean)
    assert again.shape == faces.shape
    assert again.dtype == np.uint8


def test_batches_change_nothing(quick_model, faces):
    """BatchNorm left in training mode would fail here: a picture must not depend on its neighbours."""
    whole, single = quick_model.encode(faces), quick_model.encode(faces, batch=1)
    torch.testing.assert_close(whole.mean, single.mean, rtol=1e-4, atol=1e-5)
    alone = np.concatenate([quick_model.decode(whole.mean[i : i + 1]) for i in range(10)])
    assert np.abs(alone.astype(int) - quick_model.decode(whole.mean)).max() <= 1


def test_what_does_not_fit_is_a_sentence(quick_model):
    with pytest.raises(DataError, match="takes 32×32×3, not 64×64×3"):
        quick_model.encode(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(DataError, match="takes latents"):
        quick_model.decode(torch.zeros(1, 3))
    with pytest.raises(DataError, match="nothing to encode"):
        quick_model.encode(np.zeros((0, 32, 32, 3), np.uint8))


@pytest.mark.parametrize("light", [False, True], ids=["torch", "onnx"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("photo.jpg", "not str: `facette.reconstruct` takes files"),
        (Image.new("RGB", (32, 32)), "not Image: `facette.reconstruct`"),
        ([[0, 1]], "not list"),
        (np.zeros((32, 32, 3), np.uint8), "encodes arrays N×32×32×3, not one of 32×32×3"),
    ],
)
def test_what_is_no_array_of_pictures_is_a_sentence(quick_model, quick_run, light, data, words):
    model = open_to_draw(str(quick_run), "cpu", plain=False) if light else quick_model
    with pytest.raises(DataError, match=words):
        model.encode(data)


def test_the_seed_and_the_prior_are_arguments(quick_model):
    fitted, normal = (
        quick_model.sample_latents(6, seed=1),
        quick_model.sample_latents(6, seed=1, prior="normal"),
    )
    assert torch.equal(fitted, quick_model.sample_latents(6, seed=1, prior="fitted"))
    assert not torch.equal(fitted, normal)
    assert not torch.equal(normal, quick_model.sample_latents(6, seed=2, prior="normal"))
    without = quick_model.__class__(quick_model.vae, quick_model.recipe)
    assert torch.equal(without.sample_latents(6, seed=1), normal)
    with pytest.raises(UsageError, match="has no fitted prior"):
        without.sample_latents(1, prior="fitted")


def test_a_model_introduces_itself_in_one_line(quick_model):
    assert repr(quick_model).startswith(f"TrainedModel({quick_model.name!r}, {quick_model.latent} latents")
    assert len(repr(quick_model)) < 200
