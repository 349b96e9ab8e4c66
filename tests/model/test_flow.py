"""Laws of the flow prior: N(0, I) at first, an exact inverse, a density that integrates to one."""

import numpy as np
import pytest
import torch
from torch.func import jacrev, vmap

from facette.model.draws import BOUND, FlowDraws, uncouple
from facette.model.flow import FlowPrior, SplineCoupling
from facette.model.prior import StandardNormal, arrays_of


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def bent():
    """A flow far from the identity."""
    torch.manual_seed(0)
    prior = FlowPrior(3, layers=4, width=16).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator(1)))
    return prior


@pytest.mark.parametrize("latent", [2, 3, 7])
def test_starts_as_the_standard_normal(latent):
    prior = FlowPrior(latent, layers=3)
    z = 2 * torch.randn(200, latent, generator=generator())
    torch.testing.assert_close(prior.log_prob(z), StandardNormal(latent).log_prob(z), rtol=1e-5, atol=1e-4)


def test_a_coupling_inverts_itself_inside_and_outside_its_interval():
    torch.manual_seed(0)
    coupling = SplineCoupling(3, 16, 8).double()
    with torch.no_grad():
        coupling.network[-1].weight.normal_(std=2.0, generator=generator(1))
    u = torch.linspace(-1.5 * BOUND, 1.5 * BOUND, 301, dtype=torch.float64)[:, None].repeat(1, 3)
    v = coupling(u)[0].detach()
    assert (v - u).abs().max() > 0.5
    state = {f"couplings.0.{name}": array for name, array in arrays_of(coupling).items()}
    ones, turn = np.zeros(3), np.eye(3)[None]
    draws = FlowDraws.of_state({**state, "turns": turn, "log_scale": ones, "shift": ones}, 3)
    np.testing.assert_allclose(uncouple(v.numpy(), draws.couplings[0]), u, rtol=0, atol=1e-8)


def test_log_volume_is_that_of_the_jacobian():
    torch.manual_seed(0)
    coupling = SplineCoupling(3, 16, 8).double()
    with torch.no_grad():
        coupling.network[-1].weight.normal_(generator=generator(1))
    u = 3 * torch.randn(40, 3, generator=generator(2), dtype=torch.float64)
    jacobian = vmap(jacrev(lambda one: coupling(one[None])[0][0]))(u)
    torch.testing.assert_close(coupling(u)[1], torch.linalg.slogdet(jacobian).logabsdet)


def test_samples_follow_the_density(bent):
    """E_p[q/p] = 1 for any density q whose tails are lighter: here a Gaussian fitted to the samples."""
    drawn = bent.sample(60_000, np.random.default_rng(3))
    mean, covariance = drawn.mean(dim=0), 0.5 * torch.cov(drawn.T)
    q = torch.distributions.MultivariateNormal(mean, covariance)
    ratio = (q.log_prob(drawn) - bent.log_prob(drawn)).exp()
    error = ratio.std() / len(ratio) ** 0.5
    assert error < 0.05
    assert abs(ratio.mean() - 1) < 4 * error


def test_same_seed_same_sample(bent):
    assert torch.equal(*(bent.sample(5, np.random.default_rng(1)) for _ in range(2)))
