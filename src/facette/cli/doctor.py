"""`facette doctor`: a run or a model in, what is wrong with it and how to mend it out; or this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facette.cli.model import ModelArgument
from facette.cli.output import Cache, Device, Json, Seed, emit


def doctor(
    model: ModelArgument = "",
    data: Annotated[
        str, typer.Argument(help="Pictures: those it was trained on, so that over-fitting shows, or others.")
    ] = "",
    system: Annotated[
        bool,
        typer.Option(
            "--system", help="Instead: what is installed, what each extra misses, device, threads, caches."
        ),
    ] = False,
    count: Annotated[int, typer.Option("--count", min=32, help="Pictures of each part to look at.")] = 256,
    cache: Cache = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Say in plain words what is wrong with a model, and which line of the recipe mends it.

    Ends with 1 where the model is of no use: it draws no better than the mean picture.
    """
    if system:
        from facette.cli.system import examine_system, lines

        report = examine_system()
        emit(report, "\n".join(lines(report)), as_json)
        return
    if not (model and data):
        from facette.errors import UsageError

        raise UsageError("the doctor looks at MODEL and DATA, or at this installation with --system.")
    import numpy as np

    from facette.cli.data import open_source
    from facette.cli.model import open_model
    from facette.data.selection import is_training_set
    from facette.evaluation.doctor import examine
    from facette.training.journal import read_journal

    opened = open_model(model, device)
    store, _ = open_source(data, opened.recipe, cache=cache, remarks=False)
    own = is_training_set(opened, store)

    spec = opened.input
    read = store.read_masked if spec.kind == "image" and spec.masked else store.read

    def some(part: str) -> np.ndarray:
        rows = store.indices(part)
        chosen = np.random.default_rng(seed).permutation(rows)[:count]
        return read(np.sort(chosen))

    held_out = some("valid" if own else "all")
    journal = read_journal(Path(model)) if Path(model).is_dir() else []
    diagnosis = examine(opened, held_out, some("train") if own else None, journal)
    emit(diagnosis.to_dict(), "\n".join(diagnosis.lines()), as_json)
    if diagnosis.fails:
        raise typer.Exit(1)
