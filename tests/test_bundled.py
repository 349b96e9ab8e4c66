"""The model that comes with the package: small enough, as good as its card says, and the same everywhere."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

import facette
from facette.checkpoint.native import WEIGHTS, find_model
from facette.cli.demo import find_photo
from facette.images.faces.align import intake


@pytest.fixture(scope="module")
def faces128():
    return facette.load("faces128")


@pytest.fixture(scope="module")
def astronaut(faces128):
    return intake(facette.open_image(find_photo("astronaut")).image, faces128.input).picture


def test_it_is_small_and_carries_its_card(faces128):
    path = find_model("faces128")
    together = sum(file.stat().st_size for file in path.parents[2].rglob("*.safetensors"))
    assert together <= 45_000_000  # of all weights in the package
    card = (path.parent / "README.md").read_text("utf-8")
    for part in ("facette train faces128", "non-commercial", "unexplained variance", "CelebA", "UTKFace"):
        assert part in card
    assert WEIGHTS in {p.name for p in path.parent.iterdir()}


def test_it_keeps_more_than_its_card_promises_of_a_face_it_never_saw(faces128, shared, monkeypatch):
    """And what the network of attributes sees alike stands on the card of a face model."""
    from facette.evaluation import evaluate

    monkeypatch.setattr("facette.evaluation.samples.LEAST_SAMPLES", 32)  # of samples nothing is said here
    monkeypatch.setattr(import_module("facette.evaluation.evaluate"), "SPREAD_PHOTOS", 1)
    store = facette.open_dataset(shared / "celeba" / "faces128" / "valid", faces128.input)
    found = evaluate(faces128, store, split="all", count=40, training_most=0, people="none")
    assert found.reconstruction.unexplained_variance.value <= 0.07
    assert found.latents.active == faces128.latent  # no dead rate
    assert found.bound.rate.value > 300
    assert 0.5 < found.reconstruction.cosine.value < 1
    assert 0.8 < found.reconstruction.attributes_kept.value <= 1
    assert found.identity is None  # no list says whose pictures they are


def test_it_recognises_the_astronaut(faces128, astronaut):
    again = facette.reconstruct(faces128.plain(), astronaut[None]).pictures[
        0
    ]  # what is drawn sharp is likely, not known
    error = np.square((again.astype(float) - astronaut) / 255).mean()
    assert 10 * np.log10(1 / error) > 22  # dB


def test_golden_numbers(faces128):
    """The stored weights give these everywhere; another value means another model or another road to it."""
    ramp = np.arange(128)
    colours = np.broadcast_arrays(2 * ramp[:, None], 2 * ramp, ramp[:, None] + ramp)
    posterior = faces128.encode(np.stack(colours, 2).astype(np.uint8)[None])
    assert posterior.mean[0, :4].tolist() == pytest.approx(GOLDEN_MEAN, abs=5e-3)
    assert posterior.scale.mean().item() == pytest.approx(GOLDEN_SIGMA, rel=5e-3)
    assert faces128.decode(posterior.mean).mean() == pytest.approx(GOLDEN_LEVEL, abs=0.1)
    assert faces128.sample_latents(2, seed=0)[:, 0].tolist() == pytest.approx(GOLDEN_SAMPLE, abs=5e-3)


def test_factor_zero_is_the_photo_and_the_spread_grows(faces128, astronaut):
    from facette.measures.diversity import spread

    rows = facette.sweep(faces128, astronaut, [0, 1, 4, 7, 10], count=6).rows
    assert all(np.array_equal(p, astronaut) for p in rows[0].pictures)
    spreads = [spread(row.pictures / 255) for row in rows]
    assert spreads == sorted(spreads)
    assert spreads[0] < spreads[1] < spreads[-1]


GOLDEN_MEAN = [1.036, -1.322, -1.043, 0.22]
GOLDEN_SIGMA = 0.1005
GOLDEN_LEVEL = 126.52
GOLDEN_SAMPLE = [-0.472, 0.2096]
