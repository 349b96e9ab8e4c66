"""Every measure, declared once: what it is called, what it means, which way is better, and how it is computed.

In: nothing. Out: one `Measure` a line, and the figures of all of them for given data. Results, tables, findings, bars,
pages, the figures of collections and the terminal read from here: a new measure is a function, a line here, and a test.

A reconstruction's measure gives a number for each datum, and its figure is the mean of them, or, with `over`, the ratio
of two means. A distribution's measure gives its figure with an interval at once, for it is no mean.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facette.measures import reconstruction as pixels
from facette.measures.clouds import Clouds
from facette.measures.intervals import Bootstrap, Interval
from facette.measures.measure import BOTH, Floats, JudgedPair, Kind, Measure, Pair

# dB: the error that rounding to 8 bits makes by itself. Without it one perfect picture makes a mean infinite.
PSNR_CEILING = 10 * np.log10(12 * 255.0**2)


def columns_of(pair: Pair | JudgedPair, kind: Kind = "image", side: int = 0) -> dict[str, Floats]:
    """The columns of every measure of reconstructions that such data allow."""
    reads = "values" if isinstance(pair, Pair) else "judged"
    partial = isinstance(pair, JudgedPair) and pair.centre is None
    columns: dict[str, Floats] = {}
    for measure in RECONSTRUCTION:
        if measure.reads == reads and measure.applies(kind, side) and not (measure.whole and partial):
            columns |= measure.columns(pair)
    return columns


def figures_of(columns: Mapping[str, Floats], seed: int) -> dict[str, Interval | None]:
    """The figures of every measure of reconstructions, under its field; None where its columns are not there."""
    resamples = Bootstrap(dict(columns), seed)
    return {measure.field: measure.figure(resamples) for measure in RECONSTRUCTION}


# ── reconstructions: `of` and `over` take a Pair, or with reads="judged" a JudgedPair; both give (N,) ─────────────────

RECONSTRUCTION: tuple[Measure, ...] = (
    Measure(
        "unexplained_variance",
        "unexplained variance",
        "Squared error over the variance around this set's mean: 0 is perfect, 1 is no better than the mean.",
        "lower",
        kinds=BOTH,
        of=lambda pair: pixels.mse(pair.real, pair.drawn),
        over=lambda pair: pixels.mse(pair.real, np.broadcast_to(pair.average, pair.real.shape)),
        around_mean=True,
        bar=True,
    ),
    Measure(
        "mse",
        "mean squared error",
        "Per value, in {scale}; 0 is perfect.",
        "lower",
        kinds=BOTH,
        of=Pair.error,
    ),
    Measure(
        "psnr",
        "PSNR",
        "Error against the full range of a pixel; each 6 dB halve the error.",
        "higher",
        unit="dB",
        of=lambda pair: np.minimum(pixels.psnr_of(pair.error()), PSNR_CEILING),
        bar=True,
    ),
    Measure(
        "ssim",
        "SSIM",
        "Similarity of local structure: 1 is identical, 0 unrelated.",
        "higher",
        of=lambda pair: pixels.ssim(pair.real, pair.drawn),
        least_side=2 * pixels.SSIM_RADIUS + 1,
    ),
    Measure(
        "ms_ssim",
        "MS-SSIM",
        "The same at five scales, with a window of 3 pixels: 1 is identical.",
        "higher",
        of=lambda pair: pixels.ms_ssim(pair.real, pair.drawn),
        least_side=pixels.MS_SSIM_LEAST,
        bar=True,
    ),
    Measure(
        "sharpness",
        "sharpness",
        "Fine detail kept: 1 is as sharp as the photos.",
        "one",
        unit="of real",
        of=lambda pair: pixels.sharpness(pair.drawn),
        over=lambda pair: pixels.sharpness(pair.real),
        bar=True,
    ),
    Measure(
        "cosine",
        "embedding cosine",
        "To the photo in the attribute network's centred embedding: 1 is the same, 0 anybody else on average.",
        "higher",
        of=lambda pair: pixels.cosine(pair.real.features - pair.centre, pair.drawn.features - pair.centre),
        reads="judged",
        whole=True,
        bar=True,
    ),
    Measure(
        "attributes_kept",
        "attributes kept",
        "Share of attributes that the network sees in the photo and its reconstruction alike.",
        "higher",
        unit="of 40",
        of=lambda pair: ((pair.real.logits > 0) == (pair.drawn.logits > 0)).mean(axis=1),
        reads="judged",
        bar=True,
    ),
)

# ── what the model itself says of the data: no function here, the evaluation knows the model ──────────────────────────

LIKELIHOOD: tuple[Measure, ...] = (
    Measure(
        "distortion",
        "distortion",
        "−log p(x|z): what is still unknown once the latents are known.",
        "lower",
        unit="nats",
        kinds=BOTH,
    ),
    Measure(
        "rate",
        "rate",
        "KL of the posterior from the prior: what the latents say about each datum.",
        "neither",
        unit="nats",
        kinds=BOTH,
    ),
    Measure(
        "elbo",
        "elbo",
        "Lower bound on log p(x), one draw of z; larger is better.",
        "higher",
        unit="nats",
        kinds=BOTH,
    ),
    Measure(
        "importance_weighted",
        "importance bound, K = {importance_samples}",
        "A tighter lower bound on log p(x), growing towards it with K; over {importance_count:,} data.",
        "higher",
        unit="nats",
        kinds=BOTH,
    ),
    Measure(
        "bits_per_dimension",
        "bits per dimension",
        "Upper bound on the cost of one 8-bit value; plain bytes cost 8.",
        "lower",
        unit="bits",
    ),
)

LATENTS: tuple[Measure, ...] = (
    Measure(
        "active",
        "active units",
        "Units whose posterior mean varies by more than {active_above} over the data.",
        "higher",
        kinds=BOTH,
        shown="{active} of {size}",
    ),
    Measure(
        "rate_per_unit",
        "KL per unit",
        "From the idlest unit to the busiest; near 0 a unit carries nothing.",
        "neither",
        unit="nats",
        kinds=BOTH,
        shown="{idlest:.3g} to {busiest:.3g}",
    ),
    Measure(
        "posterior_scale",
        "posterior σ",
        "Mean over data and units: the smaller, the larger the diversity factor a visible change takes.",
        "neither",
        kinds=BOTH,
        shown="{posterior_scale:.3g}",
    ),
    Measure(
        "mutual_information",
        "mutual information",
        "I(x; z) of {count:,} data, by {parts_count} of them; at most log N = {ceiling:.3g}{reached}.",
        "higher",
        unit="nats",
        kinds=BOTH,
        shown="{mutual_information:.4g}",
    ),
    Measure(
        "marginal_kl",
        "KL(q(z)‖p(z))",
        "The rest of the rate: how far all posteriors together are from a standard normal.",
        "lower",
        unit="nats",
        kinds=BOTH,
        shown="{marginal_kl:.4g}",
    ),
    Measure(
        "total_correlation",
        "total correlation",
        "The part of it that latents say twice; the other part is single latents off the normal.",
        "lower",
        unit="nats",
        kinds=BOTH,
        shown="{total_correlation:.4g}",
    ),
)

SAMPLES: tuple[Measure, ...] = (
    Measure(
        "sharpness",
        "sharpness, {prior} prior",
        "{count} samples of {of_prior}; 1 is as sharp as the photos.",
        "one",
        unit="of real",
        shown="{sharpness:.3g}",
    ),
)
MEMORY: tuple[Measure, ...] = (
    Measure(
        "share",
        "memorised",
        "Samples nearer to one of {training_pictures:,} training pictures than {others:.0%} of the measured photos "
        "are; chance gives {chance:.0%}.",
        "lower",
        shown="{share:.1%}",
    ),
    Measure(
        "ratio",
        "distance to the nearest training picture",
        "Median over that of the measured photos: 1 is as far as other photos, 0 a copy.",
        "one",
        unit="of real",
        shown="{ratio:.3g}",
    ),
)
SPREAD: tuple[Measure, ...] = (
    Measure(
        "spread",
        "spread at factor {factor:g}",
        "Mean difference between {variations} variations, over {photos} photos, in pixel values from 0 to 1.",
        "neither",
        shown="{spread:.3g}",
    ),
)

STANDARD: tuple[Measure, ...] = (
    Measure(
        "lpips",
        "LPIPS",
        "Perceived difference of photo and reconstruction: 0 is none. {lpips_network}.",
        "lower",
    ),
    Measure("fid", "FID, {of}", "{protocol}", "lower", shown="{fid:.4g}"),
    Measure("kid", "KID, {of}", "{protocol}", "lower"),
)

FACTORS: tuple[Measure, ...] = (
    Measure(
        "mutual_information_gap",
        "MIG",
        "Information about a factor that only one latent has. 1 is best.",
        "higher",
    ),
    Measure(
        "disentanglement",
        "DCI disentanglement",
        "Whether each latent serves one factor. 1 is best.",
        "higher",
    ),
    Measure(
        "completeness",
        "DCI completeness",
        "Whether each factor is served by one latent. 1 is best.",
        "higher",
    ),
    Measure(
        "informativeness",
        "DCI informativeness",
        "How well a forest reads the factors from the latents. 1 is best.",
        "higher",
    ),
    Measure(
        "factor_score",
        "FactorVAE score",
        "How often the stillest latent names the factor that was fixed. 1 is best.",
        "higher",
    ),
)

# ── the same person: of each kind of drawings, by the judge of who ────────────────────────────────────────────────────

IDENTITY: tuple[Measure, ...] = (
    Measure(
        "same_person",
        "the same person",
        "share taken for the person of the photo: nearer than 1 % of all pairs of different people are to each other",
        "higher",
        bar=True,
    ),
    Measure(
        "identity_distance",
        "median distance",
        "to the photo in the judge's eyes; 0 is the photo itself, compare with another photo of the same person",
        "lower",
        bar=True,
    ),
)

# ── distributions: `of` takes Clouds and a seed, and gives an Interval ────────────────────────────────────────────────

DISTRIBUTION: tuple[Measure, ...] = (
    Measure(
        "frechet",
        "Fréchet",
        "squared distance of means and covariances; compare with the floor, not with 0",
        "lower",
        of=Clouds.frechet,
        bar=True,
    ),
    Measure(
        "kernel",
        "kernel",
        "squared maximum mean discrepancy; equal distributions scatter around 0",
        "lower",
        of=Clouds.kernel,
        bar=True,
    ),
    Measure(
        "precision",
        "precision",
        "share of the made within reach of real pictures",
        "higher",
        of=Clouds.precision,
    ),
    Measure(
        "recall", "recall", "share of the real within reach of made pictures", "higher", of=Clouds.recall
    ),
    Measure(
        "density",
        "density",
        "how deep the made lie among the real; 1 for equal distributions",
        "one",
        of=Clouds.density,
        bar=True,
    ),
    Measure(
        "coverage",
        "coverage",
        "share of the real with something made beside them",
        "higher",
        of=Clouds.coverage,
        bar=True,
    ),
    Measure(
        "two_sample",
        "told apart",
        "how often a linear classifier tells made from real; 0.5 is never, 1 always",
        "half",
        of=Clouds.two_sample,
        bar=True,
    ),
    Measure(
        "vendi",
        "Vendi",
        "how many different pictures there are, in effect",
        "floor",
        of=Clouds.vendi,
        bar=True,
    ),
)
