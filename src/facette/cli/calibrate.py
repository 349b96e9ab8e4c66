"""`facette calibrate`: a model and data in, a model file out that knows what its diversity factors mean."""

from pathlib import Path
from typing import Annotated, Any

import typer

from facette.cli.output import Cache, Device, Json, Pictures, Seed, emit, progress, remark


def calibrate(
    model: Annotated[
        str, typer.Argument(help="A model folder or a run; with --out also a bundled model's name.")
    ],
    data: Pictures,
    photos: Annotated[
        int, typer.Option("--photos", min=2, help="How many photos the curves are measured on.")
    ] = 50,
    count: Annotated[int, typer.Option("--count", "-n", min=2, help="How many variations of each.")] = 10,
    references: Annotated[
        int, typer.Option("--references", min=200, help="How many training pictures to compare with.")
    ] = 4000,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", file_okay=False, help="Write a copy of the model.  [default: into MODEL itself]"
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Also show, on the same number of photos, that the dial keeps its word."
        ),
    ] = False,
    cache: Cache = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure what diversity means for a model, and keep it in the model file."""
    from facette.checkpoint.native import load_model
    from facette.cli.data import open_source
    from facette.cli.model import open_model
    from facette.dial.calibrate import calibrate as measure

    _refuse_bundled(model, out)
    opened = open_model(model, device)
    store, label = open_source(data, opened.recipe, cache=cache)
    remark(f"likeness and realism from up to {references} pictures, then factors on {photos} photos")
    with progress(None, "calibrating", "photos") as bar:
        done = 0

        def show(now: int, total: int) -> None:
            nonlocal done
            bar.total(total)
            bar.advance(now - done)
            done = now

        found = measure(
            opened,
            store,
            photos=photos,
            count=count,
            references=references,
            seed=seed,
            label=label,
            progress=show,
        )
    path = found.save(model, out)
    data_ = {"model": str(path), **found.metrics}
    text = [str(path), *_table(found)]
    if verify:
        from facette.dial.verify import study

        proof = study(load_model(path, device), store, photos=photos, seed=seed)
        data_["verified"] = proof.to_dict()
        text += proof.lines()
    emit(data_, "\n".join(text), as_json)


def _refuse_bundled(model: str, out: Path | None) -> None:
    """A bundled model is part of the program and stays as it is."""
    from facette.checkpoint.native import bundled_models
    from facette.errors import UsageError

    if out is None and model in bundled_models() and not Path(model).exists():
        raise UsageError(
            f"{model} comes with the program and is not written into: give --out FOLDER for a copy."
        )


def _table(found: Any) -> list[str]:
    """What the factors do, as lines to read."""
    lines = [
        f"impostor threshold: cosine {found.gauge.threshold:.3f}, which 1 % of pairs of strangers exceed"
    ]
    for noise, curve in found.curves.items():
        lines += ["", f"{noise} noise; recommended factor {curve.recommended():.3g}"]
        lines += [f"{'factor':>8}{'likeness':>10}{'above':>8}{'realism':>9}{'spread':>8}"]
        lines += [
            f"{factor:8.3g}{cosine:10.3f}{above:8.0%}{realism:9.3f}{spread:8.3f}"
            for factor, cosine, above, realism, spread in zip(
                curve.factors, curve.likeness, curve.above, curve.realism, curve.spread, strict=True
            )
        ]
    return lines
