"""The rate taken apart, against Gaussians whose parts are known exactly."""

import math

import pytest
import torch

from facette.errors import UsageError
from facette.measures.aggregate import take_apart
from facette.model.posterior import DiagonalGaussian


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def world(count, spread, sigma, correlation=0.0, seed=0):
    """Posteriors N(m, σ²) whose means are Gaussian, and one draw from each: q(z) is nearly Gaussian too."""
    covariance = spread**2 * torch.tensor([[1.0, correlation], [correlation, 1.0]])
    root = torch.linalg.cholesky(covariance)
    mean = torch.randn(count, 2, generator=draws(seed)) @ root.T
    posterior = DiagonalGaussian(mean, torch.full_like(mean, sigma))
    return posterior, posterior.sample(generator=draws(seed + 1))


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_parts_are_those_of_gaussians(correlation):
    spread, sigma = 0.9, 0.5
    posterior, z = world(3000, spread, sigma, correlation)
    parts = take_apart(posterior, z)
    total = torch.tensor(
        [[spread**2 + sigma**2, correlation * spread**2], [correlation * spread**2, spread**2 + sigma**2]]
    )
    variance = float(total[0, 0])
    noise = 2 * math.log(sigma**2)
    assert parts.mutual_information == pytest.approx(0.5 * (torch.logdet(total).item() - noise), abs=0.06)
    expected_correlation = -0.5 * math.log(1 - (correlation * spread**2 / variance) ** 2)
    assert parts.total_correlation == pytest.approx(expected_correlation, abs=0.04)
    assert parts.single_latents == pytest.approx(variance - 1 - math.log(variance), abs=0.03)
    assert parts.marginal_kl == parts.total_correlation + parts.single_latents


def test_the_parts_add_up_to_the_rate():
    posterior, z = world(1500, 0.7, 0.3)
    parts = take_apart(posterior, z)
    assert parts.rate == pytest.approx(parts.mutual_information + parts.marginal_kl)
    assert parts.rate == pytest.approx(posterior.kl_standard_normal().mean().item(), abs=0.1)


def test_data_told_apart_entirely_reach_the_ceiling():
    posterior, z = world(200, 5.0, 1e-3)
    parts = take_apart(posterior, z)
    assert parts.ceiling == pytest.approx(math.log(200))
    assert parts.mutual_information == pytest.approx(parts.ceiling, abs=1e-6)


def test_latents_that_say_nothing_share_no_information():
    posterior = DiagonalGaussian(torch.zeros(300, 3), torch.ones(300, 3))
    parts = take_apart(posterior, posterior.sample(generator=draws()))
    assert parts.mutual_information == pytest.approx(0, abs=1e-9)
    assert parts.marginal_kl == pytest.approx(0, abs=1e-9)


def test_a_stratified_part_estimates_the_density_of_the_whole():
    """The mean of the estimated q(z) over many minibatches is q(z) itself."""
    posterior, z = world(60, 1.0, 0.4)
    whole = _density(posterior, z, torch.arange(60), total=60)[0]
    values = []
    for seed in range(3000):
        others = 1 + torch.randperm(59, generator=draws(seed))[:9]
        rows = torch.cat([torch.zeros(1, dtype=torch.long), others])
        values.append(_density(posterior, z, rows, total=60)[0])
    assert torch.tensor(values).mean().item() == pytest.approx(whole, rel=0.03)


def _density(posterior, z, rows, total):
    """q(z) of the datum rows[0], by way of the mutual information of the batch: log q(z|x) − log q(z), one by one."""
    from facette.measures.aggregate import _aggregate, _log_weights

    weights = _log_weights(len(rows), total)
    joint, _ = _aggregate(
        posterior.mean[rows].double(), posterior.scale[rows].double(), z[rows].double(), weights
    )
    return joint.exp().tolist()


def test_memory_is_bounded_without_a_change_of_the_result(monkeypatch):
    posterior, z = world(90, 1.0, 0.3)
    whole = take_apart(posterior, z)
    monkeypatch.setattr("facette.measures.aggregate.NUMBERS_AT_ONCE", 1000)
    assert take_apart(posterior, z) == whole


def test_fewer_than_all_is_refused():
    posterior, z = world(10, 1.0, 0.3)
    with pytest.raises(UsageError, match="10 of 5 data"):
        take_apart(posterior, z, total=5)
