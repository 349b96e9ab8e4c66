"""How close one set of pictures is to another: plain measures on arrays.

Enters: two float arrays of the same shape, pictures `(N, H, W, C)` with values in [0, 1], or points `(N, D)`.
Leaves: one number per picture `(N,)`, or one ratio for a whole set.
Knows nothing of models, files or seeds.

Legend: N pictures, H height, W width, C channels.
"""

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

Floats = NDArray[np.floating]

SSIM_SIGMA = 1.5  # px; Wang et al. 2004
SSIM_TRUNCATE = 3.5  # in sigmas: an 11 px window
SSIM_BORDER = 5  # px left out on every side, where the window would leave the picture
GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as Pillow's "L"


def mse(real: Floats, made: Floats) -> Floats:
    """Mean squared error of each picture, averaged over its pixels and channels.

    Returns (N,), in squared units of the values: pictures in [0, 1] give [0, 1]; 0 is perfect.
    """
    real, made = _pair(real, made)
    return np.square(real - made).reshape(len(real), -1).mean(axis=1)


def psnr(real: Floats, made: Floats) -> Floats:
    """Peak signal-to-noise ratio of each picture, 10·log10(1 / MSE) for values in [0, 1].

    Returns (N,) in decibels, larger is better, infinite for identical pictures. A set's figure is usually the
    mean of these, which is not the PSNR of the mean MSE.
    """
    with np.errstate(divide="ignore"):
        return -10 * np.log10(mse(real, made))


def unexplained_variance(real: Floats, made: Floats) -> float:
    """MSE divided by the variance of the real set around *its own mean picture*: 1 − R² over all pixels.

    0 is perfect; 1 is what showing the set's mean picture every time would give; above 1 is worse than that.
    Free of units, so it compares models of different ranges and sizes. The mean picture is that of the set that
    is evaluated (not of the training set), so the figure needs nothing but the two arrays.
    """
    real, made = _pair(real, made)
    if len(real) < 2:
        raise UsageError(
            f"unexplained variance needs at least 2 pictures, there is {len(real)}: evaluate more."
        )
    variance = np.square(real - real.mean(axis=0)).mean()
    if variance == 0:
        raise UsageError(
            "all evaluated pictures are identical, so there is no variance to explain: use others."
        )
    return float(np.square(real - made).mean() / variance)


def ssim(real: Floats, made: Floats) -> Floats:
    """Structural similarity of each picture, mean over places and channels, with a Gaussian window of σ = 1.5 px.

    Returns (N,) in [−1, 1]; 1 is identical. Source: Wang et al. 2004, "Image quality assessment", K1 = 0.01,
    K2 = 0.03, values in [0, 1]; covariances are those of the window (not the sample's n−1 ones), and the five
    border pixels are left out, which is scikit-image's reading of the paper too.

    Raises UsageError for pictures smaller than the window of 11 px.
    """
    real, made = _pair(real, made)
    if real.ndim != 4 or min(real.shape[1:3]) <= 2 * SSIM_BORDER:
        raise UsageError(f"SSIM needs pictures (N, H, W, C) of at least 11 × 11 px, got shape {real.shape}.")
    from scipy.ndimage import gaussian_filter

    def window(values: Floats) -> Floats:
        return gaussian_filter(values, sigma=(0, SSIM_SIGMA, SSIM_SIGMA, 0), truncate=SSIM_TRUNCATE)

    c1, c2 = 0.01**2, 0.03**2
    mean_real, mean_made = window(real), window(made)
    variance_real = window(real * real) - mean_real**2
    variance_made = window(made * made) - mean_made**2
    covariance = window(real * made) - mean_real * mean_made
    similarity = ((2 * mean_real * mean_made + c1) * (2 * covariance + c2)) / (
        (mean_real**2 + mean_made**2 + c1) * (variance_real + variance_made + c2)
    )  # (N, H, W, C)
    inner = similarity[:, SSIM_BORDER:-SSIM_BORDER, SSIM_BORDER:-SSIM_BORDER]
    return inner.reshape(len(inner), -1).mean(axis=1)


def sharpness(pictures: Floats) -> Floats:
    """Variance of the Laplacian of each grey picture: how much fine detail, real or not, it holds.

    Returns (N,), squared grey levels of [0, 1], ≥ 0. Source: Pech-Pacheco et al. 2000, "Diatom autofocusing",
    with the four-neighbour Laplacian on the inner pixels. Noise counts as detail, so read it beside SSIM.
    """
    grey = _grey(np.asarray(pictures, dtype=np.float64))  # (N, H, W)
    centre = grey[:, 1:-1, 1:-1]
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * centre
    return laplacian.reshape(len(laplacian), -1).var(axis=1)


def sharpness_ratio(real: Floats, made: Floats) -> float:
    """Mean sharpness of the made pictures over that of the real ones: 1 as sharp, 0 flat, above 1 noisy.

    The two sets may differ in length (samples have no partner among the real pictures).
    """
    floor = sharpness(real).mean()
    if floor == 0:
        raise UsageError("the real pictures are perfectly flat, so no sharpness ratio exists: use others.")
    return float(sharpness(made).mean() / floor)


def _pair(real: Floats, made: Floats) -> tuple[Floats, Floats]:
    real, made = np.asarray(real), np.asarray(made)
    if real.shape != made.shape:
        raise UsageError(f"pictures to compare must agree in shape, got {real.shape} and {made.shape}.")
    if not (np.issubdtype(real.dtype, np.floating) and np.issubdtype(made.dtype, np.floating)):
        raise UsageError(
            f"measures take floats in [0, 1], got {real.dtype} and {made.dtype}: divide uint8 pictures by 255."
        )
    return real.astype(np.float64), made.astype(np.float64)


def _grey(pictures: Floats) -> Floats:
    if pictures.ndim != 4 or min(pictures.shape[1:3]) < 3:
        raise UsageError(f"sharpness needs pictures (N, H, W, C) of at least 3 × 3 px, got {pictures.shape}.")
    if pictures.shape[3] == 3:
        return pictures @ np.array(GREY_WEIGHTS)
    return pictures.mean(axis=3)
