"""What an edit is worth: read from a model's file, asked for by name alone, and refused where it cannot be."""

from dataclasses import replace

import pytest

import facette
from facette.errors import UsageError
from facette.latent.cloud import encode_set
from facette.latent.directions import direction_tensors, fit_directions
from facette.latent.worth import SEEN, Worth, figures_of, known_worth, usual_strength, worth_rows, worth_table

GOOD, SELDOM, LOST = Worth(3.0, 0.9, 0.99, 60), Worth(8.0, 0.4, 1.0, 90), Worth(6.0, 0.85, 0.8, 50)


@pytest.fixture(scope="module")
def fitted_model(quick_model):
    """It knows the attributes of generated faces."""
    store = facette.open_dataset("synthetic-faces:96", quick_model.input)
    posterior = encode_set(quick_model, store.read, store.indices())
    directions = fit_directions(posterior, store.attributes.values, store.attributes.names)[0]
    tensors, figures = direction_tensors(directions)
    return replace(quick_model, extras=quick_model.extras | tensors, metrics=quick_model.metrics | figures)


@pytest.fixture
def model(fitted_model):
    worth = {"Smiling": {"raise": GOOD, "lower": LOST}, "Bangs": {"raise": SELDOM}}
    return replace(fitted_model, metrics=fitted_model.metrics | figures_of(worth, "200 photos"))


def test_what_is_written_is_read_again(model):
    worth = known_worth(model)
    assert worth["Smiling"] == {"raise": GOOD, "lower": LOST}
    assert worth["Bangs"] == {"raise": SELDOM}
    assert GOOD.offered
    assert replace(GOOD, seen=SEEN, same=None).offered
    assert not SELDOM.offered
    assert not LOST.offered


def test_how_far_to_go_is_what_was_measured(model, fitted_model):
    assert usual_strength(model, "Smiling", "raise") == 3
    for name, way, words in (
        ("Bangs", "raise", "at 8 it is seen in 40%"),
        ("Smiling", "lower", "only 80.0% stay the same person.*Smiling=-6"),
        ("Bangs", "lower", "nobody knows how far to lower Bangs"),
    ):
        with pytest.raises(UsageError, match=words):
            usual_strength(model, name, way)
    assert usual_strength(fitted_model, "Smiling", "lower") == -2  # nothing was measured there


def test_the_list_has_first_what_can_be_asked_for(model, fitted_model):
    rows = worth_rows(model)
    assert rows["measured"]
    assert rows["attributes"]["Smiling"]["raise"]["offered"]
    can, cannot = worth_table(worth_rows(model)).split("not offered")
    assert "Smiling " in can
    assert "Smiling=-" in cannot
    assert "Bangs" in cannot
    assert "not measured: " in worth_table(worth_rows(model))
    assert "facette attributes rate" in worth_table(worth_rows(fitted_model))
