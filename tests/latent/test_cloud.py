"""Laws of the cloud: moments of the aggregate posterior, its axes, and its place in the model file."""

import numpy as np
import pytest
import torch

from facette.errors import DataError, UsageError
from facette.latent.cloud import cloud_tensors, encode_set, known_cloud, measure_cloud
from facette.model.posterior import DiagonalGaussian


def _posterior(count=500, latent=6, seed=3) -> DiagonalGaussian:
    draws = torch.Generator().manual_seed(seed)
    mixing = torch.randn(latent, latent, generator=draws)
    means = torch.randn(count, latent, generator=draws) @ mixing + 2
    return DiagonalGaussian(means, torch.rand(count, latent, generator=draws) + 0.1)


def test_its_moments_are_those_of_draws_from_the_posteriors():
    posterior = _posterior()
    cloud = measure_cloud(posterior)
    draws = (
        torch.cat([posterior.sample(torch.Generator().manual_seed(s)) for s in range(400)]).double().numpy()
    )
    np.testing.assert_allclose(cloud.mean, draws.mean(0), atol=0.02, rtol=0)
    np.testing.assert_allclose(cloud.covariance, np.cov(draws.T), atol=0.05, rtol=0.02)
    np.testing.assert_allclose(cloud.deviation, draws.std(0), atol=0.02, rtol=0.02)
    np.testing.assert_allclose(cloud.rate, posterior.rate_per_dimension().mean(0), rtol=1e-5)


def test_its_axes_are_unit_vectors_that_carry_all_of_the_variance_widest_first():
    cloud = measure_cloud(_posterior())
    variances, axes = cloud.axes()
    np.testing.assert_allclose(axes @ axes.T, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(axes @ cloud.covariance @ axes.T, np.diag(variances), atol=1e-9)
    assert (np.diff(variances) <= 0).all()
    assert (axes[np.arange(6), np.abs(axes).argmax(axis=1)] > 0).all()


def test_fewer_pictures_than_latents_still_leave_a_cloud_that_can_be_whitened():
    cloud = measure_cloud(_posterior(count=3, latent=12))
    whitening = cloud.whitening()
    np.testing.assert_allclose(whitening @ whitening.T, cloud.covariance, atol=1e-12)
    axis = whitening[:, 0]  # one standard deviation in whitened latents
    assert cloud.length(2 * axis) == pytest.approx(2)


def test_it_survives_the_model_file(quick_model):
    cloud = measure_cloud(_posterior(latent=quick_model.latent))
    quick_model.extras.update(cloud_tensors(cloud))
    try:
        known = known_cloud(quick_model)
    finally:
        for name in cloud_tensors(cloud):
            del quick_model.extras[name]
    assert known.count == 500
    np.testing.assert_allclose(known.covariance, cloud.covariance, atol=1e-5, rtol=1e-5)
    with pytest.raises(UsageError, match="attributes fit"):
        known_cloud(quick_model)


def test_a_set_is_encoded_as_the_model_encodes_it(quick_model):
    import facette

    store = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    seen = []
    posterior = encode_set(quick_model, store.read, np.array([7, 3, 11]), seen.append)
    torch.testing.assert_close(posterior.mean, quick_model.encode(store.read(np.array([7, 3, 11]))).mean)
    assert sum(seen) == 3


def test_too_few_pictures_are_refused():
    with pytest.raises(DataError, match="at least 2 pictures, there is 1"):
        measure_cloud(_posterior(count=1))
