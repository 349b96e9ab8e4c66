"""`facette sharpen`: a model and pictures in, the same model with a second stage out. Again to go on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from facette.cli.failures import leave_if_interrupted
from facette.cli.model import ModelArgument
from facette.cli.output import (
    AlignAll,
    Cache,
    Device,
    DryRun,
    Folders,
    Json,
    Labels,
    Set,
    Strict,
    emit,
    progress,
)


def sharpen(
    model: ModelArgument,
    data: Folders,
    run: Annotated[
        Path | None,
        typer.Option("--out", help="The run's folder; by default runs/NAME-sharp.", file_okay=False),
    ] = None,
    overrides: Set = None,
    device: Device = "auto",
    cache: Cache = None,
    align: AlignAll = True,
    labels: Labels = None,
    strict: Strict = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Teach a trained model to draw sharp pictures from the same latents; a second stage of the same layers learns on.
    The same command again goes on."""
    from facette.checkpoint.native import load_model
    from facette.cli.data import open_source
    from facette.cli.train import TrainingView, ended_as
    from facette.training.rehearsal import rehearse_sharpening
    from facette.training.run import sharpen as sharpen_run
    from facette.training.schedule import steps_of, training_rows
    from facette.training.second_stage import with_section

    loaded = with_section(load_model(model), overrides or [])
    spec = loaded.recipe.sharpen
    assert spec is not None
    folder = run or Path("runs") / f"{loaded.name}-sharp"
    store, source = open_source(
        data or [], loaded.recipe, cache=cache, align=align, attributes=labels, strict=strict
    )
    images = len(training_rows(store, loaded.recipe.train.pictures))
    steps = steps_of(spec, images)
    if dry_run:
        rehearse_sharpening(loaded, store, device=device)
        plan = {"model": loaded.name, "run": str(folder), "pictures": images, "steps": steps}
        text = f"{loaded.name}: {steps:,} steps of {spec.batch} over {images:,} pictures of {source} into {folder}"
        emit(plan, text, as_json)
        return
    command = "facette " + " ".join(sys.argv[1:])
    with progress(steps * spec.batch, "sharpening", "images") as bar:
        ended = sharpen_run(loaded, store, folder, device=device, watcher=TrainingView(bar), command=command)
    emit(*ended_as(ended), as_json)
    leave_if_interrupted(ended.interrupted, ended.signal)
