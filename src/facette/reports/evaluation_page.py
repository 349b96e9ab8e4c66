"""The evaluation card as one self-contained page: tables, figures with intervals, sheets, and the numbers as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facette.evaluation import Evaluation
    from facette.evaluation.result import ReconstructionFigures
    from facette.plots.measured import Panel
    from facette.plots.page import Page

# Reconstruction measures worth a bar: field and heading, with the direction that is better.
BARS = (
    ("unexplained_variance", "unexplained variance (lower is better)"),
    ("psnr", "PSNR in dB (higher is better)"),
    ("ms_ssim", "MS-SSIM (higher is better)"),
    ("sharpness", "sharpness of real (1 is as sharp)"),
    ("cosine", "embedding cosine (higher is better)"),
    ("attributes_kept", "attributes kept (higher is better)"),
)
CLOUD_BARS = (
    ("frechet", "Fréchet distance (lower is better)"),
    ("kernel", "kernel distance (lower is better)"),
    ("density", "density (1 is as dense)"),
    ("coverage", "coverage (higher is better)"),
    ("two_sample", "told apart (0.5 is never)"),
    ("vendi", "Vendi score (compare with the floor)"),
)
NAME_LENGTH = 34  # letters of a bar's name before it is cut


def card_page(evaluations: Sequence[Evaluation]) -> Page:
    """Everything about one model, or about several side by side."""
    from facette.evaluation.report import INTERVALS, draw_sheets, heading, to_json
    from facette.evaluation.wording import findings, frames_sentence, side_by_side, title
    from facette.plots.page import Page

    several = len(evaluations) > 1
    page = Page(heading(evaluations), "Evaluation card of Facette")
    for one in evaluations:
        page.prose(f"{title(one)}.").bullets(findings(one))
    page.prose(f"{frames_sentence(evaluations)}\n\n{INTERVALS}")
    rows = side_by_side(evaluations)
    models = [one.model for one in evaluations] if several else ["figure"]
    for group in dict.fromkeys(row.group for row in rows):
        page.heading(group)
        cells = [
            (row.label, *(f or None for f in row.figures), row.sentence) for row in rows if row.group == group
        ]
        page.table(("measure", *models, "meaning"), cells)
        _figures_of_group(page, group, evaluations)
    _distributions(page, evaluations)
    for name, sheet in draw_sheets(evaluations).items():
        page.heading(name.replace("-", " ")).picture(sheet, name)
    return page.data(to_json(evaluations))


def _figures_of_group(page: Page, group: str, evaluations: Sequence[Evaluation]) -> None:
    import numpy as np

    from facette.plots.measured import plot_bars, plot_nearest, plot_rates

    if group == "Reconstructions":
        panels = _reconstruction_panels(evaluations)
        if panels:
            page.figure(plot_bars(panels, "Reconstructions"), "Bars with 95 % intervals.")
    if group == "Latents":
        rates = {one.model: np.array(one.latents.rate_per_unit) for one in evaluations}
        page.figure(plot_rates(rates), "A latent near 0 nats carries nothing.")
    if group == "Samples":
        for one in evaluations:
            found = one.memorisation
            if found is not None:
                figure = plot_nearest(found.samples, found.held_out, found.threshold, f"Memory: {one.model}")
                page.figure(figure, "Samples to the left of held-out photos would be copies.")


def _reconstruction_panels(evaluations: Sequence[Evaluation]) -> list[Panel]:
    rebuilt: dict[str, ReconstructionFigures] = {}
    for one in evaluations:
        rebuilt[_short(one.model)] = one.reconstruction
        if one.sharpened is not None:
            rebuilt[_short(f"{one.model}, sharpened")] = one.sharpened
    return _panels(BARS, rebuilt, {})


def _distributions(page: Page, evaluations: Sequence[Evaluation]) -> None:
    from facette.evaluation.report import protocol_sentence
    from facette.evaluation.wording import DISTRIBUTION_MEASURES, distribution_rows
    from facette.plots.measured import plot_bars

    rows = distribution_rows(evaluations)
    if not rows:
        return
    page.heading("Distributions").prose(protocol_sentence(evaluations))
    page.table(("pictures", *(name for _, name, _ in DISTRIBUTION_MEASURES)), rows)
    page.bullets([f"{name}: {words}." for _, name, words in DISTRIBUTION_MEASURES])
    several = len(evaluations) > 1
    measured = [(one.model, one.distributions) for one in evaluations if one.distributions is not None]
    clouds = {
        _short(f"{model}: {row.of}" if several else row.of): row
        for model, found in measured
        for row in found.made
    }
    floor = measured[0][1].floor
    marks = {field: getattr(floor, field).value for field, _ in CLOUD_BARS}
    figure = plot_bars(_panels(CLOUD_BARS, clouds, marks), "Distributions")
    page.figure(
        figure, f"Dashed: the floor{', of the first model' if several else ''}, photos against other photos."
    )


def _panels(
    fields: Sequence[tuple[str, str]], things: dict[str, Any], marks: dict[str, float]
) -> list[Panel]:
    """A panel for each measure that all of the things have."""
    from facette.plots.measured import Panel

    panels = []
    for field, title in fields:
        found = [getattr(thing, field) for thing in things.values()]
        if all(interval is not None for interval in found):
            values, lows, highs = ([getattr(i, side) for i in found] for side in ("value", "low", "high"))
            panels.append(Panel(title, list(things), values, lows, highs, marks.get(field)))
    return panels


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"
