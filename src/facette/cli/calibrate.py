"""`facette calibrate`: a model and data in, a model file out that knows how people differ and what strengths mean."""

from pathlib import Path
from typing import Annotated, Any

import typer

from facette.cli.output import AlignAll, Cache, Device, Json, Pictures, Seed, emit, remark, stages


def calibrate(
    model: Annotated[
        str, typer.Argument(help="A model folder or a run; with --out also a bundled model's name.")
    ],
    data: Pictures,
    photos: Annotated[
        int, typer.Option("--photos", min=2, help="How many photos the curves are measured on.")
    ] = 50,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, help="How many relatives of each, at every strength.")
    ] = 2,
    references: Annotated[
        int, typer.Option("--references", min=2, help="How many training pictures say how people differ.")
    ] = 8000,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", file_okay=False, help="Write a copy of the model.  [default: into MODEL itself]"
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Also show, on as many other photos, that the levels keep their word."),
    ] = False,
    cache: Cache = None,
    align: AlignAll = True,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure how people differ to a model and how far each diversity goes, and keep it in the model file."""
    from facette.checkpoint.native import load_model
    from facette.cli.data import open_source
    from facette.cli.model import open_model
    from facette.dial.calibrate import FEWEST_PHOTOS, judged_side, open_pictures
    from facette.dial.calibrate import calibrate as measure
    from facette.judges.identity import EXTRA, available, speaks_for

    _refuse_bundled(model, out)
    opened = open_model(model, device)
    judged = opened.input.model_copy(update={"size": judged_side(opened)})
    store, label = open_source(
        data, opened.recipe.model_copy(update={"input": judged}), cache=cache, align=align
    )
    most = max(photos, FEWEST_PHOTOS)
    others, shown = open_pictures(opened, store, 2 * most if verify else most, references, seed, label).part(
        most
    )
    if speaks_for(opened.input.frame) is not None and not available():
        remark(f'no judge of who a face is: pip install "facette[{EXTRA}]", or levels are fixed shares')
    tried = min(photos, len(shown.frames))
    remark(f"how people differ, from {len(shown.references)} pictures; then distances of {tried} photos")
    with stages(unit="strengths") as show:
        calibration = measure(opened, shown, photos=photos, count=count, seed=seed, progress=show)
    if not calibration.curves:
        few = f"there are {len(shown.frames)} photos, and it takes {FEWEST_PHOTOS}"
        why = few if len(shown.frames) < FEWEST_PHOTOS else "no judge knows such pictures"
        remark(f"no distances were measured, for {why}: levels are fixed shares of how the pictures differ")
    path = calibration.save(model, out)
    data_ = {"model": str(path), **calibration.metrics}
    text = [str(path), *_table(calibration)]
    if verify and calibration.curves:
        from facette.dial.verify import study

        proof = study(load_model(path, device), others.frames, others.people, seed=seed)
        data_["verified"] = proof.to_dict()
        text += ["", *proof.lines()]
    emit(data_, "\n".join(text), as_json)


def _refuse_bundled(model: str, out: Path | None) -> None:
    """A bundled model is part of the program and stays as it is."""
    from facette.checkpoint.native import bundled_models
    from facette.errors import UsageError

    if out is None and model in bundled_models() and not Path(model).exists():
        raise UsageError(
            f"{model} comes with the program and is not written into: give --out FOLDER for a copy."
        )


def _table(calibration: Any) -> list[str]:
    """What the strengths do, as lines to read."""
    from facette.latent.levels import DISTANCE

    lines = []
    for (noise, details), curve in calibration.curves.items():
        levels = {level: curve.strength_at(distance) for level, distance in DISTANCE.items()}
        strengths = ", ".join(f"{level} {strength:g}" for level, strength in levels.items() if strength)
        lines += ["", f"{noise} noise, details of the {details}: {strengths or 'no level is within reach'}"]
        lines += [f"{'strength':>9}{'distance':>10}{'likeness':>10}{'same person':>13}"]
        lines += [
            f"{strength:9.3g}{distance:10.3f}{curve.likeness_of(distance):10.2f}{same:13.0%}"
            for strength, distance, same in zip(curve.strength, curve.distance, curve.same, strict=True)
        ]
    return lines
