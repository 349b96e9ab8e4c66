"""One model with an embedding for the whole room, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def tiny(tiny_diffusion: Path) -> Path:
    return tiny_diffusion


@pytest.fixture(scope="session")
def embedding():
    """What similarity means among drawn faces."""
    from facette.data.synthetic import draw_faces
    from facette.judges.attributes import extract
    from facette.judges.similarity import fit_embedding

    return fit_embedding(extract(draw_faces(240, 64, seed=9).pictures).features)


@pytest.fixture(scope="session")
def gauged(quick_model, embedding, tmp_path_factory) -> Path:
    """The folder of the quick model with that embedding in it."""
    from dataclasses import replace

    from facette.checkpoint.native import save_model

    model = replace(quick_model, extras={**quick_model.extras, **embedding.extras()})
    return save_model(model, tmp_path_factory.mktemp("gauged") / "quick")


@pytest.fixture(scope="session")
def large() -> np.ndarray:
    """A drawn face at four times the quick model's size."""
    from facette.data.synthetic import draw_faces

    return draw_faces(1, 128, seed=3).pictures[0]


@pytest.fixture(scope="session")
def photo_file(large, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "anna.png"
    Image.fromarray(large).save(path)
    return path
