"""The picture measures against closed forms and against scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facette.errors import UsageError
from facette.measures.reconstruction import (
    ms_ssim,
    mse,
    psnr,
    sharpness,
    sharpness_ratio,
    ssim,
    unexplained_variance,
)


@pytest.fixture(scope="module")
def photos():
    """Six real crops of 40 × 40 px that scikit-image brings along."""
    skimage = pytest.importorskip("skimage.data", reason="scikit-image is a development dependency")
    picture = skimage.astronaut() / 255.0
    return np.stack([picture[top : top + 160 : 4, 40:200:4] for top in (0, 20, 40, 80, 160, 300)])


def noisy(photos, amount, seed=0):
    return np.clip(photos + amount * np.random.default_rng(seed).standard_normal(photos.shape), 0, 1)


def blurred(photos, sigma):
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(photos, (0, sigma, sigma, 0))


def test_mse_of_a_constant_shift_is_its_square():
    real = np.full((3, 5, 5, 3), 0.5)
    np.testing.assert_allclose(
        mse(real, real + np.array([0.0, 0.1, 0.2])[:, None, None, None]), [0, 0.01, 0.04]
    )


def test_psnr_of_a_tenth_is_twenty_decibels():
    real = np.zeros((1, 4, 4, 3))
    np.testing.assert_allclose(psnr(real, real + 0.1), 20)
    assert np.isinf(psnr(real, real)).all()


def test_psnr_agrees_with_scikit_image(photos):
    from skimage.metrics import peak_signal_noise_ratio

    made = noisy(photos, 0.1)
    expected = [peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(photos, made, strict=True)]
    np.testing.assert_allclose(psnr(photos, made), expected)


@pytest.fixture(scope="module")
def faces():
    """Four drawn faces of 64 px."""
    from facette.data.synthetic import draw_faces

    return draw_faces(4, 64, seed=0).pictures / 255.0


@pytest.mark.parametrize("amount", [0.01, 0.1, 0.5])
def test_ms_ssim_agrees_with_pytorch_msssim(faces, amount):
    reference = pytest.importorskip("pytorch_msssim", reason="pytorch-msssim is a development dependency")
    import torch

    made = noisy(faces, amount)
    first, second = (torch.from_numpy(values).permute(0, 3, 1, 2) for values in (faces, made))
    expected = reference.ms_ssim(first, second, data_range=1.0, size_average=False, win_size=3)
    np.testing.assert_allclose(
        ms_ssim(faces, made), expected.numpy(), atol=2e-5
    )  # its window is rounded to float32


def test_ms_ssim_is_one_for_the_same_and_falls_with_noise_at_any_side(faces):
    odd = faces[:, :63, :51]
    np.testing.assert_allclose(ms_ssim(odd, odd), 1)
    values = [ms_ssim(odd, noisy(odd, amount)).mean() for amount in (0.02, 0.1, 0.4)]
    assert 1 > values[0] > values[1] > values[2] > 0
    assert (ms_ssim(odd, 1 - odd) == 0).all()


def test_ms_ssim_needs_five_scales():
    small = np.zeros((1, 47, 64, 3))
    with pytest.raises(UsageError, match="at least 48"):
        ms_ssim(small, small)


@pytest.mark.parametrize("amount", [0.02, 0.3])
def test_ssim_agrees_with_scikit_image(photos, amount):
    from skimage.metrics import structural_similarity

    made = blurred(noisy(photos, amount), 0.7)
    expected = [
        structural_similarity(
            a,
            b,
            data_range=1.0,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(photos, made, strict=True)
    ]
    np.testing.assert_allclose(ssim(photos, made), expected, atol=1e-10)


def test_ssim_of_a_picture_with_itself_is_one(photos):
    np.testing.assert_allclose(ssim(photos, photos), 1)
    assert (ssim(photos, 1 - photos) < 0.5).all()


def test_unexplained_variance_is_zero_for_the_truth_and_one_for_the_mean(photos):
    assert unexplained_variance(photos, photos) == 0
    mean = np.broadcast_to(photos.mean(axis=0), photos.shape)
    assert unexplained_variance(photos, mean) == pytest.approx(1)


def test_unexplained_variance_is_one_minus_r_squared(photos):
    from sklearn.metrics import r2_score

    made = noisy(photos, 0.2)
    flat = photos.reshape(len(photos), -1), made.reshape(len(photos), -1)
    expected = 1 - r2_score(*flat, multioutput="variance_weighted")
    assert unexplained_variance(photos, made) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_unexplained_variance_has_no_unit(scale, shift):
    generator = np.random.default_rng(0)
    real, made = generator.random((2, 4, 6))
    expected = unexplained_variance(real, made)
    assert unexplained_variance(scale * real + shift, scale * made + shift) == pytest.approx(
        expected, rel=1e-6
    )


def test_sharpness_is_the_variance_of_scipys_laplacian(photos):
    from scipy.ndimage import laplace

    grey = photos @ [0.299, 0.587, 0.114]
    expected = [laplace(one)[1:-1, 1:-1].var() for one in grey]
    np.testing.assert_allclose(sharpness(photos), expected)


def test_sharpness_falls_with_blur_and_is_nothing_for_a_ramp(photos):
    ratios = [sharpness_ratio(photos, blurred(photos, sigma)) for sigma in (0.0, 0.5, 1.0, 2.0)]
    assert ratios[0] == pytest.approx(1)
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 0.05
    ramp = np.broadcast_to(np.linspace(0, 1, 20)[None, :, None, None], (1, 20, 20, 3))
    assert sharpness(ramp)[0] == pytest.approx(0, abs=1e-20)


def test_sharpness_compares_sets_of_different_length(photos):
    assert sharpness_ratio(photos, np.repeat(photos, 2, axis=0)) == pytest.approx(1)


@pytest.mark.parametrize("measure", [mse, psnr, unexplained_variance, ssim])
def test_bytes_and_unequal_shapes_are_refused(measure):
    real = np.zeros((2, 16, 16, 3))
    with pytest.raises(UsageError, match="divide uint8 pictures by 255"):
        measure(real.astype(np.uint8), real.astype(np.uint8))
    with pytest.raises(UsageError, match="agree in shape"):
        measure(real, real[:1])


def test_what_cannot_be_measured_is_said():
    flat = np.full((2, 16, 16, 3), 0.3)
    with pytest.raises(UsageError, match="no variance to explain"):
        unexplained_variance(flat, flat)
    with pytest.raises(UsageError, match="at least 2"):
        unexplained_variance(flat[:1], flat[:1])
    with pytest.raises(UsageError, match="perfectly flat"):
        sharpness_ratio(flat, flat)
    with pytest.raises(UsageError, match="at least 11"):
        ssim(flat[:, :10], flat[:, :10])
