"""Every figure of an evaluation as a line: its name, its value with interval and unit, and a sentence that says what it
means.

Enters: an `Evaluation`. Leaves: lines of text, in groups. Knows nothing of how anything is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from facette.evaluation.bound import ACTIVE_ABOVE
from facette.evaluation.result import Evaluation, ReconstructionFigures
from facette.measures.intervals import Interval
from facette.measures.memory import CHANCE

AT_CEILING = 0.05  # nats below log N within which the data are all told apart


@dataclass(frozen=True, slots=True)
class Line:
    """One figure for a table."""

    group: str
    label: str
    figure: str  # with its interval and unit
    sentence: str  # what it means


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
        *_identity_lines(evaluation),
        *_standard_lines(evaluation),
        *_factor_lines(evaluation),
    )


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


def _identity_lines(evaluation: Evaluation) -> list[Line]:
    found, group = evaluation.identity, "The same person"
    if found is None:
        return []
    strangers = "different people" if found.people_known else "photos, each counted as another person's"
    told = f"Share under {found.threshold:.3f}, which 1 % of all pairs of {strangers} are under, by {found.network}."
    rows = [(row.of, row, told) for row in found.rows]
    rows += [
        (
            f"{row.of}, {part.name}",
            row,
            f"{part.pictures:,} photos, by their own threshold of {part.threshold:.3f}.",
        )
        for part in found.groups
        for row in part.rows
    ]
    return [
        line
        for of, row, words in rows
        for line in (
            Line(group, f"the same person, {of}", f"{row.same_person}", words),
            Line(group, f"median distance, {of}", f"{row.identity_distance}", "0 is the photo itself."),
        )
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
