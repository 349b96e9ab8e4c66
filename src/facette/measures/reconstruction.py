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
SSIM_RADIUS = 5  # px: an 11 px window; as much is left out on every side, where it would leave the picture
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest scale first; Wang et al. 2003
MS_SSIM_RADIUS = 1  # px: a 3 px window
MS_SSIM_LEAST = 48  # px, so that 3 are left at the coarsest of five scales
GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as Pillow's "L"


def mse(real: Floats, drawn: Floats) -> Floats:
    """Mean squared error of each picture, averaged over its pixels and channels.

    Returns (N,), in squared units of the values: pictures in [0, 1] give [0, 1]; 0 is perfect.
    """
    real, drawn = _pair(real, drawn)
    return np.square(real - drawn).reshape(len(real), -1).mean(axis=1)


def psnr(real: Floats, drawn: Floats) -> Floats:
    """Peak signal-to-noise ratio of each picture, 10·log10(1 / MSE) for values in [0, 1].

    Returns (N,) in decibels, larger is better, infinite for identical pictures. A set's figure is usually the
    mean of these, which is not the PSNR of the mean MSE.
    """
    return psnr_of(mse(real, drawn))


def psnr_of(error: Floats) -> Floats:
    """The same of mean squared errors (N,) of values in [0, 1]."""
    with np.errstate(divide="ignore"):
        return -10 * np.log10(error)


def unexplained_variance(real: Floats, drawn: Floats) -> float:
    """MSE divided by the variance of the real set around *its own mean picture*: 1 − R² over all pixels.

    0 is perfect; 1 is what showing the set's mean picture every time would give; above 1 is worse than that.
    Free of units, so it compares models of different ranges and sizes. The mean picture is that of the set that
    is evaluated (not of the training set), so the figure needs nothing but the two arrays.
    """
    real, drawn = _pair(real, drawn)
    if len(real) < 2:
        raise UsageError(
            f"unexplained variance needs at least 2 pictures, there is {len(real)}: evaluate more."
        )
    variance = np.square(real - real.mean(axis=0)).mean()
    if variance == 0:
        raise UsageError(
            "all evaluated pictures are identical, so there is no variance to explain: use others."
        )
    return float(np.square(real - drawn).mean() / variance)


def ssim(real: Floats, drawn: Floats) -> Floats:
    """Structural similarity of each picture, mean over places and channels, with a Gaussian window of σ = 1.5 px.

    Returns (N,) in [−1, 1]; 1 is identical. Source: Wang et al. 2004, "Image quality assessment", K1 = 0.01,
    K2 = 0.03, values in [0, 1]; covariances are those of the window (not the sample's n−1 ones), and the five
    border pixels are left out, which is scikit-image's reading of the paper too.

    Raises UsageError for pictures smaller than the window of 11 px.
    """
    real, drawn = _pair(real, drawn)
    if real.ndim != 4 or min(real.shape[1:3]) <= 2 * SSIM_RADIUS:
        raise UsageError(f"SSIM needs pictures (N, H, W, C) of at least 11 × 11 px, got shape {real.shape}.")
    luminance, structure = _similarity_maps(real, drawn, SSIM_RADIUS)
    return (luminance * structure).reshape(len(real), -1).mean(axis=1)


def ms_ssim(real: Floats, drawn: Floats) -> Floats:
    """Multi-scale structural similarity of each picture: structure at five scales, luminance at the coarsest.

    Returns (N,) in [0, 1]; 1 is identical. Source: Wang et al. 2003, "Multiscale structural similarity", with its
    weights. The window is 3 px wide (σ = 1.5 px) at every picture size, because the usual 11 px do not fit five
    scales of a 64 px picture: compare only with figures of the same window. Structure that is anti-correlated
    counts as 0; each scale halves the last by averages of 2 × 2 px, an odd row or column left out.

    Raises UsageError for pictures smaller than 48 px, whose coarsest scale the window would not fit.
    """
    real, drawn = _pair(real, drawn)
    if real.ndim != 4 or min(real.shape[1:3]) < MS_SSIM_LEAST:
        raise UsageError(
            f"MS-SSIM needs pictures (N, H, W, C) of at least {MS_SSIM_LEAST} × {MS_SSIM_LEAST} px, "
            f"got shape {real.shape}."
        )
    product = np.ones((len(real), real.shape[3]))  # (N, C)
    for scale, weight in enumerate(MS_SSIM_WEIGHTS, start=1):
        luminance, structure = _similarity_maps(real, drawn, MS_SSIM_RADIUS)
        last = scale == len(MS_SSIM_WEIGHTS)
        term = (luminance * structure if last else structure).mean(axis=(1, 2))  # (N, C)
        product *= np.maximum(term, 0) ** weight
        real, drawn = _halved(real), _halved(drawn)
    return product.mean(axis=1)


