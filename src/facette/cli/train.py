"""`facette train`: a recipe and pictures in, a run out. The same command again goes on where it stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from facette.cli.output import Bar, Device, Json, Set, emit, progress


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe's name, or the path of a TOML file.")],
    data: Annotated[
        str, typer.Argument(help="A folder or zip of pictures, a CelebA folder, or synthetic-faces[:COUNT].")
    ] = "",
    run: Annotated[
        Path | None, typer.Option("--out", help="The run's folder; by default runs/RECIPE.", file_okay=False)
    ] = None,
    overrides: Set = None,
    device: Device = "auto",
    cache: Annotated[Path | None, typer.Option("--cache", help="Where packed pictures are kept.")] = None,
    attributes: Annotated[Path | None, typer.Option("--attributes", help="A CSV of attributes.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a data set with unreadable pictures.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show the plan, train nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a model. Run the same command again to go on where it stopped."""
    from facette.cli.data import open_source
    from facette.recipe import load_recipe
    from facette.training import train as train_run
    from facette.training.schedule import steps_of

    resolved = load_recipe(recipe, overrides or [])
    folder = run or Path("runs") / resolved.name
    store, source = open_source(data, resolved, cache=cache, attributes=attributes, strict=strict)
    images = len(store.indices("train"))
    steps = steps_of(resolved.train, images)
    if dry_run:
        plan = {"recipe": resolved.name, "run": str(folder), "pictures": images, "steps": steps}
        emit(
            plan,
            f"{resolved.name}: {steps:,} steps of {resolved.train.batch} over {images:,} pictures into {folder}",
            as_json,
        )
        return
    command = "facette " + " ".join(sys.argv[1:])
    with progress(steps * resolved.train.batch, "training", "images") as bar:
        ended = train_run(
            resolved,
            store,
            folder,
            device=device,
            watcher=Shown(bar, resolved.train.batch),
            source=source,
            command=command,
        )
    text = (
        f"stopped at step {ended.step:,} of {ended.steps:,}; run the same command to go on: {folder}"
        if ended.interrupted
        else str(ended.model or folder)
    )
    data_out = {
        "run": str(ended.run),
        "model": str(ended.model) if ended.model else None,
        "step": ended.step,
        "steps": ended.steps,
        "interrupted": ended.interrupted,
    }
    emit(data_out, text, as_json)


class Shown:
    """A watcher that draws the bar; one line is printed per validation."""

    def __init__(self, bar: Bar, batch: int):
        self._bar, self._batch = bar, batch

    def started(self, step: int, steps: int) -> None:
        self._bar.total(steps * self._batch)
        self._bar.advance(step * self._batch)

    def stepped(self, step: int, images: int) -> None:
        self._bar.advance(images)

    def measured(self, row: dict[str, Any]) -> None:
        if row["event"] == "train":
            self._bar.say(f"rate {row['rate']:.0f}  distortion {row['distortion']:.0f} nats")
        else:
            self._bar.remark(
                f"step {row['step']:>7,}  elbo {row['elbo']:.1f} nats  rate {row['rate']:.1f}  "
                f"unexplained variance {row['unexplained_variance']:.4f}  units used {row['used_units']}"
            )

    def said(self, sentence: str) -> None:
        self._bar.remark(sentence)
