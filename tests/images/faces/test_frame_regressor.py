"""The frame regressor says the same through onnxruntime and through torch, and a large face is found sooner."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.images.faces import find, frame_regressor


def test_both_ways_of_computing_agree(monkeypatch):
    pytest.importorskip("onnxruntime")
    from safetensors.numpy import load

    patches = np.random.default_rng(0).integers(0, 256, (7, 64, 64), dtype=np.uint8)
    places, logits = frame_regressor.estimate(patches)
    weights = load(files("facette.images.faces").joinpath("weights", frame_regressor.WEIGHTS).read_bytes())
    by_torch = frame_regressor._by_torch(weights)
    monkeypatch.setattr(frame_regressor, "_shipped", lambda: by_torch)
    known_places, known_logits = frame_regressor.estimate(patches)
    np.testing.assert_allclose(places, known_places, atol=1e-5)
    np.testing.assert_allclose(logits, known_logits, atol=1e-4)


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    skimage = pytest.importorskip("skimage")
    pytest.importorskip("cv2")
    photo = Image.open(Path(skimage.__path__[0]) / "data" / "astronaut.png").convert("RGB")
    return photo.crop((60, 0, 380, 300))


def test_the_largest_face_is_the_same_however_it_is_looked_for(portrait):
    soon, known = find.find_largest(portrait), find.find_faces(portrait)
    assert len(soon) == 1
    distances = np.linalg.norm(np.subtract(soon[0].eyes, known[0].eyes), axis=1)
    assert distances.max() < 1.5 * known[0].scale  # pixels of the aligned frame


def test_a_face_alone_is_found_without_searching_the_whole(portrait, monkeypatch):
    searched = []
    real = find._by_cascade
    monkeypatch.setattr(find, "_by_cascade", lambda s, angles: searched.append(s.shape) or real(s, angles))
    find.find_largest(portrait)
    largest = max(max(shape) for shape in searched)
    searched.clear()
    find.find_faces(portrait)
    assert largest <= max(max(shape) for shape in searched) / min(find.COARSER)


def test_in_a_group_everybody_is_looked_for(portrait):
    group = Image.new("RGB", (700, 420), (70, 90, 110))
    group.paste(portrait, (10, 50))
    group.paste(portrait.resize((288, 270)), (380, 70))
    assert len(find.find_largest(group)) == len(find.find_faces(group)) == 2
