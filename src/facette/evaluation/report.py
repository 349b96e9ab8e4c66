"""An evaluation in words, as JSON, as Markdown and as sheets.

Enters: an `Evaluation`. Leaves: lines with a sentence for every figure, findings in plain words, and files.
Knows nothing of how anything is measured.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facette.evaluation.bound import ACTIVE_ABOVE
from facette.evaluation.intervals import Interval
from facette.evaluation.result import Evaluation
from facette.images.grid import Sheet, pair_sheet, save_sheet, wall_sheet
from facette.latent.sheets import even_columns

COLLAPSED_RATE = 1.0  # nats per datum: below it the latents say next to nothing about the picture
UNUSED_SHARE = 0.1  # of the units; more are worth a word
BLURRED = 0.5  # sharpness ratio below which a person sees the blur at once
LISTED_UNITS = 12  # unused units named one by one


@dataclass(frozen=True, slots=True)
class Line:
    """One figure for a table."""

    group: str
    label: str
    figure: str  # with its interval and unit
    sentence: str  # what it means


def title(evaluation: Evaluation) -> str:
    """What was measured on what."""
    unit = "pictures" if evaluation.kind == "image" else "points"
    return (
        f"{evaluation.model} on {evaluation.count:,} {unit} of {evaluation.data} "
        f"(split {evaluation.split}, seed {evaluation.seed})"
    )


def lines(evaluation: Evaluation) -> tuple[Line, ...]:
    """Every figure that applies, grouped by reconstructions, likelihood, latents and samples."""
    return (
        *_reconstruction_lines(evaluation),
        *_bound_lines(evaluation),
        *_latent_lines(evaluation),
        *_sample_lines(evaluation),
    )


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
    sharpness = evaluation.reconstruction.sharpness
    if sharpness is not None and sharpness.value < BLURRED:
        found.append(
            f"Reconstructions are blurred: they keep {sharpness.value:.0%} of the photos' sharpness."
        )
    if evaluation.reconstruction.unexplained_variance.value >= 1:
        found.append(
            "Reconstructions are no better than showing the mean every time: the model has learned nothing."
        )
    return tuple(found)


def to_dict(evaluation: Evaluation) -> dict:
    """Plain JSON values: every figure, what it was measured on, and the findings. What is not finite is null."""
    figures = {
        name: getattr(evaluation, name) for name in ("model", "data", "split", "count", "seed", "kind")
    }
    for name in ("reconstruction", "bound", "latents"):
        figures[name] = asdict(getattr(evaluation, name))
    figures["samples"] = {
        one.prior: {"count": one.count, "sharpness": one.sharpness} for one in evaluation.samples
    }
    figures["spreads"] = [asdict(one) for one in evaluation.spreads]
    figures["findings"] = list(findings(evaluation))
    return _plain(figures)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_markdown(evaluation: Evaluation, sheets: dict[str, str] | None = None) -> str:
    """The card. `sheets` are captions and file names of pictures that lie beside it."""
    parts = [
        f"# {evaluation.model} on {evaluation.data}",
        f"{title(evaluation)}. In brackets: 95 % bootstrap intervals.",
        "\n".join(f"- {sentence}" for sentence in findings(evaluation)),
    ]
    for group in dict.fromkeys(line.group for line in lines(evaluation)):
        rows = [line for line in lines(evaluation) if line.group == group]
        table = [_table_row(line.label, line.figure, line.sentence) for line in rows]
        parts.append(
            "\n".join([f"## {group}", "", "| measure | figure | meaning |", "|---|---|---|", *table])
        )
    parts += [f"![{caption}]({name})" for caption, name in (sheets or {}).items()]
    return "\n\n".join(parts) + "\n"


def write_report(evaluation: Evaluation, directory: str | Path) -> list[Path]:
    """`evaluation.json`, `evaluation.md`, and for pictures `reconstructions.png` and `samples-….png`."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    sheets = _sheets(evaluation)
    for name, sheet in sheets.items():
        save_sheet(sheet, directory / f"{name}.png")
    captions = {name.replace("-", " of the prior: "): f"{name}.png" for name in sheets}
    card, figures = directory / "evaluation.md", directory / "evaluation.json"
    card.write_text(to_markdown(evaluation, captions), encoding="utf-8")
    text = json.dumps(to_dict(evaluation), ensure_ascii=False, indent=2, allow_nan=False)
    figures.write_text(text + "\n", encoding="utf-8")
    return [card, figures, *(directory / f"{name}.png" for name in sheets)]


def _table_row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _sheets(evaluation: Evaluation) -> dict[str, Sheet]:
    shown = evaluation.shown
    if shown is None:
        return {}
    pairs = pair_sheet(
        list(shown.photos),
        list(shown.reconstructions),
        ("photo", "reconstruction"),
        title="Reconstructions",
        subtitle=title(evaluation),
    )
    walls = {
        f"samples-{prior}": wall_sheet(
            list(pictures),
            title="Samples",
            subtitle=f"{prior} prior · {evaluation.model}",
            wrap=even_columns(len(pictures)),
        )
        for prior, pictures in shown.samples.items()
    }
    return {"reconstructions": pairs, **walls}


def _reconstruction_lines(evaluation: Evaluation) -> list[Line]:
    figures = evaluation.reconstruction
    scale = "pixel values from 0 to 1" if evaluation.kind == "image" else "the data's own units, squared"
    return _given(
        "Reconstructions",
        (
            "unexplained variance",
            figures.unexplained_variance,
            "",
            "Squared error over the variance around this set's mean: 0 is perfect, 1 is no better than the mean.",
        ),
        ("mean squared error", figures.mse, "", f"Per value, in {scale}; 0 is perfect."),
        ("PSNR", figures.psnr, "dB", "Error against the full range of a pixel; each 6 dB halve the error."),
        ("SSIM", figures.ssim, "", "Likeness of local structure: 1 is identical, 0 unrelated."),
        ("sharpness", figures.sharpness, "of real", "Fine detail kept: 1 is as sharp as the photos."),
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
            "A tighter lower bound on log p(x); it grows towards it with K.",
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
    strongest = max(figures.rate_per_unit)
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
    return [*samples, *spreads]


def _given(group: str, *rows: tuple[str, Interval | None, str, str]) -> list[Line]:
    """The rows that apply to this model."""
    return [
        Line(group, label, f"{figure} {unit}".strip(), sentence)
        for label, figure, unit, sentence in rows
        if figure is not None
    ]
