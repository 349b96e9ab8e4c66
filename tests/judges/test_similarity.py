"""Laws of similarity and realism, on embeddings whose distribution is known."""

import numpy as np
import pytest
import torch

from facette.errors import UsageError
from facette.judges.attributes import FEATURES
from facette.judges.similarity import embedding_of, embedding_spread, fit_embedding, similarity


@pytest.fixture(scope="module")
def mixing():
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(FEATURES, FEATURES)))[0]
    return directions * np.geomspace(5, 0.05, FEATURES)


@pytest.fixture(scope="module")
def faces(mixing):
    """3,000 embeddings of correlated, very unequal directions, far from the origin."""
    return (np.random.default_rng(1).normal(size=(3000, FEATURES)) @ mixing.T + 30).astype(np.float32)


@pytest.fixture(scope="module")
def embedding(faces):
    return fit_embedding(faces)


def fresh(mixing, count, seed):
    return (np.random.default_rng(seed).normal(size=(count, FEATURES)) @ mixing.T + 30).astype(np.float32)


def test_places_have_length_one_and_no_preferred_direction(embedding, mixing):
    places = embedding.place(fresh(mixing, 2000, 2))
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1)
    np.testing.assert_allclose(places.mean(0), 0, atol=0.02)
    variances = np.linalg.eigvalsh(np.cov(places.T)) * FEATURES
    assert variances.min() > 0.3
    assert variances.max() < 3


def test_one_pair_of_strangers_in_a_hundred_passes(embedding, mixing):
    first, second = (embedding.place(fresh(mixing, 20_000, seed)) for seed in (3, 4))
    passed = (np.einsum("nd,nd->n", first, second) > embedding.threshold).mean()
    assert passed == pytest.approx(0.01, abs=0.003)


def test_similarity_is_one_to_oneself_and_none_to_strangers(embedding, faces):
    places = embedding.place(faces[:500])
    assert similarity(places[3], places)[3] == pytest.approx(1)
    assert abs(similarity(places[3], places).mean()) < 0.02


def test_whitening_tells_people_apart_where_the_plain_cosine_cannot(embedding, faces, mixing):
    # The same people with a change in the smallest direction: alike; the raw cosine of strangers is near 1 as well.
    others = fresh(mixing, 200, 5)
    raw = (
        np.einsum("nd,nd->n", others, faces[:200])
        / np.linalg.norm(others, axis=1)
        / np.linalg.norm(faces[:200], axis=1)
    )
    assert raw.mean() > 0.5
    assert abs(np.einsum("nd,nd->n", embedding.place(others), embedding.place(faces[:200])).mean()) < 0.03


def test_real_faces_are_half_as_real_as_can_be_and_odd_ones_are_not(embedding, mixing):
    real = embedding.realism(embedding.place(fresh(mixing, 1500, 6)))
    assert real.mean() == pytest.approx(0.5, abs=0.05)
    assert real.min() >= 0
    assert real.max() <= 1
    # All faces lie in one half of the space here; what lies in the other is no face.
    tilted = np.abs(np.random.default_rng(7).normal(size=(900, FEATURES))).astype(np.float32)
    half = fit_embedding(tilted)
    outside = tilted.mean(0) - 3 * tilted.std(0) * np.sign(
        np.random.default_rng(8).normal(size=(50, FEATURES))
    )
    usual = half.realism(half.place(np.abs(np.random.default_rng(9).normal(size=(300, FEATURES)))))
    assert half.realism(half.place(outside)).mean() < usual.mean() - 0.1


def test_spread_counts_from_all_one_to_strangers(embedding, faces):
    places = embedding.place(faces[:400])
    assert embedding_spread(np.repeat(places[:1], 5, axis=0)) == pytest.approx(0)
    assert embedding_spread(places) == pytest.approx(1, abs=0.01)
    assert embedding_spread(np.eye(3, FEATURES)) == pytest.approx(
        1
    )  # every two apart; nobody is a pair with himself


def test_an_embedding_survives_the_model_file(embedding, faces, quick_model, tmp_path):
    import facette
    from facette.model.trained import TrainedModel

    model = TrainedModel(quick_model.vae, quick_model.recipe, extras=embedding.extras())
    read = embedding_of(facette.load(facette.save(model, tmp_path / "model")))
    assert read.threshold == embedding.threshold
    before, after = embedding.place(faces[:50]), read.place(faces[:50])
    np.testing.assert_allclose(before, after, atol=1e-3)
    np.testing.assert_allclose(embedding.realism(before), read.realism(after), atol=0.02)


def test_the_same_faces_give_the_same_embedding(faces, embedding):
    again = fit_embedding(faces)
    assert again.threshold == embedding.threshold
    assert all(torch.equal(one, again.extras()[name]) for name, one in embedding.extras().items())


def test_too_few_faces_and_uncalibrated_models_are_refused(faces, quick_model):
    with pytest.raises(UsageError, match="at least 200 pictures"):
        fit_embedding(faces[:199])
    with pytest.raises(UsageError, match="facette calibrate"):
        embedding_of(quick_model)
