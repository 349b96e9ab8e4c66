"""`facette traverse`: what each latent, or each main axis of the data, draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from facette.cli.model import ModelArgument, Plain
from facette.cli.output import Cache, Device, Json, emit, progress
from facette.cli.photo import Align, Details, Each, Eyes, Face, Hide, Side


def traverse(
    model: ModelArgument,
    data: Annotated[
        str,
        typer.Argument(
            help="Pictures to see where the data lie; not needed once `facette attributes fit` has seen some."
        ),
    ] = "",
    photo: Annotated[
        Path | None, typer.Option("--photo", help="Start from this photo.  [default: the middle of the data]")
    ] = None,
    along: Annotated[
        Literal["latents", "axes"],
        typer.Option(
            "--along", help="latents, by their nats; or axes: the principal directions of the data."
        ),
    ] = "latents",
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many directions.")] = 8,
    steps: Annotated[int, typer.Option("--steps", min=2, help="Pictures of a row.")] = 7,
    reach: Annotated[
        float, typer.Option("--reach", help="How far, in standard deviations of the data.")
    ] = 3.0,
    count: Annotated[int, typer.Option("--count", "-n", min=2, help="At most so many of DATA.")] = 2000,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet.  [default: traversal.png]")
    ] = None,
    each: Each = None,
    cache: Cache = None,
    align: Align = True,
    face: Face = 1,
    eyes: Eyes = None,
    hide: Hide = None,
    details: Details = "photo",
    side: Side = None,
    device: Device = "auto",
    plain: Plain = False,
    as_json: Json = False,
) -> None:
    """Walk along single latents, or along the main axes of the data."""
    from facette.cli.film import save_result
    from facette.cli.model import open_model
    from facette.cli.photo import account_of, sheet_path, take_in
    from facette.latent import traverse as traverse_latents

    target = sheet_path(out, "traversal.png")
    opened = open_model(model, device, plain, light=True)
    cloud = _cloud(opened, model, data, count, cache) if data else None
    intake = None if photo is None else take_in(opened, photo, align, face, eyes, hide)
    traversal = traverse_latents(
        opened,
        intake,
        along=along,
        rows=rows,
        steps=steps,
        reach=reach,
        cloud=cloud,
        details=details,
        side=side,
    )
    remarked = replace(traversal, remark=intake.report.summary() if intake else "")
    written = save_result(remarked, target, each)
    directions = [
        {"name": row.name, "figure": row.figure, "attribute": row.attribute, "correlation": row.correlation}
        for row in traversal.rows
    ]
    photo_account = intake and account_of(intake)
    account = {**written, **traversal.settings(), "directions": directions, "photo": photo_account}
    emit(account, written["sheet"], as_json)


def _cloud(opened: Any, model: str, data: str, count: int, cache: Path | None) -> Any:
    """Where the first pictures of the data lie."""
    from facette.checkpoint.locate import describe_model, find_model
    from facette.cli.data import open_source
    from facette.latent.cloud import encode_set, measure_cloud
    from facette.recipe import parse_recipe

    recipe = parse_recipe(describe_model(find_model(model))["recipe"], model)
    store, _ = open_source(data, recipe, cache=cache)
    indices = store.indices("all")[:count]
    with progress(len(indices), "encoding", "pictures") as bar:
        return measure_cloud(encode_set(opened, store.read, indices, bar.advance))
