"""Laws of noise in the shape of all faces: what a turn keeps, and where it ends."""

import math

import pytest
import torch

from facette.errors import UsageError
from facette.latent import reconstruct, vary
from facette.latent.shell import Shell, measure_shell
from facette.latent.vary import variation_noise, variation_seeds
from facette.model.posterior import DiagonalGaussian

LATENT = 12


@pytest.fixture(scope="module")
def posterior() -> DiagonalGaussian:
    draws = torch.Generator().manual_seed(3)
    mixing = torch.randn(LATENT, LATENT, generator=draws, dtype=torch.float64)
    mean = torch.randn(4000, LATENT, generator=draws, dtype=torch.float64) @ mixing.T + 2
    return DiagonalGaussian(mean.float(), torch.full((4000, LATENT), 0.3))


@pytest.fixture(scope="module")
def shell(posterior) -> Shell:
    mean, root = measure_shell(posterior).values()
    return Shell(mean.double(), root.double())


def test_the_aggregate_has_the_moments_of_all_draws(posterior, shell):
    draws = posterior.mean + posterior.scale * torch.randn(
        posterior.mean.shape, generator=torch.Generator().manual_seed(1)
    )
    covariance = torch.cov(draws.double().T)
    assert (shell.root @ shell.root.T - covariance).norm() < 0.02 * covariance.norm()
    assert shell.radius(draws).square().mean().item() == pytest.approx(LATENT, rel=0.03)


def test_a_turn_keeps_the_radius_at_every_angle(posterior, shell):
    z, noise = posterior.mean[:1], torch.from_numpy(variation_noise(variation_seeds(0, 20), LATENT))
    before = shell.radius(z)
    for angle in (0.1, 0.7, 1.5, math.pi / 2, 3.0):
        torch.testing.assert_close(
            shell.radius(shell.turned(z, noise, angle)), before.expand(20), rtol=1e-5, atol=0
        )


def test_the_angle_is_the_angle(posterior, shell):
    z, noise = posterior.mean[:1].double(), torch.from_numpy(variation_noise(variation_seeds(0, 9), LATENT))
    white = torch.linalg.solve_triangular(shell.root, (z - shell.mean).T, upper=False).T
    for angle in (0.2, 1.1):
        turned = torch.linalg.solve_triangular(
            shell.root, (shell.turned(z, noise, angle) - shell.mean).T, upper=False
        ).T
        cosines = torch.nn.functional.cosine_similarity(turned, white)
        torch.testing.assert_close(cosines, torch.full((9,), math.cos(angle), dtype=torch.float64))


def test_no_turn_is_the_latent_to_the_last_bit(posterior, shell):
    z = posterior.mean[7:8]
    assert torch.equal(
        shell.turned(z, torch.from_numpy(variation_noise((1, 2, 3), LATENT)), 0.0), z.expand(3, LATENT)
    )


def test_a_quarter_turn_of_random_latents_is_distributed_as_they_are(posterior, shell):
    many = posterior.mean[:1500]
    noise = torch.from_numpy(variation_noise(variation_seeds(2, 1500), LATENT))
    turned = torch.cat(
        [shell.turned(z[None], one[None], math.pi / 3) for z, one in zip(many, noise, strict=True)]
    )
    before, after = torch.cov(many.double().T), torch.cov(turned.double().T)
    assert (before - after).norm() < 0.12 * before.norm()


def test_the_same_factor_takes_the_step_of_the_posterior(posterior, shell):
    scale = posterior.scale[:1]
    noise = torch.from_numpy(variation_noise(variation_seeds(0, 4000), LATENT))
    steps = shell.radius(shell.mean + scale * noise).square().mean().sqrt() / math.sqrt(LATENT)
    assert shell.step(scale) == pytest.approx(float(steps), rel=0.03)


def test_factor_zero_is_the_reconstruction_with_either_noise(calibrated, drawn_faces):
    import facette

    model = facette.load(calibrated)
    kept = reconstruct(model, drawn_faces[0]).pictures[0]
    for noise in ("posterior", "aggregate"):
        assert (vary(model, drawn_faces[0], 3, 0, noise=noise, details="model").pictures == kept).all()


def test_aggregate_noise_makes_each_variation_again_by_its_seed(calibrated, drawn_faces):
    import facette

    model = facette.load(calibrated)
    made = vary(model, drawn_faces[0], count=3, diversity=6, noise="aggregate", seed=8)
    alone = vary(model, drawn_faces[0], count=1, diversity=6, noise="aggregate", seed=made.seeds[2])
    assert (alone.pictures[0] == made.pictures[2]).all()
    assert made.settings()["noise"] == "aggregate"
    assert (made.pictures[0] != vary(model, drawn_faces[0], count=1, diversity=6, seed=8).pictures[0]).any()


def test_a_model_that_was_not_calibrated_says_so(quick_model, drawn_faces):
    with pytest.raises(UsageError, match="facette calibrate"):
        vary(quick_model, drawn_faces[0, ::2, ::2], count=1, noise="aggregate")


def test_one_latent_has_nowhere_to_turn():
    with pytest.raises(UsageError, match="2 latents"):
        measure_shell(DiagonalGaussian(torch.zeros(5, 1), torch.ones(5, 1)))
