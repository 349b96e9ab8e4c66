"""How typical a picture is for a model."""

import numpy as np
import pytest

from facette.errors import UsageError
from facette.latent.photo import take_photo
from facette.latent.typicality import measure_typicality
from facette.model.trained import TrainedModel


@pytest.fixture(scope="module")
def faces(quick_model):
    import facette

    return facette.open_dataset("synthetic-faces:256", quick_model.recipe.input).read(np.arange(120))


@pytest.fixture(scope="module")
def bare(quick_model) -> TrainedModel:
    """The model without anything to compare with."""
    return TrainedModel(quick_model.vae, quick_model.recipe)


@pytest.fixture(scope="module")
def measured(bare, faces) -> TrainedModel:
    """The model with what its file would carry."""
    return TrainedModel(bare.vae, bare.recipe, extras=measure_typicality(bare, faces))


def known(model: TrainedModel, picture: np.ndarray) -> dict | None:
    """What the photo's report says of it."""
    return take_photo(model, picture).report.typicality


def test_the_percentiles_of_the_validation_pictures_are_spread_evenly(measured, faces):
    reports = [known(measured, face) for face in faces]
    for figure in ("error_percentile", "norm_percentile"):
        assert sorted(report[figure] for report in reports) == pytest.approx(
            np.arange(120) / 120 * 100, abs=1
        )
    assert np.mean([report["warning"] is not None for report in reports]) <= 0.03


def test_noise_is_like_nothing_the_model_has_seen(measured, faces):
    noise = np.random.default_rng(0).integers(0, 256, faces.shape[1:], dtype=np.uint8)
    report = known(measured, noise)
    assert report["error_percentile"] == 100
    assert "has not seen anything like this" in report["warning"]


def test_what_is_stored_survives_the_model_file(measured, tmp_path, faces):
    import facette

    loaded = facette.load(facette.save(measured, tmp_path / "model"))
    assert known(loaded, faces[0]) == known(measured, faces[0])


def test_a_model_without_figures_says_nothing(bare, faces):
    assert known(bare, faces[0]) is None
    with pytest.raises(UsageError, match="at least 20"):
        measure_typicality(bare, faces[:19])
