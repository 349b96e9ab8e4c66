"""`facette sweep`: one photo at growing diversity, a row for each factor."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.model import DEFAULT_MODEL, Model
from facette.cli.output import Device, Json, Seed, emit
from facette.cli.photo import Align, Eyes, Face


def sweep(
    photo: Annotated[Path, typer.Argument(help="Any photo.")],
    first: Annotated[float, typer.Option("--from", min=0, help="The factor of the first row.")] = 1.0,
    last: Annotated[float, typer.Option("--to", min=0, help="The factor of the last row.")] = 10.0,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many factors, evenly spaced.")] = 10,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many variations in a row.")] = 10,
    mode: Annotated[
        Literal["factor", "variance"],
        typer.Option("--mode", help="What the factor multiplies: factor (of σ) or variance (σ²)."),
    ] = "factor",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet.  [default: PHOTO-sweep.png]")
    ] = None,
    model: Model = DEFAULT_MODEL,
    align: Align = True,
    face: Face = 1,
    eyes: Eyes = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Show what each diversity does to one photo; a column keeps its direction from row to row."""
    from facette.cli.model import open_model
    from facette.cli.photo import sheet_path, take_in
    from facette.latent import sweep as sweep_photo
    from facette.latent.vary import spaced_factors

    factors = spaced_factors(first, last, rows)
    target = sheet_path(out, f"{photo.stem}-sweep.png")
    opened = open_model(model, device)
    taken = take_in(opened, photo, align, face, eyes)
    swept = sweep_photo(opened, taken.picture, factors, count=count, seed=seed, mode=mode)
    sheet = replace(swept, remark=taken.report.summary()).save(target)
    data = {
        "sheet": str(sheet),
        "photo": taken.to_dict(),
        "model": opened.name,
        "factors": list(swept.factors),
        "count": count,
        "mode": mode,
        "seed": seed,
        "seeds": list(swept.rows[0].seeds),
    }
    emit(data, str(sheet), as_json)
