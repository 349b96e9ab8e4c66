"""An evaluation in words: a sentence for every figure, and what a person should know first.

Enters: one or more `Evaluation`s. Leaves: lines and rows of text. Knows nothing of how anything is measured, nor of
files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facette.evaluation.bound import ACTIVE_ABOVE
from facette.evaluation.intervals import Interval
from facette.evaluation.memory import CHANCE
from facette.evaluation.protocol import require_same
from facette.evaluation.result import DistributionFigures, Evaluation, ReconstructionFigures

COLLAPSED_RATE = 1.0  # nats per datum: below it the latents say next to nothing about the picture
UNUSED_SHARE = 0.1  # of the units; more are worth a word
BLURRED = 0.5  # sharpness ratio below which a person sees the blur at once
LISTED_UNITS = 12  # unused units named one by one
COPIED = 0.05  # share of samples nearer to a training picture than chance allows
AT_CEILING = 0.05  # nats below log N within which the data are all told apart

# Columns of the table of distributions: field, heading, what it means.
DISTRIBUTION_MEASURES: tuple[tuple[str, str, str], ...] = (
    ("frechet", "Fréchet", "squared distance of means and covariances; compare with the floor, not with 0"),
    ("kernel", "kernel", "squared maximum mean discrepancy; equal distributions scatter around 0"),
    ("precision", "precision", "share of the made within reach of real pictures"),
    ("recall", "recall", "share of the real within reach of made pictures"),
    ("density", "density", "how deep the made lie among the real; 1 for equal distributions"),
    ("coverage", "coverage", "share of the real with something made beside them"),
    (
        "two_sample",
        "told apart",
        "how often a linear classifier tells made from real; 0.5 is never, 1 always",
    ),
    ("vendi", "Vendi", "how many different pictures there are, in effect"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One figure for a table."""

    group: str
    label: str
    figure: str  # with its interval and unit
    sentence: str  # what it means


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of several models."""

    group: str
    label: str
    figures: tuple[str, ...]  # one for each model; empty where it has none
    sentence: str


def title(evaluation: Evaluation) -> str:
    """What was measured on what."""
    unit = "pictures" if evaluation.kind == "image" else "points"
    return (
        f"{evaluation.model} on {evaluation.count:,} {unit} of {evaluation.data} "
        f"(split {evaluation.split}, seed {evaluation.seed})"
    )


def frames_sentence(evaluations: Sequence[Evaluation]) -> str:
    """A warning where the models do not see the same cut of the photos in the same size; empty where they do."""
    if len({one.frame for one in evaluations}) < 2:
        return ""
    seen = "; ".join(f"{one.model} {one.frame}" for one in evaluations)
    return (
        f"The models see the same photos differently ({seen}). Every measure is taken against what the model was "
        "given: compare distributions with each model's own floor, and pixel measures with care."
    )


def lines(evaluation: Evaluation) -> tuple[Line, ...]:
    """Every figure that applies, in groups; distributions have a table of their own (`distribution_rows`)."""
    sharpened = evaluation.sharpened
    return (
        *_reconstruction_lines(evaluation, evaluation.reconstruction, "Reconstructions"),
        *(
            []
            if sharpened is None
            else _reconstruction_lines(evaluation, sharpened, "Sharpened reconstructions")
        ),
        *_bound_lines(evaluation),
        *_latent_lines(evaluation),
        *_sample_lines(evaluation),
        *_standard_lines(evaluation),
        *_factor_lines(evaluation),
    )


def side_by_side(evaluations: Sequence[Evaluation]) -> tuple[Row, ...]:
    """The lines of several models, those of one measure in one row, in the order in which they first appear.

    Raises UsageError where their FIDs were made under different protocols.
    """
    protocols = [one.standard.protocol for one in evaluations if one.standard and one.standard.protocol]
    if protocols:
        require_same(protocols)
    found = [{(line.group, line.label): line for line in lines(one)} for one in evaluations]
    known = {key: line for one in reversed(found) for key, line in one.items()}
    groups = list(dict.fromkeys(group for one in found for group, _ in one))
    order = sorted(dict.fromkeys(key for one in found for key in one), key=lambda key: groups.index(key[0]))
    return tuple(
        Row(*key, tuple(one[key].figure if key in one else "" for one in found), known[key].sentence)
        for key in order
    )


def distribution_rows(evaluations: Sequence[Evaluation]) -> tuple[tuple[str, ...], ...]:
    """A row for every cloud of every model: its name and its figures, in the order of DISTRIBUTION_MEASURES.

    Raises UsageError where the models were not measured under one protocol.
    """
    measured = [(one, one.distributions) for one in evaluations if one.distributions is not None]
    if measured:
        require_same([found.protocol for _, found in measured])
    several = len(evaluations) > 1
    return tuple(
        (f"{one.model}: {row.of}" if several else row.of, *_figures(row))
        for one, found in measured
        for row in (found.floor, *found.made)
    )


def _figures(row: DistributionFigures) -> tuple[str, ...]:
    return tuple(str(getattr(row, field)) for field, _, _ in DISTRIBUTION_MEASURES)


def findings(evaluation: Evaluation) -> tuple[str, ...]:
    """What a person should know, one sentence each: collapse first, then unused units, blur and samples."""
    latents, rate = evaluation.latents, evaluation.bound.rate.value
    found = []
    unused = [unit for unit, activity in enumerate(latents.activity) if activity <= ACTIVE_ABOVE]
    if latents.active == 0 or rate < COLLAPSED_RATE:
        found.append(
            f"The posterior has collapsed: the latents carry {rate:.2g} nats, so every datum is decoded alike. Train "
            "with a smaller objective.beta, a longer objective.warmup_steps, or objective.free_bits."
        )
    elif len(unused) > UNUSED_SHARE * latents.size:
        named = ", ".join(map(str, unused[:LISTED_UNITS])) + (" …" if len(unused) > LISTED_UNITS else "")
        found.append(
            f"{len(unused)} of {latents.size} latent units are unused ({named}): a smaller model.latent would do, or "
            "objective.free_bits puts them to work."
        )
    else:
        found.append(
            f"The latents are alive: {latents.active} of {latents.size} units active, {rate:.0f} nats in all."
        )
    sharpness = (evaluation.sharpened or evaluation.reconstruction).sharpness
    if sharpness is not None and sharpness.value < BLURRED:
        found.append(
            f"Reconstructions are blurred: they keep {sharpness.value:.0%} of the photos' sharpness."
        )
    copied = evaluation.memorisation
    if copied is not None and copied.share > COPIED:
        found.append(
            f"{copied.share:.0%} of the samples lie nearer to a training picture than {1 - CHANCE:.0%} of other real "
            "pictures do: the model repeats what it was shown. Train on more pictures, or for less long."
        )
    if evaluation.reconstruction.unexplained_variance.value >= 1:
        found.append(
            "Reconstructions are no better than showing the mean every time: the model has learned nothing."
        )
    return tuple(found)


def _reconstruction_lines(evaluation: Evaluation, figures: ReconstructionFigures, group: str) -> list[Line]:
    scale = "pixel values from 0 to 1" if evaluation.kind == "image" else "the data's own units, squared"
    return _given(
        group,
        (
            "unexplained variance",
            figures.unexplained_variance,
            "",
            "Squared error over the variance around this set's mean: 0 is perfect, 1 is no better than the mean.",
        ),
        ("mean squared error", figures.mse, "", f"Per value, in {scale}; 0 is perfect."),
        ("PSNR", figures.psnr, "dB", "Error against the full range of a pixel; each 6 dB halve the error."),
        ("SSIM", figures.ssim, "", "Likeness of local structure: 1 is identical, 0 unrelated."),
        (
            "MS-SSIM",
            figures.ms_ssim,
            "",
            "The same at five scales, with a window of 3 pixels: 1 is identical.",
        ),
        ("sharpness", figures.sharpness, "of real", "Fine detail kept: 1 is as sharp as the photos."),
        (
            "embedding cosine",
            figures.cosine,
            "",
            "To the photo in the attribute network's centred embedding: 1 is the same, 0 anybody else on average.",
        ),
        (
            "attributes kept",
            figures.attributes_kept,
            "of 40",
            "Share of attributes that the network sees in the photo and its reconstruction alike.",
        ),
    )


def _bound_lines(evaluation: Evaluation) -> list[Line]:
    figures = evaluation.bound
    return _given(
        "Likelihood",
        (
            "distortion",
            figures.distortion,
            "nats",
            "−log p(x|z): what is still unknown once the latents are known.",
        ),
        (
            "rate",
            figures.rate,
            "nats",
            "KL of the posterior from the prior: what the latents say about each datum.",
        ),
        ("elbo", figures.elbo, "nats", "Lower bound on log p(x), one draw of z; larger is better."),
        (
            f"importance bound, K = {figures.importance_samples}",
            figures.importance_weighted,
            "nats",
            f"A tighter lower bound on log p(x), growing towards it with K; over {figures.importance_count:,} data.",
        ),
        (
            "bits per dimension",
            figures.bits_per_dimension,
            "bits",
            "Upper bound on the cost of one 8-bit value; plain bytes cost 8.",
        ),
    )


def _latent_lines(evaluation: Evaluation) -> list[Line]:
    figures = evaluation.latents
    parts, strongest = figures.parts, max(figures.rate_per_unit)
    told_apart = (
        ", reached: all are told apart" if parts.ceiling - parts.mutual_information < AT_CEILING else ""
    )
    return [
        Line(
            "Latents",
            "active units",
            f"{figures.active} of {figures.size}",
            f"Units whose posterior mean varies by more than {ACTIVE_ABOVE} over the data.",
        ),
        Line(
            "Latents",
            "KL per unit",
            f"{min(figures.rate_per_unit):.3g} to {strongest:.3g} nats",
            "From the idlest unit to the busiest; near 0 a unit carries nothing.",
        ),
        Line(
            "Latents",
            "posterior σ",
            f"{figures.posterior_scale:.3g}",
            "Mean over data and units: the smaller, the larger the diversity factor a visible change takes.",
        ),
        Line(
            "Latents",
            "mutual information",
            f"{parts.mutual_information:.4g} nats",
            f"I(x; z) of {evaluation.count:,} data, by {figures.parts_count} of them; at most log N = "
            f"{parts.ceiling:.3g}{told_apart}.",
        ),
        Line(
            "Latents",
            "KL(q(z)‖p(z))",
            f"{parts.marginal_kl:.4g} nats",
            "The rest of the rate: how far all posteriors together are from a standard normal.",
        ),
        Line(
            "Latents",
            "total correlation",
            f"{parts.total_correlation:.4g} nats",
            "The part of it that latents say twice; the other part is single latents off the normal.",
        ),
    ]


def _sample_lines(evaluation: Evaluation) -> list[Line]:
    priors = {"fitted": "the mixture fitted to the latents", "normal": "the prior trained with"}
    samples = [
        Line(
            "Samples",
            f"sharpness, {one.prior} prior",
            f"{one.sharpness:.3g} of real",
            f"{one.count} samples of {priors[one.prior]}; 1 is as sharp as the photos.",
        )
        for one in evaluation.samples
    ]
    spreads = [
        Line(
            "Samples",
            f"spread at factor {one.factor:g}",
            f"{one.spread:.3g}",
            f"Mean difference between {one.variations} variations, over {one.photos} photos, "
            "in pixel values from 0 to 1.",
        )
        for one in evaluation.spreads
    ]
    return [*samples, *_memory_lines(evaluation), *spreads]


def _memory_lines(evaluation: Evaluation) -> list[Line]:
    found = evaluation.memorisation
    if found is None:
        return []
    return [
        Line(
            "Samples",
            "memorised",
            f"{found.share:.1%}",
            f"Samples nearer to one of {evaluation.training_pictures:,} training pictures than {1 - CHANCE:.0%} of the "
            f"measured photos are; chance gives {CHANCE:.0%}.",
        ),
        Line(
            "Samples",
            "distance to the nearest training picture",
            f"{found.ratio:.3g} of real",
            "Median over that of the measured photos: 1 is as far as other photos, 0 a copy.",
        ),
    ]


def _standard_lines(evaluation: Evaluation) -> list[Line]:
    found, group = evaluation.standard, "Standard networks"
    if found is None:
        return []
    perceived = "Perceived difference of photo and reconstruction: 0 is none."
    said = (
        []
        if found.lpips is None
        else [Line(group, "LPIPS", str(found.lpips), f"{perceived} {found.lpips_network}.")]
    )
    for row in found.rows:
        how = found.protocol
        assert how is not None, "rows have a protocol"
        words = (
            f"{how.network}, {how.resize}, {how.format}, {how.split}, {how.count:,} pictures on either side."
        )
        said += [
            Line(group, f"FID, {row.of}", f"{row.fid:.4g}", words),
            Line(group, f"KID, {row.of}", str(row.kid), words),
        ]
    return said


def _factor_lines(evaluation: Evaluation) -> list[Line]:
    found = evaluation.disentanglement
    if found is None:
        return []
    figures = (
        ("MIG", found.mutual_information_gap, "Information about a factor that only one latent has."),
        ("DCI disentanglement", found.disentanglement, "Whether each latent serves one factor."),
        ("DCI completeness", found.completeness, "Whether each factor is served by one latent."),
        (
            "DCI informativeness",
            found.informativeness,
            "How well a forest reads the factors from the latents.",
        ),
        (
            "FactorVAE score",
            found.factor_score,
            "How often the stillest latent names the factor that was fixed.",
        ),
    )
    return [
        Line("Factors", label, f"{value:.3g}", f"{sentence} 1 is best.") for label, value, sentence in figures
    ]


def _given(group: str, *rows: tuple[str, Interval | None, str, str]) -> list[Line]:
    """The rows that apply to this model."""
    return [
        Line(group, label, f"{figure} {unit}".strip(), sentence)
        for label, figure, unit, sentence in rows
        if figure is not None
    ]
