"""The frame regressor says the same through onnxruntime and through torch."""

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
    photo = Image.open(Path(skimage.__path__[0]) / "data" / "astronaut.png").convert("RGB")
    return photo.crop((60, 0, 380, 300))


def test_in_a_group_everybody_is_looked_for(portrait):
    group = Image.new("RGB", (700, 420), (70, 90, 110))
    group.paste(portrait, (10, 50))
    group.paste(portrait.resize((288, 270)), (380, 70))
    assert len(find.find_faces(group)) == 2
