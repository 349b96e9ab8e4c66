"""Evaluations as JSON, as Markdown and as sheets.

Enters: one or more `Evaluation`s. Leaves: plain values, text, and files. Knows nothing of how anything is measured;
the words are `wording`'s.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facette.checkpoint.tensors import write_atomically
from facette.errors import UsageError
from facette.evaluation.result import Evaluation
from facette.evaluation.wording import (
    DISTRIBUTION_MEASURES,
    distribution_rows,
    findings,
    frames_sentence,
    side_by_side,
    title,
)
from facette.images.sheets.grid import SheetRow, contact_sheet, save_sheet, wall_sheet
from facette.images.sheets.layout import Cell, Sheet
from facette.latent.sheets import even_columns

POINTS = 101  # of a curve of sorted distances, in the JSON
INTERVALS = "In brackets: 95 % bootstrap intervals."


def to_dict(evaluation: Evaluation) -> dict:
    """Plain JSON values: every figure, what it was measured on, and the findings. What is not finite is null."""
    names = ("model", "data", "split", "count", "seed", "kind", "dimensions", "frame")
    figures = {name: getattr(evaluation, name) for name in names}
    for name in (
        "reconstruction",
        "sharpened",
        "bound",
        "latents",
        "distributions",
        "standard",
        "identity",
        "disentanglement",
    ):
        found = getattr(evaluation, name)
        figures[name] = None if found is None else asdict(found)
    figures["samples"] = {
        one.prior: {"count": one.count, "sharpness": one.sharpness} for one in evaluation.samples
    }
    figures["spreads"] = [asdict(one) for one in evaluation.spreads]
    figures["memorisation"] = _memorisation(evaluation)
    figures["findings"] = list(findings(evaluation))
    return _plain(figures)


def to_json(evaluations: Sequence[Evaluation]) -> dict:
    """One evaluation as itself; several as a list of them."""
    if len(evaluations) == 1:
        return to_dict(evaluations[0])
    return {"evaluations": [to_dict(one) for one in evaluations]}


def to_markdown(evaluations: Sequence[Evaluation], sheets: dict[str, str] | None = None) -> str:
    """The card, models side by side. `sheets` are captions and file names of pictures that lie beside it."""
    parts = [f"# {heading(evaluations)}"]
    for one in evaluations:
        parts.append(f"{title(one)}. {INTERVALS}")
        parts.append("\n".join(f"- {sentence}" for sentence in findings(one)))
    parts += filter(None, [frames_sentence(evaluations)])
    rows = side_by_side(evaluations)
    models = [one.model for one in evaluations] if len(evaluations) > 1 else ["figure"]
    for group in dict.fromkeys(row.group for row in rows):
        table = [(row.label, *row.figures, row.sentence) for row in rows if row.group == group]
        parts.append(f"## {group}\n\n{_table(('measure', *models, 'meaning'), table)}")
    clouds = distribution_rows(evaluations)
    if clouds:
        head = ("pictures", *(name for _, name, _ in DISTRIBUTION_MEASURES))
        parts += [f"## Distributions\n\n{protocol_sentence(evaluations)}", _table(head, clouds)]
        parts.append("\n".join(f"- **{name}**: {words}." for _, name, words in DISTRIBUTION_MEASURES))
    parts += [f"![{caption}]({name})" for caption, name in (sheets or {}).items()]
    return "\n\n".join(parts) + "\n"


def heading(evaluations: Sequence[Evaluation]) -> str:
    """What the card is about, in one line."""
    return f"{', '.join(one.model for one in evaluations)} on {evaluations[0].data}"


def protocol_sentence(evaluations: Sequence[Evaluation]) -> str:
    """How distributions were compared; without it their figures mean nothing."""
    found = next(one.distributions for one in evaluations if one.distributions is not None)
    how = found.protocol
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
    text = json.dumps(to_json(evaluations), ensure_ascii=False, indent=2, allow_nan=False)
    write_atomically(figures, text + "\n")
    drawn = [save_sheet(sheet, directory / f"{name}.png") for name, sheet in sheets.items()]
    return [card, figures, *drawn]


def draw_sheets(evaluations: Sequence[Evaluation]) -> dict[str, Sheet]:
    """Every sheet under the name of its file."""
    names = [one.model for one in evaluations]
    if len(set(names)) < len(names):
        raise UsageError(f"two of the models are called alike ({', '.join(names)}): name them apart.")
    several = len(evaluations) > 1
    return {
        f"{_file_name(one.model)}-{name}" if several else name: sheet
        for one in evaluations
        for name, sheet in _sheets(one).items()
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
    found = evaluation.memorisation
    if found is None:
        return None
    figures: dict[str, Any] = {name: getattr(found, name) for name in ("share", "threshold", "ratio")}
    places = np.linspace(0, 1, POINTS)
    curves = {name: np.quantile(getattr(found, name), places).tolist() for name in ("samples", "held_out")}
    return figures | {"training_pictures": evaluation.training_pictures, "quantiles": curves}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = "|" + "---|" * len(head)
    return "\n".join([_row(head), rule, *(_row(row) for row in rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") or "–" for cell in cells) + " |"
