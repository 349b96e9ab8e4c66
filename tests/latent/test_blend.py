"""Laws of averages and arithmetic of faces."""

import numpy as np
import pytest

import facette
from facette.errors import UsageError
from facette.images.sheets.grid import read_metadata
from facette.latent import blend, reconstruct


@pytest.fixture(scope="module")
def photos(quick_model):
    store = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    return store.read(np.array([5, 17, 40]))


@pytest.fixture(scope="module")
def means(quick_model, photos):
    return quick_model.encode(photos).mean.numpy()


def test_a_blend_is_the_weighted_mean(quick_model, photos, means):
    made = blend(quick_model, *photos, weights=(1, 1, 2))
    np.testing.assert_allclose(
        made.latents[0], (means[0] + means[1] + 2 * means[2]) / 4, rtol=1e-5, atol=1e-6
    )
    assert made.shares == (0.25, 0.25, 0.5)
    plain = blend(quick_model, *photos)
    np.testing.assert_allclose(plain.latents[0], means.mean(0), rtol=1e-5, atol=1e-6)


def test_weights_count_only_by_their_ratio(quick_model, photos):
    assert (
        blend(quick_model, *photos, weights=(1, 1, 2)).pictures
        == blend(quick_model, *photos, weights=(0.5, 0.5, 1)).pictures
    ).all()


def test_negative_weights_take_away(quick_model, photos, means):
    made = blend(quick_model, *photos, weights=(1, -1, 1))
    np.testing.assert_allclose(made.latents[0], means[0] - means[1] + means[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("norm_corrected", [False, True])
def test_all_the_weight_on_one_photo_is_that_photo(quick_model, photos, norm_corrected):
    weights = {"weights": (0, 1, 0), "norm_corrected": norm_corrected}
    kept = reconstruct(quick_model, photos[1]).pictures[0]
    for details, whole in (("photo", photos[1]), ("model", kept)):
        made = blend(quick_model, *photos, **weights, details=details)
        assert np.abs(made.pictures[0].astype(int) - whole).max() <= (1 if norm_corrected else 0)


def test_a_blend_is_the_mean_photo_changed_as_the_drawings_change(quick_model, photos, means):
    """Σ w x + D(z) − Σ w D(μ), clipped once."""
    shares = np.array([0.5, -0.25, 0.75], np.float32)
    made = blend(quick_model, *photos, weights=shares.tolist())
    drawn = quick_model.decode_mean(means).transpose(0, 2, 3, 1) / 2 + 0.5
    after = quick_model.decode_mean(shares[None] @ means)[0].transpose(1, 2, 0) / 2 + 0.5
    wished = np.tensordot(shares, photos / 255 - drawn, 1) + after
    assert quick_model.input.range == "symmetric"
    assert np.abs(np.clip(wished, 0, 1) * 255 - made.pictures[0]).max() < 1


def test_norm_correction_gives_the_length_of_the_photos(quick_model, photos, means):
    made = blend(quick_model, *photos, weights=(1, -0.5, 1), norm_corrected=True)
    lengths = np.linalg.norm(means, axis=1)
    assert np.linalg.norm(made.latents) == pytest.approx(
        float((lengths[0] + 0.5 * lengths[1] + lengths[2]) / 2.5), 1e-5
    )
    plain = blend(quick_model, *photos, weights=(1, -0.5, 1))
    longer = np.linalg.norm(made.latents) / np.linalg.norm(plain.latents)
    np.testing.assert_allclose(made.latents, longer * plain.latents, rtol=1e-5, atol=1e-6)


def test_the_sheet_shows_every_photo_and_the_blend(quick_model, photos, tmp_path):
    made = blend(quick_model, *photos, weights=(1, 1, 2))
    assert len(made.sheet().tiles[0]) == 4
    assert read_metadata(made.save(tmp_path / "blend.png"))["weights"] == [1, 1, 2]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((1, 2), "2 weights for 3 photos"),
        ((1, -1, 0), "add up to nearly nothing"),
        ((1, -0.95, 0), "add up to nearly nothing"),
        ((0, 0, 0), "add up to nearly nothing"),
        ((1, float("inf"), 0), "finite numbers"),
    ],
)
def test_senseless_weights_are_refused_in_a_sentence(quick_model, photos, weights, words):
    with pytest.raises(UsageError, match=words):
        blend(quick_model, *photos, weights=weights)


def test_one_photo_is_no_blend(quick_model, photos):
    with pytest.raises(UsageError, match="at least 2 photos, got 1"):
        blend(quick_model, photos[0])
