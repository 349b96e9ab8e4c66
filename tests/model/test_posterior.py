"""q(z|x) against torch.distributions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import distributions

from facette.model.posterior import DiagonalGaussian


@pytest.fixture
def raw():
    return torch.randn(5, 12, generator=torch.Generator().manual_seed(0)) * 2


def test_log_variance_and_softplus_mean_what_they_say(raw):
    mean, rest = raw[:, :6], raw[:, 6:]
    log_variance = DiagonalGaussian.from_raw(raw, "log-variance")
    softplus = DiagonalGaussian.from_raw(raw, "softplus")
    torch.testing.assert_close(log_variance.scale**2, rest.exp())
    torch.testing.assert_close(softplus.scale**2, F.softplus(rest / 2))
    assert torch.equal(log_variance.mean, mean)
    assert torch.equal(softplus.mean, mean)


@pytest.mark.parametrize("kind", ["log-variance", "softplus"])
def test_rate_and_density_agree_with_torch(raw, kind):
    ours = DiagonalGaussian.from_raw(raw, kind)
    theirs = distributions.Normal(ours.mean, ours.scale)
    torch.testing.assert_close(
        ours.rate_per_dimension(), distributions.kl_divergence(theirs, distributions.Normal(0.0, 1.0))
    )
    torch.testing.assert_close(ours.kl_standard_normal(), ours.rate_per_dimension().sum(1))
    z = ours.sample(torch.Generator().manual_seed(1))
    torch.testing.assert_close(ours.log_prob(z), theirs.log_prob(z).sum(1), rtol=1e-5, atol=1e-4)


def test_samples_are_the_mean_plus_scaled_noise(raw):
    posterior = DiagonalGaussian.from_raw(raw, "softplus")
    assert torch.equal(posterior.sample(noise=torch.zeros(5, 6)), posterior.mean)
    a, b = (posterior.sample(torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a, b)
    many = torch.stack([posterior.sample(torch.Generator().manual_seed(i)) for i in range(4000)])
    torch.testing.assert_close(many.std(0), posterior.scale, rtol=0.06, atol=0)


@pytest.mark.parametrize("kind", ["log-variance", "softplus"])
def test_extreme_raw_values_stay_finite(kind):
    raw = torch.tensor([[0.0, 0.0, -1e4, 1e4]])
    posterior = DiagonalGaussian.from_raw(raw, kind)
    assert torch.isfinite(posterior.kl_standard_normal()).all()
    assert (posterior.scale > 0).all()
