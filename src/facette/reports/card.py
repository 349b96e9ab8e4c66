"""Evaluations as JSON, as Markdown and as sheets.

In: one or more `Evaluation`s. Out: plain values, text, and files. Rows and words come from `table` and `findings`; how
anything is measured is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facette.checkpoint.tensors import write_atomically
from facette.errors import UsageError
from facette.evaluation.result import Evaluation
from facette.files import json_of
from facette.images.sheets.grid import SheetRow, contact_sheet, save_sheet, wall_sheet
from facette.images.sheets.layout import Cell, Sheet
from facette.latent.sheets import even_columns
from facette.measures.declarations import DISTRIBUTION, IDENTITY
from facette.measures.intervals import MeasureFigures
from facette.measures.measure import Measure
from facette.reports.findings import findings
from facette.reports.table import (
    distribution_rows,
    frames_sentence,
    identity_rows,
    identity_sentence,
    side_by_side,
    title,
)

POINTS = 101  # of a curve of sorted distances, in the JSON
INTERVALS = "In brackets: 95 % bootstrap intervals."


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Plain JSON values: every figure, what it was measured on, and the findings. What is not finite is null."""
    names = ("model", "data", "split", "count", "seed", "kind", "dimensions", "frame")
    figures: dict[str, Any] = {name: getattr(evaluation, name) for name in names}
    for name in ("reconstruction", "sharpened", "bound", "latents", "distributions", "standard", "identity",
                 "disentanglement"):  # fmt: skip
        figures[name] = _values(getattr(evaluation, name))
    figures["samples"] = {
        samples.prior: {"count": samples.count, "sharpness": samples.sharpness}
        for samples in evaluation.samples
    }
    figures["spreads"] = _values(evaluation.spreads)
    figures["memorisation"] = _memorisation(evaluation)
    figures["findings"] = list(findings(evaluation))
    return _plain(figures)


def _values(result: Any) -> Any:
    """A result's fields as plain values, figures under the fields of their measures."""
    if isinstance(result, MeasureFigures):
        return result.to_dict()
    if is_dataclass(result):
        return {field.name: _values(getattr(result, field.name)) for field in fields(result)}
    return [_values(part) for part in result] if isinstance(result, list | tuple) else result


def to_json(evaluations: Sequence[Evaluation]) -> dict:
    """One evaluation as itself; several as a list of them."""
    if len(evaluations) == 1:
        return to_dict(evaluations[0])
    return {"evaluations": [to_dict(evaluation) for evaluation in evaluations]}


def to_markdown(evaluations: Sequence[Evaluation], sheets: dict[str, str] | None = None) -> str:
    """The card, models side by side. `sheets` are captions and file names of pictures that lie beside it."""
    parts = [f"# {heading(evaluations)}"]
    for evaluation in evaluations:
        parts.append(f"{title(evaluation)}. {INTERVALS}")
        parts.append("\n".join(f"- {sentence}" for sentence in findings(evaluation)))
    parts += filter(None, [frames_sentence(evaluations)])
    rows = side_by_side(evaluations)
    models = [evaluation.model for evaluation in evaluations] if len(evaluations) > 1 else ["figure"]
    for group in dict.fromkeys(row.group for row in rows):
        table = [(row.label, *row.figures, row.sentence) for row in rows if row.group == group]
        parts.append(f"## {group}\n\n{_table(('measure', *models, 'meaning'), table)}")
    people = identity_rows(evaluations)
    if people:
        table = _table(("pictures", "photos", "threshold", *_labels(IDENTITY)), people)
        parts += [f"## The same person\n\n{identity_sentence(evaluations)}", table, _meanings(IDENTITY)]
    clouds = distribution_rows(evaluations)
    if clouds:
        table = _table(("pictures", *_labels(DISTRIBUTION)), clouds)
        parts += [f"## Distributions\n\n{protocol_sentence(evaluations)}", table, _meanings(DISTRIBUTION)]
    parts += [f"![{caption}]({name})" for caption, name in (sheets or {}).items()]
    return "\n\n".join(parts) + "\n"


def _labels(measures: Sequence[Measure]) -> tuple[str, ...]:
    return tuple(measure.label for measure in measures)


def _meanings(measures: Sequence[Measure]) -> str:
    return "\n".join(f"- **{measure.label}**: {measure.sentence}." for measure in measures)


def heading(evaluations: Sequence[Evaluation]) -> str:
    """What the card is about, in one line."""
    return f"{', '.join(evaluation.model for evaluation in evaluations)} on {evaluations[0].data}"


def protocol_sentence(evaluations: Sequence[Evaluation]) -> str:
    """How distributions were compared; without it their figures mean nothing."""
    distributions = next(each.distributions for each in evaluations if each.distributions is not None)
    how = distributions.protocol
    return (
        f"{how.count:,} pictures each against {how.count:,} photos ({how.split}), {how.format}, {how.resize}, in the "
        f"embedding of the {how.network}. This is not Inception's: none of it is an FID or a KID, and only figures of "
        "this very protocol compare. The floor is other photos of the same set."
    )


def write_report(evaluations: Sequence[Evaluation], directory: str | Path) -> list[Path]:
    """`evaluation.json`, `evaluation.md`, and for pictures `reconstructions.png` and `samples-….png`; with several
    models each sheet begins with the model's name. UsageError: two models of one name."""
    directory = Path(directory)
    sheets = draw_sheets(evaluations)
    captions = {name.replace("-", " "): f"{name}.png" for name in sheets}
    card, figures = directory / "evaluation.md", directory / "evaluation.json"
    write_atomically(card, to_markdown(evaluations, captions))
    text = json_of(to_json(evaluations), indent=2, allow_nan=False)
    write_atomically(figures, text + "\n")
    drawn = [save_sheet(sheet, directory / f"{name}.png") for name, sheet in sheets.items()]
    return [card, figures, *drawn]


def draw_sheets(evaluations: Sequence[Evaluation]) -> dict[str, Sheet]:
    """Every sheet under the name of its file."""
    names = [evaluation.model for evaluation in evaluations]
    if len(set(names)) < len(names):
        raise UsageError(f"two of the models are called alike ({', '.join(names)}): name them apart.")
    several = len(evaluations) > 1
    return {
        f"{_file_name(evaluation.model)}-{name}" if several else name: sheet
        for evaluation in evaluations
        for name, sheet in _sheets(evaluation).items()
    }


def _sheets(evaluation: Evaluation) -> dict[str, Sheet]:
    shown = evaluation.shown
    if shown is None:
        return {}
    stages = {"photo": shown.photos, "reconstruction": shown.reconstructions}
    if shown.sharpened is not None:
        stages["sharpened"] = shown.sharpened
    pairs = contact_sheet(
        [SheetRow([Cell(picture) for picture in pictures], label) for label, pictures in stages.items()],
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


def _file_name(model: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in model)


def _memorisation(evaluation: Evaluation) -> dict[str, Any] | None:
    memory = evaluation.memorisation
    if memory is None:
        return None
    figures: dict[str, Any] = {name: getattr(memory, name) for name in ("share", "threshold", "ratio")}
    places = np.linspace(0, 1, POINTS)
    curves = {name: np.quantile(getattr(memory, name), places).tolist() for name in ("samples", "held_out")}
    return figures | {"training_pictures": evaluation.training_pictures, "quantiles": curves}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = "|" + "---|" * len(head)
    return "\n".join([_row(head), rule, *(_row(row) for row in rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") or "–" for cell in cells) + " |"
