"""Disentanglement where it is known: latents that are the factors, latents that mix them, latents that are noise."""

import numpy as np
import pytest

from facette.data.synthetic import FACTORS, draw_factors
from facette.errors import UsageError
from facette.measures.disentanglement import (
    disentanglement_and_completeness,
    factor_importance,
    factor_score,
    measure_disentanglement,
    mutual_information_gap,
)

COUNT = 1500
CHOSEN = ("skin_tone", "face_width", "hair_colour", "smile", "yaw", "glasses")


@pytest.fixture(scope="module")
def factors():
    """Six factors of drawn faces, two of them categories."""
    rows = np.array([face.row() for face in draw_factors(COUNT, seed=0)])
    names = [factor.name for factor in FACTORS]
    return rows[:, [names.index(name) for name in CHOSEN]]


CATEGORICAL = [name in ("hair_colour", "glasses") for name in CHOSEN]


def standardised(values):
    return (values - values.mean(axis=0)) / values.std(axis=0)


@pytest.fixture(scope="module")
def mixed(factors):
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    return standardised(factors) @ rotation


def test_latents_that_are_the_factors_score_highest(factors):
    found = measure_disentanglement(standardised(factors), factors, CATEGORICAL, seed=0)
    assert found.mutual_information_gap > 0.9
    assert found.disentanglement > 0.9
    assert found.completeness > 0.9
    assert found.informativeness > 0.95
    assert found.factor_score > 0.95


def test_mixing_the_same_latents_keeps_what_they_tell_and_loses_who_tells_it(factors, mixed):
    apart = measure_disentanglement(standardised(factors), factors, CATEGORICAL, seed=0)
    together = measure_disentanglement(mixed, factors, CATEGORICAL, seed=0)
    assert together.mutual_information_gap < 0.2 < 0.7 * apart.mutual_information_gap
    assert together.disentanglement < 0.5 * apart.disentanglement
    assert together.completeness < 0.5 * apart.completeness
    assert together.factor_score < 0.95 < apart.factor_score  # voting by majority forgives much
    assert together.informativeness > 0.4


def test_noise_tells_nothing(factors):
    noise = np.random.default_rng(1).standard_normal((COUNT, 6))
    found = measure_disentanglement(noise, factors, CATEGORICAL, seed=0)
    assert found.mutual_information_gap < 0.02
    assert found.disentanglement < 0.2
    assert found.informativeness < 0.03
    assert found.factor_score < 2 / len(CHOSEN)


def test_concentration_is_one_minus_the_entropy():
    assert disentanglement_and_completeness(np.eye(3)) == pytest.approx((1, 1))
    assert disentanglement_and_completeness(np.ones((4, 3))) == pytest.approx((0, 0))
    # One latent serves two of four factors alike (1 − ln 2 / ln 4), the other serves nobody.
    halves = np.array([[0.5, 0.5, 0, 0], [0, 0, 0, 0]])
    assert disentanglement_and_completeness(halves) == pytest.approx((0.5, 1))


def test_the_gap_of_known_information(factors):
    """Latent 0 is a coin, latent 1 the same coin told wrongly every tenth time."""
    coin = np.random.default_rng(0).integers(0, 2, 100_000)
    wrong = np.random.default_rng(1).random(len(coin)) < 0.1
    latents = np.stack([coin, np.where(wrong, 1 - coin, coin)], axis=1).astype(float)
    noise = 0.1 * np.log(10) + 0.9 * np.log(1 / 0.9)  # entropy of the mistake: what the second latent loses
    gap = mutual_information_gap(latents, coin[:, None], [True])
    assert gap == pytest.approx(noise / np.log(2), abs=0.01)


def test_a_dead_latent_has_no_vote(factors):
    """A constant latent varies least in every batch; it must not be the one that names every factor."""
    latents = np.concatenate([standardised(factors), 1e-6 * np.ones((COUNT, 1))], axis=1)
    assert factor_score(latents, factors, CATEGORICAL, seed=0) > 0.95


def test_the_importance_of_a_latent_is_the_share_it_has(factors):
    values = standardised(factors)
    importance, told = factor_importance(values, factors, CATEGORICAL, seed=0)
    np.testing.assert_allclose(importance.sum(axis=0), 1)
    assert (importance.argmax(axis=0) == np.arange(6)).all()
    assert told.shape == (6,)


def test_the_same_seed_gives_the_same_scores(factors, mixed):
    one, again = (factor_score(mixed, factors, CATEGORICAL, seed=3) for _ in range(2))
    assert one == again


def test_what_does_not_belong_together_is_refused(factors):
    with pytest.raises(UsageError, match="same data"):
        measure_disentanglement(factors[:300], factors, CATEGORICAL, seed=0)
    with pytest.raises(UsageError, match="at least 200"):
        measure_disentanglement(factors[:100], factors[:100], CATEGORICAL, seed=0)
