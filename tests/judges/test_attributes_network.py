"""The network that judges pictures: what it gives, what it has learnt, and that its trainer teaches."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.torch import load_file
from train_attribute_network import attribute_matrix, measure, train

import facette
from facette.data.attributes import AttributeTable
from facette.errors import DataError
from facette.judges.attributes import ATTRIBUTES, FEATURES, AttributeNetwork, extract, speaks_for
from facette.recipe import load_recipe


@pytest.fixture(scope="module")
def store():
    return facette.open_dataset("synthetic-faces:256", facette.load_recipe("faces64").input)


def test_it_gives_an_embedding_and_forty_logits_the_same_each_time(store):
    pictures = store.read(np.arange(5))
    seen = extract(pictures)
    assert seen.features.shape == (5, FEATURES)
    assert seen.logits.shape == (5, len(ATTRIBUTES)) == (5, 40)
    assert np.allclose(extract(pictures, batch=2).features, seen.features, atol=1e-4)
    assert extract(pictures[:0]).features.shape == (0, FEATURES)


def test_other_sizes_are_seen_as_the_picture_they_show(store):
    pictures = store.read(np.arange(20))
    doubled = pictures.repeat(2, axis=1).repeat(2, axis=2)
    seen, again = extract(pictures).features, extract(doubled).features
    own = np.linalg.norm(again - seen, axis=1)
    other = np.linalg.norm(again - np.roll(seen, 1, axis=0), axis=1)
    assert (own < 0.5 * other).all()


def test_it_knows_real_faces_it_never_saw(shared):
    faces = facette.open_dataset(
        shared / "celeba" / "faces128" / "valid", facette.load_recipe("faces64").input
    )
    rows = np.arange(400)
    logits = extract(faces.read(rows)).logits
    truth = np.stack([faces.attributes.column(n) for n in ATTRIBUTES], axis=1)[rows] > 0
    commoner = np.maximum(truth.mean(0), 1 - truth.mean(0)).mean()
    assert ((logits > 0) == truth).mean() > commoner + 0.07
    smiling = ATTRIBUTES.index("Smiling")
    assert ((logits[:, smiling] > 0) == truth[:, smiling]).mean() > 0.88


def test_its_trainer_teaches_what_can_be_seen(store, tmp_path):
    everything, known = np.arange(len(store)), store.attributes
    colours = store.read(everything).mean(axis=(1, 2))  # (N, 3)
    warm = colours[:, 0] - colours[:, 2]
    visible = np.where(warm > np.median(warm), 1, -1)
    values = np.repeat(visible[:, None], len(ATTRIBUTES), axis=1).astype(np.int8)
    store.attributes = AttributeTable(ATTRIBUTES, values)
    try:
        out = tmp_path / "network.safetensors"
        report = train(store, out, epochs=2, batch=8, lr=1e-3)
        network = AttributeNetwork()
        network.load_state_dict({n: t.float() for n, t in load_file(out).items()})
        found = measure(network, store, everything, attribute_matrix(store))
    finally:
        store.attributes = known
    assert json.loads(out.with_suffix(".json").read_text()) == report
    assert 1 <= report["epoch"] <= 2
    assert found["auc"] > 0.9


def test_forty_attributes_are_asked_for(store):
    with pytest.raises(DataError, match="have no attribute '5_o_Clock_Shadow'"):
        train(store, "nowhere")


def test_it_speaks_for_faces_in_a_frame_and_is_silent_elsewhere():
    """What cards say of that is tested with the bundled model, on faces, and in test_card.py, on drawn pictures."""
    assert speaks_for(load_recipe("faces64").input)
    assert not speaks_for(load_recipe("quick").input)
    assert not speaks_for(load_recipe("mixture3d").input)