def _similarity_maps(real: Floats, drawn: Floats, radius: int) -> tuple[Floats, Floats]:
    """SSIM's two factors at every place whose window lies inside the picture, each (N, H − 2r, W − 2r, C)."""
    from scipy.ndimage import gaussian_filter

    def window(values: Floats) -> Floats:
        seen = gaussian_filter(values, sigma=(0, SSIM_SIGMA, SSIM_SIGMA, 0), radius=(0, radius, radius, 0))
        return seen[:, radius:-radius, radius:-radius]

    mean_real, mean_made = window(real), window(drawn)
    variance_real = window(real * real) - mean_real**2
    variance_made = window(drawn * drawn) - mean_made**2
    covariance = window(real * drawn) - mean_real * mean_made
    luminance = (2 * mean_real * mean_made + SSIM_C1) / (mean_real**2 + mean_made**2 + SSIM_C1)
    return luminance, (2 * covariance + SSIM_C2) / (variance_real + variance_made + SSIM_C2)


def _halved(pictures: Floats) -> Floats:
    high, wide = pictures.shape[1] // 2 * 2, pictures.shape[2] // 2 * 2
    even = pictures[:, :high, :wide]
    return (even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]) / 4


def sharpness(pictures: Floats) -> Floats:
    """Variance of the Laplacian of each grey picture: how much fine detail, real or not, it holds.

    Returns (N,), squared grey levels of [0, 1], ≥ 0. Source: Pech-Pacheco et al. 2000, "Diatom autofocusing",
    with the four-neighbour Laplacian on the inner pixels. Noise counts as detail, so read it beside SSIM.
    """
    grey = _grey(np.asarray(pictures, dtype=np.float64))  # (N, H, W)
    centre = grey[:, 1:-1, 1:-1]
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * centre
    return laplacian.reshape(len(laplacian), -1).var(axis=1)


def sharpness_ratio(real: Floats, drawn: Floats) -> float:
    """Mean sharpness of the made pictures over that of the real ones: 1 as sharp, 0 flat, above 1 noisy.

    The two sets may differ in length (samples have no partner among the real pictures).
    """
    floor = sharpness(real).mean()
    if floor == 0:
        raise UsageError("the real pictures are perfectly flat, so no sharpness ratio exists: use others.")
    return float(sharpness(drawn).mean() / floor)


def cosine(a: Floats, b: Floats) -> Floats:
    """Cosine of each of N vectors (N, D) with its partner: (N,) in [−1, 1]; 0 for a vector of no length."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(lengths, 1e-12)


def _pair(real: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    real, drawn = np.asarray(real), np.asarray(drawn)
    if real.shape != drawn.shape:
        raise UsageError(f"pictures to compare must agree in shape, got {real.shape} and {drawn.shape}.")
    if not (np.issubdtype(real.dtype, np.floating) and np.issubdtype(drawn.dtype, np.floating)):
        raise UsageError(
            f"measures take floats in [0, 1], got {real.dtype} and {drawn.dtype}: divide uint8 pictures by 255."
        )
    return real.astype(np.float64), drawn.astype(np.float64)


def _grey(pictures: Floats) -> Floats:
    if pictures.ndim != 4 or min(pictures.shape[1:3]) < 3:
        raise UsageError(f"sharpness needs pictures (N, H, W, C) of at least 3 × 3 px, got {pictures.shape}.")
    if pictures.shape[3] == 3:
        return pictures @ np.array(GREY_WEIGHTS)
    return pictures.mean(axis=3)
