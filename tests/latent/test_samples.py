"""Laws of reconstructions and samples."""

import dataclasses

import numpy as np
import pytest
import torch

import facette
from facette.errors import UsageError
from facette.latent import reconstruct, sample
from facette.latent.sheets import even_columns
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.recipe import load_recipe


@pytest.fixture(scope="module")
def photos(quick_model):
    store = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    return store.read(np.arange(4))


@pytest.fixture(scope="module")
def points_model():
    """A model of vectors as it is born: sampling asks nothing of its training."""
    recipe = load_recipe("mixture3d")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TrainedModel(build_vae(recipe), recipe)


def test_a_reconstruction_is_the_decoded_mean(quick_model, photos):
    kept = reconstruct(quick_model, photos)
    expected = quick_model.decode(quick_model.encode(photos).mean)
    assert np.abs(kept.pictures.astype(int) - expected).max() <= 1  # batches may differ in the last bit


def test_a_picture_is_reconstructed_alike_alone_and_among_others(quick_model, photos):
    together = reconstruct(quick_model, photos)
    for photo, picture in zip(photos, together.pictures, strict=True):
        assert (reconstruct(quick_model, photo).pictures[0] == picture).all()


def test_nothing_to_reconstruct_is_refused(quick_model):
    with pytest.raises(UsageError, match="at least one"):
        reconstruct(quick_model, [])


def test_the_seed_decides_the_samples(quick_model):
    first, again, other = (sample(quick_model, count=5, seed=seed).pictures for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_without_a_wish_the_fitted_prior_is_taken_where_there_is_one(quick_model):
    assert sample(quick_model, count=2).prior == "fitted"
    bare = dataclasses.replace(quick_model, fitted_prior=None)
    assert sample(bare, count=2).prior == "normal"


def test_a_fitted_prior_that_is_not_there_is_refused(quick_model):
    bare = dataclasses.replace(quick_model, fitted_prior=None)
    with pytest.raises(UsageError, match="no fitted prior"):
        sample(bare, prior="fitted")


@pytest.mark.parametrize("prior", ["fitted", "normal"])
def test_temperature_scales_the_distance_from_the_centre(quick_model, prior):
    warm, cold, frozen = (
        sample(quick_model, count=200, prior=prior, temperature=heat).latents for heat in (1.0, 0.5, 0.0)
    )
    np.testing.assert_allclose(cold - frozen, 0.5 * (warm - frozen), atol=1e-5)
    assert warm.std(axis=0).mean() > 1.5 * cold.std(axis=0).mean()


def test_frozen_samples_of_the_mixture_are_its_means(quick_model):
    means = {tuple(mean) for mean in quick_model.fitted_prior.means.tolist()}
    assert {tuple(z) for z in sample(quick_model, count=20, temperature=0).latents.tolist()} <= means


@pytest.mark.parametrize("prior", ["fitted", "normal"])
def test_the_first_of_many_are_those_of_few(quick_model, prior):
    few, many = (sample(quick_model, count=count, seed=3, prior=prior).latents for count in (4, 9))
    np.testing.assert_allclose(few, many[:4], atol=1e-6)


@pytest.mark.parametrize("wish", [{"count": 0}, {"prior": "flat"}, {"temperature": -1.0}])
def test_senseless_wishes_are_refused(quick_model, wish):
    with pytest.raises(UsageError):
        sample(quick_model, **wish)


def test_points_are_written_exactly(points_model, tmp_path):
    drawn = sample(points_model, count=7, seed=3)
    written = np.loadtxt(drawn.save(tmp_path / "points.csv"), delimiter=",", skiprows=1, dtype=np.float32)
    assert (written == drawn.pictures).all()
    assert drawn.pictures.shape == (7, 3)


def test_points_have_no_sheet(points_model, tmp_path):
    with pytest.raises(UsageError, match=r"\.csv"):
        sample(points_model, count=2).save(tmp_path / "points.png")


def test_a_model_of_points_takes_no_photo(points_model):
    with pytest.raises(UsageError, match="vectors"):
        facette.vary(points_model, np.zeros((8, 8, 3), np.uint8))


def test_a_wall_of_samples_leaves_few_gaps(quick_model):
    for count, columns in ((1, 1), (4, 2), (12, 4), (20, 5), (30, 6)):
        assert even_columns(count) == columns
    rows = sample(quick_model, count=20).sheet().tiles[0]
    assert len({top for _, top, _, _ in rows}) == 4
