"""`facette evaluate`: models and data in, a card of figures out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.output import AlignAll, Cache, Device, Json, Seed, emit, remark, stages

if TYPE_CHECKING:
    from facette.evaluation import Evaluation

PIPED_WIDTH = 140  # columns where no terminal says how many there are
FULL_SAMPLES, FULL_COUNT = 5000, 32  # of the importance bound in full mode, and on how many data
FULL_TRAINING = 20_000  # training pictures that samples are compared with in full mode


def evaluate(
    models_and_data: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DATA",
            help="Bundled models' names, model folders or runs; last a folder or zip of pictures, a "
            "CelebA folder, or synthetic-faces[:COUNT].",
        ),
    ],
    split: Annotated[
        Literal["auto", "train", "valid", "test", "all"],
        typer.Option(
            "--split",
            help="train, valid, test or all; auto is valid for a model's own training data and all for any other.",
        ),
    ] = "auto",
    count: Annotated[int | None, typer.Option("--count", "-n", min=2, help="Measure only so many.")] = None,
    batch: Annotated[
        int, typer.Option("--batch", min=1, help="How many pass through the model at once.")
    ] = 64,
    importance: Annotated[
        int,
        typer.Option(
            "--importance", min=0, metavar="K", help="Also the importance-weighted bound of K samples."
        ),
    ] = 0,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help=f"Also the bound of {FULL_SAMPLES} samples on {FULL_COUNT} data, and up to {FULL_TRAINING} training "
            "pictures to look for copies in.",
        ),
    ] = False,
    inception: Annotated[
        Path | None,
        typer.Option(
            "--inception", dir_okay=False, help="Weights of FID's Inception network: adds FID and KID."
        ),
    ] = None,
    lpips: Annotated[
        Path | None,
        typer.Option("--lpips", dir_okay=False, help="Weights of torchvision's AlexNet: adds LPIPS."),
    ] = None,
    people: Annotated[
        str | None,
        typer.Option(
            "--people",
            metavar="FILE",
            help="Whose pictures they are, a CSV image_id,person, instead of the one beside DATA; none: do not ask. "
            "With the extra identity: whether drawings stay the same person.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", file_okay=False, help="A folder for the card and the sheets."),
    ] = None,
    cache: Cache = None,
    align: AlignAll = True,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure models: reconstructions, likelihood, latents, samples, distributions; several side by side."""
    from facette.data.selection import NOBODY, common_split
    from facette.errors import UsageError
    from facette.evaluation import evaluate as measure
    from facette.evaluation.evaluate import TRAINING_MOST
    from facette.judges.identity import require

    if len(models_and_data) < 2:
        raise UsageError(
            f"evaluate takes at least one model and then the data, got only {models_and_data[0]!r}."
        )
    if people not in (None, NOBODY):
        require()
    opened = _opened(models_and_data[:-1], models_and_data[-1], device, cache, align)
    whole = common_split([(model, store) for model, store, _ in opened.values()], split)
    evaluations = []
    for name, (model, store, label) in opened.items():
        from facette.data.selection import choose_data

        selection = choose_data(
            model, store, whole, count, seed, label=label, source=models_and_data[-1], people=people
        )
        with stages(name if len(opened) > 1 else "") as show:
            evaluations.append(
                measure(
                    model,
                    selection,
                    batch=batch,
                    seed=seed,
                    importance_samples=importance or (FULL_SAMPLES if full else 0),
                    importance_count=FULL_COUNT if full and not importance else None,
                    training_most=FULL_TRAINING if full else TRAINING_MOST,
                    inception=inception,
                    lpips=lpips,
                    cache=cache,
                    name=name,
                    progress=show,
                )
            )
    _show(evaluations, out, as_json)


def _opened(
    models: Sequence[str], data: str, device: str, cache: Path | None, align: bool
) -> dict[str, tuple]:
    """Each model under a name of its own, with the data in its size and what to call them.

    Raises UsageError for models of pictures and models of points together.
    """
    from facette.cli.data import open_source
    from facette.cli.model import open_model
    from facette.errors import UsageError

    opened: dict[str, tuple] = {}
    for path in models:
        model = open_model(path, device)
        name = next(n for n in _names(model.name, path) if n not in opened)
        opened[name] = (model, *open_source(data, model.recipe, cache=cache, align=align))
    kinds = {model.input.kind for model, _, _ in opened.values()}
    if len(kinds) > 1:
        raise UsageError("a model of pictures and a model of points do not compare: evaluate them apart.")
    return opened


def _names(name: str, path: str) -> Iterator[str]:
    """What a model may be called on the card: its own name, else that of its file, else with a number."""
    yield name
    yield Path(path).stem
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1


def _show(evaluations: list[Evaluation], out: Path | None, as_json: bool) -> None:
    from facette.reports.card import to_json, write_report
    from facette.reports.evaluation_page import card_page

    written = []
    if out is not None:
        written = [*write_report(evaluations, out), card_page(evaluations).save(out / "evaluation.html")]
    for path in written:
        remark(f"wrote {path}")
    text = "" if as_json else _table(evaluations)
    emit({**to_json(evaluations), "written": [str(path) for path in written]}, text, as_json)


def _table(evaluations: list[Evaluation]) -> str:
    """The figures, grouped, each with its sentence; distributions apart; below them the findings."""
    from rich.console import Console
    from rich.table import Table

    from facette.measures.declarations import DISTRIBUTION, IDENTITY
    from facette.reports.findings import findings
    from facette.reports.table import distribution_rows, frames_sentence, identity_rows, side_by_side, title

    several = len(evaluations) > 1
    figures = [evaluation.model for evaluation in evaluations] if several else ["figure"]
    table = _columns(Table, "", "measure", *figures, *(() if several else ("meaning",)))
    group = ""
    for row in side_by_side(evaluations):
        cells = (*row.figures, *(() if several else (row.sentence,)))
        table.add_row("" if row.group == group else row.group, row.label, *cells)
        group = row.group
    people = _columns(
        Table, "the same person", "photos", "threshold", *(measure.label for measure in IDENTITY)
    )
    clouds = _columns(Table, "distributions", *(measure.label for measure in DISTRIBUTION))
    for row in identity_rows(evaluations):
        people.add_row(*row)
    for of, *values in distribution_rows(evaluations):
        clouds.add_row(of, *(value.split(" ", 1)[0] for value in values))  # intervals are on the card
    sentences = [sentence for evaluation in evaluations for sentence in findings(evaluation)]
    sentences += filter(None, [frames_sentence(evaluations)])
    shown = [table, *(apart for apart in (people, clouds) if apart.row_count), *sentences]
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    with console.capture() as capture:
        for evaluation in evaluations:
            console.print(title(evaluation), highlight=False, markup=False)
        console.print(*shown, sep="\n", highlight=False, markup=False)
    return capture.get().rstrip()


def _columns(kind: Any, *headings: str) -> Any:
    table = kind(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
