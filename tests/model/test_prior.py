"""Laws of the priors: densities agree with torch.distributions, samples follow them, rates are KLs."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from facette.errors import DataError
from facette.model.mixture_fit import (
    fit_class_mixture,
    fit_factor_mixture,
    fit_gaussian_mixture,
    score_components,
)
from facette.model.prior import (
    GaussianMixturePrior,
    StandardNormal,
    VampPrior,
    fitted_prior_of,
)


class Diagonal:
    """A posterior as the priors see it, made from torch.distributions alone."""

    def __init__(self, mean, scale):
        self.mean, self.scale = mean, scale
        self.distribution = Independent(Normal(mean, scale), 1)

    def log_prob(self, z):
        return self.distribution.log_prob(z)

    def kl_standard_normal(self):
        unit = Independent(Normal(torch.zeros_like(self.mean), torch.ones_like(self.scale)), 1)
        return kl_divergence(self.distribution, unit)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random(seed=0):
    return np.random.default_rng(seed)


def random_covariances(count, latent, seed=3):
    factors = torch.randn(count, latent, latent, generator=generator(seed), dtype=torch.float64)
    return factors @ factors.mT + 0.1 * torch.eye(latent, dtype=torch.float64)


@pytest.fixture
def moments():
    weights = torch.tensor([0.1, 0.6, 0.3], dtype=torch.float64)
    means = 3 * torch.randn(3, 4, generator=generator(1), dtype=torch.float64)
    return weights, means, random_covariances(3, 4)


def reference(moments):
    weights, means, covariances = moments
    return MixtureSameFamily(Categorical(weights), MultivariateNormal(means, covariances))


def test_standard_normal_density_and_exact_rate():
    prior = StandardNormal(5)
    z = torch.randn(7, 5, generator=generator())
    expected = MultivariateNormal(torch.zeros(5), torch.eye(5)).log_prob(z)
    torch.testing.assert_close(prior.log_prob(z), expected)
    posterior = Diagonal(torch.randn(7, 5, generator=generator(1)), torch.full((7, 5), 0.3))
    torch.testing.assert_close(prior.rate(posterior, z), posterior.kl_standard_normal())


def test_mixture_density_is_that_of_torch_distributions(moments):
    prior = GaussianMixturePrior.from_moments(*moments).double()
    z = 3 * torch.randn(50, 4, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(prior.log_prob(z), reference(moments).log_prob(z), rtol=1e-4, atol=1e-4)


def test_diagonal_mixture_density_is_that_of_torch_distributions():
    prior = GaussianMixturePrior(4, 3, covariance="diagonal", generator=generator(2)).double()
    with torch.no_grad():
        prior.log_scales.normal_(generator=generator(5))
        prior.logits.normal_(generator=generator(6))
    components = Independent(Normal(prior.means, prior.log_scales.exp()), 1)
    expected = MixtureSameFamily(Categorical(prior.weights), components)
    z = torch.randn(50, 4, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(prior.log_prob(z), expected.log_prob(z))


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_mixture_samples_have_the_moments_of_the_mixture(moments, covariance):
    weights, means, covariances = moments
    if covariance == "diagonal":
        covariances = torch.diag_embed(covariances.diagonal(dim1=1, dim2=2))
    full = GaussianMixturePrior.from_moments(weights, means, covariances)
    prior = full
    if covariance == "diagonal":
        prior = GaussianMixturePrior(4, 3, covariance="diagonal")
        prior.load_state_dict({k: v for k, v in full.state_dict().items() if k != "shears"})
    drawn = prior.sample(60_000, random(7)).double()
    mean = weights @ means
    second = torch.einsum("k,kij->ij", weights, covariances + means[:, :, None] * means[:, None, :])
    torch.testing.assert_close(drawn.mean(dim=0), mean, rtol=0, atol=0.06)
    expected = second - torch.outer(mean, mean)
    assert (torch.cov(drawn.T) - expected).abs().max() < 0.03 * expected.abs().max()


def test_responsibilities_are_bayes_rule(moments):
    prior = GaussianMixturePrior.from_moments(*moments).double()
    z = 2 * torch.randn(20, 4, generator=generator(), dtype=torch.float64)
    weights, means, covariances = moments
    joint = weights * MultivariateNormal(means, covariances).log_prob(z[:, None, :]).exp()
    expected = joint / joint.sum(dim=1, keepdim=True)
    torch.testing.assert_close(prior.responsibilities(z), expected, rtol=1e-3, atol=1e-5)


def test_mixture_survives_its_own_state_and_leaves_the_global_generator_alone(moments):
    prior = GaussianMixturePrior.from_moments(*moments)
    before = torch.random.get_rng_state()
    restored = GaussianMixturePrior.from_state(prior.state_dict())
    assert torch.equal(torch.random.get_rng_state(), before)
    z = torch.randn(9, 4, generator=generator())
    assert torch.equal(restored.log_prob(z), prior.log_prob(z))
    flat = GaussianMixturePrior(2, 5, covariance="diagonal")
    assert GaussianMixturePrior.from_state(flat.state_dict()).covariance == "diagonal"


@pytest.mark.parametrize("make", [lambda: StandardNormal(3), lambda: GaussianMixturePrior(3, 4)])
def test_same_seed_same_sample(make):
    prior = make()
    assert torch.equal(prior.sample(11, random(4)), prior.sample(11, random(4)))
    assert not torch.equal(prior.sample(11, random(4)), prior.sample(11, random(5)))


def test_sampled_rate_is_an_unbiased_kl():
    """With a mixture whose components are all N(0, I), the mean sampled rate is the closed-form KL."""
    prior = GaussianMixturePrior(3, 4, spread=0.0)
    posterior = Diagonal(torch.full((200_000, 3), 0.7), torch.full((200_000, 3), 0.4))
    z = posterior.distribution.sample()
    z = posterior.mean + posterior.scale * torch.randn(z.shape, generator=generator(8))
    sampled = prior.rate(posterior, z).mean()
    torch.testing.assert_close(sampled, posterior.kl_standard_normal()[0], rtol=0.01, atol=0)


def test_vampprior_is_the_mixture_of_its_posteriors_and_teaches_the_encoder():
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 4)

    def encode(x):
        mean, raw = network(x).chunk(2, dim=1)
        return Diagonal(mean, raw.exp())

    prior = VampPrior(2, 6, (3,), generator=generator())
    prior.bind(encode)
    z = torch.randn(8, 2, generator=generator(1))
    posterior = encode(prior.pseudo_inputs)
    expected = MixtureSameFamily(Categorical(torch.full((6,), 1 / 6)), posterior.distribution).log_prob(z)
    torch.testing.assert_close(prior.log_prob(z), expected)
    prior.log_prob(z).sum().backward()
    assert network.weight.grad.abs().sum() > 0
    assert prior.pseudo_inputs.grad.abs().sum() > 0
    assert not any("weight" in name for name, _ in prior.named_parameters())
    drawn = prior.sample(40_000, random(2))
    torch.testing.assert_close(drawn.mean(dim=0), posterior.mean.mean(dim=0), rtol=0, atol=0.06)


def test_fit_recovers_a_mixture_and_its_number_of_components():
    means = torch.tensor([[-4.0, 0.0], [4.0, 1.0], [0.0, 60.0]])
    truth = GaussianMixturePrior.from_moments(
        torch.tensor([0.2, 0.3, 0.5]), means, random_covariances(3, 2, seed=9)
    )
    latents = truth.sample(4000, random(3)) * 10 + 5  # far from unit scale: the fit standardises
    fitted = fit_gaussian_mixture(latents, candidates=(1, 2, 3), seed=1)
    assert fitted.components == 3
    fresh = truth.sample(4000, random(4))
    ours = fitted.log_prob(fresh * 10 + 5).mean() + 2 * math.log(10)
    assert abs(ours - truth.log_prob(fresh).mean()) < 0.03


def test_held_out_scores_are_log_densities_in_the_units_given():
    latents = 100 * torch.randn(20_000, 2, generator=generator())
    scores = score_components(latents, candidates=(1,), seed=0)
    expected = -(math.log(2 * math.pi) + 1 + 2 * math.log(100))
    assert abs(scores[1] - expected) < 0.05


def test_fit_refuses_what_has_no_density():
    with pytest.raises(DataError, match="too few"):
        fit_gaussian_mixture(torch.zeros(5, 4))
    with pytest.raises(DataError, match="finite"):
        fit_gaussian_mixture(torch.full((50, 2), float("nan")))


def classes_apart(seed: int, counts: tuple[int, ...] = (600, 500, 40, 4)) -> tuple[torch.Tensor, np.ndarray]:
    """Points (N, 3) of several classes, the first of which lies in two places, and their classes as (N, 4)."""
    draws = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(counts)), counts)
    points = 0.5 * draws.standard_normal((len(classes), 3)) * (1 + classes[:, None]) + 6 * classes[:, None]
    points[: counts[0] // 2, 1] += 20
    return torch.from_numpy(points).float(), np.eye(len(counts))[classes]


def test_each_class_has_components_of_its_own():
    points, classes = classes_apart(0)
    mixture, owners = fit_class_mixture(points, classes, candidates=(1, 2), seed=0)
    counts = owners.sum(axis=0)
    assert counts[[0, 2, 3]].tolist() == [2, 1, 0]  # four are too few
    weights = mixture.weights.detach().double().numpy()
    shares = [weights[owners[:, kind] == 1].sum() for kind in range(4)]
    np.testing.assert_allclose(shares, [600 / 1140, 500 / 1140, 40 / 1140, 0], atol=1e-6)
    for kind in (0, 1, 2):
        mine = np.flatnonzero(owners[:, kind])
        own = weights[mine] / weights[mine].sum()
        mean = own @ mixture.means[mine].detach().double().numpy()
        np.testing.assert_allclose(mean, points[classes[:, kind] == 1].mean(0), atol=0.05)


def test_few_examples_borrow_the_covariance_of_all():
    points = torch.randn(900, 6, generator=generator())
    points[:890] *= 5
    classes = np.eye(2)[np.repeat([0, 1], (890, 10))]
    mixture, owners = fit_class_mixture(points, classes, candidates=(1,), seed=0)
    (small,) = np.flatnonzero(owners[:, 1])
    own, many = (part.double().var(0, unbiased=False).numpy() for part in (points[890:], points[:890]))
    common = (890 * many + 10 * own) / 900
    spread = mixture.draws().covariance(int(small)).diagonal()
    np.testing.assert_allclose(spread, (10 * own + 6 * common) / 16, rtol=1e-3)


def test_too_few_of_every_class_are_refused():
    points, classes = classes_apart(0, (9, 9, 9))
    with pytest.raises(DataError, match="no class has 10"):
        fit_class_mixture(points, classes)


@pytest.fixture(scope="module")
def clouds():
    """2,400 points of six flat clouds in nine dimensions: each is wide in two directions of its own."""
    draws = random(4)
    noise = draws.standard_normal((6, 400, 9)) * np.r_[2, 1, np.full(7, 0.2)]
    turns = np.linalg.qr(draws.standard_normal((6, 9, 9))).Q
    return torch.from_numpy((noise @ turns + 6 * draws.standard_normal((6, 1, 9))).reshape(-1, 9))


@pytest.fixture(scope="module")
def factors(clouds):
    return fit_factor_mixture(clouds, candidates=[6], rank=2)


def test_a_mixture_of_factors_has_the_density_of_its_covariances(factors, clouds):
    draws = factors.draws()
    covariances = torch.from_numpy(np.stack([draws.covariance(k) for k in range(6)]))
    of_components = MultivariateNormal(factors.means.double(), covariances)
    mixture = MixtureSameFamily(Categorical(logits=factors.logits.double()), of_components)
    points = clouds[::60]
    torch.testing.assert_close(factors.log_prob(points), mixture.log_prob(points), rtol=1e-4, atol=1e-4)
    scores = draws.component_log_prob(points.float().numpy())
    expected = (of_components.log_prob(points[:, None]) + factors.logits.double()).numpy()
    np.testing.assert_allclose(np.ptp(scores - expected, axis=1), 0, atol=1e-3)


def test_a_mixture_of_factors_draws_what_it_was_fitted_to(factors, clouds):
    samples = factors.sample(40_000, random(2)).numpy()
    np.testing.assert_allclose(samples.mean(axis=0), clouds.numpy().mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(samples.T), np.cov(clouds.numpy().T), atol=1.5)
    draws = factors.draws()
    owner = draws.most_responsible(samples[:5000])
    for k in range(6):
        own = samples[:5000][owner == k]
        np.testing.assert_allclose(np.cov(own.T), draws.covariance(k), atol=0.6)
        spread = np.linalg.eigvalsh(draws.covariance(k))[::-1]
        assert spread[1] > 2.5 * spread[2], "a cloud is wide in two directions and flat in all others"
    np.testing.assert_array_equal(factors.sample(5, random(2)).numpy(), samples[:5])


def test_a_mixture_of_factors_survives_its_own_state(factors, clouds):
    again = fitted_prior_of(factors.state_dict())
    assert (again.components, again.rank, again.latent) == (6, 2, 9)
    torch.testing.assert_close(again.log_prob(clouds[:9]), factors.log_prob(clouds[:9]))


def test_so_many_components_as_leave_each_enough_examples(clouds):
    assert fit_factor_mixture(clouds, candidates=[3, 30, 3000], rank=8).components == 30
    lonely = fit_factor_mixture(
        clouds[:40], candidates=[30], rank=50
    )  # some components have a single example
    assert (lonely.components, lonely.rank) == (30, 9)
    assert torch.isfinite(lonely.log_prob(clouds[:40])).all()
    with pytest.raises(DataError, match="too few"):
        fit_factor_mixture(clouds[:10], candidates=[2], rank=2)
