"""Laws of the noise: what a seed gives, in which directions people differ, and what relatives keep."""

from dataclasses import replace

import numpy as np
import pytest

import facette
from facette.data.attributes import AttributeTable
from facette.errors import DataError, UsageError
from facette.latent.noise import PREFIX, PeopleNoise, knows_people, normal_draws, people_noise, ways_to_differ
from facette.latent.people import KEPT, NAMED, WEIGHT, measure_people

SEEDS = (3, 0, 2**62)


@pytest.fixture(scope="module")
def noise() -> PeopleNoise:
    basis = np.random.default_rng(0).standard_normal((9, 7))
    return PeopleNoise(basis, (("light", 5), ("hair", 2)))


@pytest.fixture(scope="module")
def labelled(quick_model):
    """Means of 400 people, and labels that follow two of their latents; half of the names are known parts."""
    draws = np.random.default_rng(5)
    means = draws.standard_normal((400, quick_model.latent)) @ np.diag(
        np.linspace(1, 0.2, quick_model.latent)
    )
    names = ("Smiling", "Young", "Black_Hair", "Big_Nose", "Eyeglasses")
    values = np.stack([np.where(means[:, i] > 0, 1, -1) for i in range(5)], axis=1).astype(np.int8)
    return means, AttributeTable(names, values)


def test_a_seed_gives_the_same_draw_whoever_is_drawn_beside_it(noise):
    together = noise.draws(SEEDS)
    for place, seed in enumerate(SEEDS):
        assert (noise.draws([seed])[0] == together[place]).all()
    assert (normal_draws(SEEDS, 4) == normal_draws(SEEDS, 9)[:, :4]).all()


def test_every_seed_goes_equally_far_in_every_part(noise):
    draws = noise.draws(range(50))
    assert np.linalg.norm(draws[:, :5], axis=1) == pytest.approx(np.sqrt(5))
    assert np.linalg.norm(draws[:, 5:], axis=1) == pytest.approx(np.sqrt(2))
    assert np.abs(draws.mean(axis=0)).max() < 0.6


def test_ways_to_differ_are_unit_vectors_in_which_parts_count_alike(noise):
    ways = ways_to_differ(range(20), noise, latents=9)
    assert np.linalg.norm(ways, axis=1) == pytest.approx(1)
    assert np.linalg.norm(ways[:, :5], axis=1) == pytest.approx(np.sqrt(0.5))
    assert np.linalg.norm(ways_to_differ(range(20), None, latents=9), axis=1) == pytest.approx(1)


def test_steps_have_the_variance_of_people_in_each_direction(quick_model, labelled):
    means, labels = labelled
    model = replace(quick_model, extras=measure_people(quick_model, means, labels))
    shape = people_noise(model)
    assert dict(shape.parts).keys() <= {"light", *NAMED}
    inverse = np.linalg.pinv(np.cov(means.T))
    start = 0
    for name, size in shape.parts:
        columns = shape.basis[:, start : start + size]
        # RRᵀ is the covariance of people: directions are weights in its metric, up to half precision
        gram = columns.T @ inverse @ columns
        assert gram == pytest.approx(WEIGHT[name] ** 2 * np.eye(size), abs=5e-3)
        start += size


def test_relatives_keep_what_is_kept(quick_model, labelled):
    means, labels = labelled
    shape = people_noise(replace(quick_model, extras=measure_people(quick_model, means, labels)))
    assert "Eyeglasses" in KEPT
    has = labels.column("Eyeglasses") > 0
    difference = means[has].mean(axis=0) - means[~has].mean(axis=0)
    score = np.linalg.solve(np.cov(means.T), difference)
    steps = shape.steps(range(40)) @ score
    others = PeopleNoise(np.linalg.cholesky(np.cov(means.T)), (("rest", means.shape[1]),)).steps(range(40))
    assert np.abs(steps).max() < 0.02 * np.abs(others @ score).mean()


def test_unlabelled_people_differ_along_their_widest_directions(quick_model, labelled):
    means, _ = labelled
    parts = people_noise(replace(quick_model, extras=measure_people(quick_model, means))).parts
    assert [name for name, _ in parts] == ["light", "rest"]


def test_it_survives_the_model_file(quick_model, labelled, tmp_path):
    means, labels = labelled
    model = replace(quick_model, extras=measure_people(quick_model, means, labels))
    read = facette.load(facette.save(model, tmp_path / "model"))
    assert (people_noise(read).basis == people_noise(model).basis).all()
    assert sum(t.numel() * t.element_size() for n, t in read.extras.items() if n.startswith(PREFIX)) < 200_000


def test_a_model_without_it_says_what_to_do(quick_model):
    bare = replace(quick_model, extras={})
    assert not knows_people(bare)
    with pytest.raises(UsageError, match="how people differ"):
        people_noise(bare)


def test_one_picture_differs_from_nobody(quick_model):
    with pytest.raises(DataError, match="at least 2 pictures, there is 1"):
        measure_people(quick_model, np.zeros((1, quick_model.latent)))
