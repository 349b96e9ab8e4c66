"""`facette interpolate`: two photos or more in, the path between them out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.film import FRAMES, Seconds
from facette.cli.model import Model, Plain
from facette.cli.output import Device, Json, emit, remark
from facette.cli.photo import Align, Details, Each, Faces, Side
from facette.models import DEFAULT_MODEL


def interpolate(
    photos: Annotated[list[Path], typer.Argument(help="Two photos or more, in the order they are visited.")],
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=2,
            help="Pictures from each photo to the next, both included.  [default: 10; in a film 24; in a field 5]",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Literal["linear", "slerp", "norm", "geodesic"],
        typer.Option(
            "--path",
            "--method",
            help="linear; slerp along the great circle; norm: straight, at the ends' length; "
            "geodesic: the shortest in decoded pictures.",
        ),
    ] = "linear",
    equal_steps: Annotated[
        bool, typer.Option("--equal-steps", help="Make every step look equally long.")
    ] = False,
    grid: Annotated[
        bool, typer.Option("--grid", help="The field between four photos, which are its corners.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A sheet, or a film: .gif or .mp4.  [default: A-to-B.png]"),
    ] = None,
    each: Each = None,
    seconds: Seconds = None,
    details: Details = "photo",
    side: Side = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    align: Align = True,
    faces: Faces = "1",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Walk from one photo to another, through several, or across the field between four."""
    from facette.cli.film import drawn_side, result_path, save_result
    from facette.cli.model import open_model
    from facette.cli.photo import parse_faces, take_in_several
    from facette.errors import UsageError
    from facette.images.sheets.film import is_animation
    from facette.latent import Interpolation, field
    from facette.latent import interpolate as interpolate_photos

    if len(photos) < 2:
        raise UsageError("a path needs at least two photos: name another one.")
    fallback = f"{photos[0].stem}-to-{photos[-1].stem}.png"
    target = result_path(out, fallback, seconds)
    if grid and (equal_steps or is_animation(target)):
        raise UsageError("--grid makes a sheet of even steps: leave out --equal-steps, and end it in .png")
    chosen = parse_faces(faces, len(photos))
    opened = open_model(model, device, plain, light=method != "geodesic")
    several = take_in_several(opened, photos, align, chosen)
    stations = several.photos
    if len(stations) < 2:
        raise UsageError("a path needs at least two photos, and only one is left: name another one.")
    drawn = {"details": details, "side": drawn_side(stations, details, side, target)}
    if grid:
        result = field(opened, stations, rows=steps or 5, columns=steps or 5, method=method, **drawn)
    else:
        count = steps or (FRAMES if is_animation(target) else 10)
        result = interpolate_photos(
            opened, *stations, steps=count, method=method, equal_steps=equal_steps, **drawn
        )
        for geodesic in result.geodesics:
            shorter = 100 * (1 - geodesic.length / geodesic.straight) if geodesic.straight else 0.0
            remark(f"geodesic: {shorter:.1f} % shorter than the straight line, in decoded pictures")
    written = save_result(replace(result, remark=several.remark), target, each, seconds, side)
    settings = {name: value for name, value in result.settings().items() if name != "photos"}
    data = {**written, **several.account(), **settings}
    if isinstance(result, Interpolation):
        data["unevenness"] = round(result.unevenness, 4)
    emit(data, written["sheet"], as_json)
    several.leave_if_partly()
