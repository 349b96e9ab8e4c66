"""`facette evaluate`: a model and data in, a card of figures out."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.output import Device, Json, Seed, emit, progress, remark

PIPED_WIDTH = 140  # columns where no terminal says how many there are


def evaluate(
    model: Annotated[str, typer.Argument(help="A bundled model's name, a model folder, or a run.")],
    data: Annotated[
        str, typer.Argument(help="A folder or zip of pictures, a CelebA folder, or synthetic-faces[:COUNT].")
    ],
    split: Annotated[
        Literal["auto", "train", "valid", "test", "all"],
        typer.Option(
            "--split",
            help="train, valid, test or all; auto is valid for the model's own training data and all for any other.",
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
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", file_okay=False, help="A folder for the card and the sheets."),
    ] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="Where packed pictures are kept.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure a model: reconstructions, likelihood, latents, samples."""
    from facette.cli.data import open_source
    from facette.cli.model import open_model
    from facette.evaluation import evaluate as measure
    from facette.evaluation.subject import choose_data

    opened = open_model(model, device)
    store, label = open_source(data, opened.recipe, cache=cache)
    subject = choose_data(opened, store, split, count, seed, label=label)
    unit = "images" if opened.recipe.input.kind == "image" else "points"
    with progress(len(subject.indices), "measuring", unit) as bar:
        evaluation = measure(
            opened, subject, batch=batch, seed=seed, importance_samples=importance, progress=bar.advance
        )
    written = [] if out is None else evaluation.save(out)
    for path in written:
        remark(f"wrote {path}")
    emit({**evaluation.to_dict(), "written": [str(path) for path in written]}, _table(evaluation), as_json)


def _table(evaluation) -> str:
    """The figures, grouped, each with its sentence; below them the findings."""
    from rich.console import Console
    from rich.table import Table

    from facette.evaluation.report import findings, lines, title

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "measure", "figure", "meaning"):
        table.add_column(heading, overflow="fold")
    group = ""
    for line in lines(evaluation):
        table.add_row("" if line.group == group else line.group, line.label, line.figure, line.sentence)
        group = line.group
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    with console.capture() as capture:
        console.print(
            title(evaluation), table, *findings(evaluation), sep="\n", highlight=False, markup=False
        )
    return capture.get().rstrip()
