"""The evaluation card as one self-contained page: tables, figures with intervals, sheets, and the numbers as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facette.evaluation import Evaluation
    from facette.measures.measure import Measure
    from facette.plots.measured import Panel
    from facette.plots.page import Page

NAME_LENGTH = 34  # letters of a bar's name before it is cut


def card_page(evaluations: Sequence[Evaluation]) -> Page:
    """Everything about one model, or about several side by side."""
    from facette.plots.page import Page
    from facette.reports.card import INTERVALS, draw_sheets, heading, to_json
    from facette.reports.findings import findings
    from facette.reports.table import frames_sentence, side_by_side, title

    several = len(evaluations) > 1
    page = Page(heading(evaluations), "Evaluation card of Facette")
    for evaluation in evaluations:
        page.prose(f"{title(evaluation)}.").bullets(findings(evaluation))
    page.prose(f"{frames_sentence(evaluations)}\n\n{INTERVALS}")
    rows = side_by_side(evaluations)
    models = [evaluation.model for evaluation in evaluations] if several else ["figure"]
    for group in dict.fromkeys(row.group for row in rows):
        page.heading(group)
        cells = [
            (row.label, *(f or None for f in row.figures), row.sentence) for row in rows if row.group == group
        ]
        page.table(("measure", *models, "meaning"), cells)
        _figures_of_group(page, group, evaluations)
    _identity(page, evaluations)
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
        rates = {evaluation.model: np.array(evaluation.latents.rate_per_unit) for evaluation in evaluations}
        page.figure(plot_rates(rates), "A latent near 0 nats carries nothing.")
    if group == "Samples":
        for evaluation in evaluations:
            memory = evaluation.memorisation
            if memory is not None:
                figure = plot_nearest(
                    memory.samples, memory.held_out, memory.threshold, f"Memory: {evaluation.model}"
                )
                page.figure(figure, "Samples to the left of held-out photos would be copies.")


def _reconstruction_panels(evaluations: Sequence[Evaluation]) -> list[Panel]:
    from facette.measures.declarations import RECONSTRUCTION

    rebuilt: dict[str, Any] = {}
    for evaluation in evaluations:
        rebuilt[_short(evaluation.model)] = evaluation.reconstruction
        if evaluation.sharpened is not None:
            rebuilt[_short(f"{evaluation.model}, sharpened")] = evaluation.sharpened
    return _panels(RECONSTRUCTION, rebuilt, {})


def _identity(page: Page, evaluations: Sequence[Evaluation]) -> None:
    from facette.measures.declarations import IDENTITY
    from facette.plots.measured import plot_bars
    from facette.reports.table import identity_rows, identity_sentence

    rows = identity_rows(evaluations)
    if not rows:
        return
    page.heading("The same person").prose(identity_sentence(evaluations))
    page.table(("pictures", "photos", "threshold", *(measure.label for measure in IDENTITY)), rows)
    page.bullets([f"{measure.label}: {measure.sentence}." for measure in IDENTITY])
    several = len(evaluations) > 1
    drawings = {
        _short(f"{each.model}: {row.of}" if several else row.of): row
        for each in evaluations
        if each.identity is not None
        for row in each.identity.rows
    }
    page.figure(plot_bars(_panels(IDENTITY, drawings, {}), "The same person"), "Floors first.")


def _distributions(page: Page, evaluations: Sequence[Evaluation]) -> None:
    from facette.measures.declarations import DISTRIBUTION
    from facette.plots.measured import plot_bars
    from facette.reports.card import protocol_sentence
    from facette.reports.table import distribution_rows

    rows = distribution_rows(evaluations)
    if not rows:
        return
    page.heading("Distributions").prose(protocol_sentence(evaluations))
    page.table(("pictures", *(measure.label for measure in DISTRIBUTION)), rows)
    page.bullets([f"{measure.label}: {measure.sentence}." for measure in DISTRIBUTION])
    several = len(evaluations) > 1
    measured = [(each.model, each.distributions) for each in evaluations if each.distributions is not None]
    clouds = {
        _short(f"{model}: {row.of}" if several else row.of): row
        for model, distributions in measured
        for row in distributions.made
    }
    floor = measured[0][1].floor
    marks = {field: figure.value for field, figure in floor.items() if figure is not None}
    figure = plot_bars(_panels(DISTRIBUTION, clouds, marks), "Distributions")
    page.figure(
        figure, f"Dashed: the floor{', of the first model' if several else ''}, photos against other photos."
    )


def _panels(measures: Sequence[Measure], drawings: dict[str, Any], marks: dict[str, float]) -> list[Panel]:
    """A panel for each measure worth a bar that all of the drawings have."""
    from facette.plots.measured import Panel

    panels = []
    for measure in measures:
        figures = [getattr(row, measure.field) for row in drawings.values()]
        if measure.bar and all(interval is not None for interval in figures):
            values, lows, highs = ([getattr(i, side) for i in figures] for side in ("value", "low", "high"))
            panels.append(Panel(measure.title, list(drawings), values, lows, highs, marks.get(measure.field)))
    return panels


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"
