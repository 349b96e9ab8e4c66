"""Laws of traversals: which direction comes first, and where each picture lies."""

import numpy as np
import pytest
import torch

import facette
from facette.errors import UsageError
from facette.latent import reconstruct, traverse
from facette.latent.cloud import encode_set, measure_cloud
from facette.latent.directions import direction_tensors, fit_directions


@pytest.fixture(scope="module")
def store(quick_model):
    return facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)


@pytest.fixture(scope="module")
def posterior(quick_model, store):
    return encode_set(quick_model, store.read, store.indices())


@pytest.fixture(scope="module")
def cloud(posterior):
    return measure_cloud(posterior)


def test_latents_come_by_what_they_cost(quick_model, posterior, cloud):
    made = traverse(quick_model, rows=5, steps=3, reach=2, cloud=cloud)
    rates = posterior.rate_per_dimension().mean(0)
    expected = [f"latent {place}" for place in rates.argsort(descending=True)[:5].tolist()]
    assert [row.name for row in made.rows] == expected
    assert made.rows[0].figure == pytest.approx(float(rates.max()), rel=1e-4)


def test_a_row_changes_one_latent_by_standard_deviations_of_the_data(quick_model, posterior, cloud):
    made = traverse(quick_model, rows=2, steps=3, reach=2, cloud=cloud)
    place = int(made.rows[1].name.split()[1])
    shift = made.latents[3:6] - cloud.mean
    assert made.strengths == (-2, 0, 2)
    expected = np.zeros((3, quick_model.latent))
    width = (posterior.mean[:, place].var(correction=0) + posterior.scale[:, place].square().mean()).sqrt()
    expected[:, place] = np.array([-2.0, 0.0, 2.0]) * float(width)
    np.testing.assert_allclose(shift, expected, atol=1e-5, rtol=1e-4)


def test_axes_are_the_principal_directions(quick_model, posterior, cloud):
    made = traverse(quick_model, along="axes", rows=2, steps=3, reach=1, cloud=cloud)
    first, second = (row.direction for row in made.rows)
    assert float(first @ second) == pytest.approx(0, abs=1e-9)
    length = np.linalg.norm(first)
    assert length >= np.linalg.norm(second)
    assert made.rows[0].figure == pytest.approx(length**2 / cloud.covariance.trace())
    draws = posterior.sample(torch.Generator().manual_seed(0)).double().numpy() - cloud.mean
    assert (draws @ (first / length)).std() == pytest.approx(length, rel=0.05)


@pytest.mark.parametrize("along", ["latents", "axes"])
def test_the_middle_of_each_row_is_the_photo_or_its_reconstruction(quick_model, store, cloud, along):
    photo = store.read(np.array([5]))[0]
    made = traverse(quick_model, photo, along=along, rows=3, steps=5, cloud=cloud)
    assert (made.pictures[2::5] == photo).all()
    made = traverse(quick_model, photo, along=along, rows=3, steps=5, cloud=cloud, details="model")
    kept = reconstruct(quick_model, photo).pictures[0]
    assert (made.pictures[2::5] == kept).all()
    sheet = made.sheet()
    assert [len(row) for row in sheet.tiles] == [5, 5, 5]
    assert sheet.photo is not None


def test_rows_carry_the_attribute_that_goes_with_them(quick_model, store, posterior, cloud):
    made = fit_directions(posterior, store.attributes.values, store.attributes.names)[0]
    tensors, figures = direction_tensors(made)
    quick_model.extras.update(tensors)
    quick_model.metrics.update(figures)
    try:
        rows = traverse(quick_model, along="axes", rows=16, steps=2).rows
    finally:
        for name in tensors:
            del quick_model.extras[name]
        del quick_model.metrics["directions"]
    named = [row for row in rows if row.attribute]
    assert named
    draws = torch.cat([posterior.sample(torch.Generator().manual_seed(s)) for s in range(50)])
    scores = made.scores(draws)
    for row in named:
        place = draws.double().numpy() @ np.linalg.solve(cloud.covariance, row.direction)
        correlation = np.corrcoef(place, scores[:, made.place(row.attribute)])[0, 1]
        assert float(correlation) == pytest.approx(row.correlation, abs=0.03)
        assert row.attribute.replace("_", " ") in row.label


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"along": "clouds"}, "unknown directions 'clouds'"),
        ({"rows": 0}, "number of rows"),
        ({"steps": 1}, "number of steps"),
        ({"reach": 0}, "above 0"),
    ],
)
def test_senseless_wishes_are_refused_in_a_sentence(quick_model, cloud, options, words):
    with pytest.raises(UsageError, match=words):
        traverse(quick_model, cloud=cloud, **options)


def test_without_any_data_it_says_what_to_do(quick_model):
    with pytest.raises(UsageError, match="attributes fit"):
        traverse(quick_model)
