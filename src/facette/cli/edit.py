"""`facette edit`: a photo and wishes in, the same person changed out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from facette.cli.film import FRAMES, Seconds
from facette.cli.model import DEFAULT_MODEL, Model, Plain
from facette.cli.output import Device, Json, emit, remark
from facette.cli.photo import Align, Details, Eyes, Face, Photo, Side

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_WISH = re.compile(rf"(?P<name>[^=]+)=(?P<low>{_NUMBER})(?:\.\.(?P<high>{_NUMBER}))?")


def edit(
    photo: Photo,
    wishes: Annotated[
        list[str],
        typer.Argument(
            metavar="ATTRIBUTE=STRENGTH…",
            help="Smiling=+2 raises by two standard deviations, Smiling=-3..3 makes a strip.",
        ),
    ],
    keep: Annotated[
        str, typer.Option("--keep", metavar="A,B", help="Attributes whose score must not move.")
    ] = "",
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=2, help="Pictures of a strip.  [default: 7; in a film 24]", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The sheet; for a strip also .gif or .mp4.  [default: PHOTO-edited.png]"
        ),
    ] = None,
    each: Annotated[
        Path | None,
        typer.Option("--each", "--save-each", file_okay=False, help="A folder for the single pictures too."),
    ] = None,
    seconds: Seconds = None,
    details: Details = "photo",
    side: Side = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    align: Align = True,
    face: Face = 1,
    eyes: Eyes = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Raise and lower attributes of one photo, and say what else will change."""
    from facette.cli.film import drawn_side, result_path, save_result
    from facette.cli.model import open_model
    from facette.cli.photo import account_of, take_in
    from facette.errors import UsageError
    from facette.images.sheets.film import is_animation
    from facette.latent import edit as edit_photo
    from facette.latent import strip as strip_photo

    target = result_path(out, f"{photo.stem}-edited.png", seconds)
    points, spans = parse_wishes(wishes)
    film = is_animation(target)
    if (film or steps is not None) and not spans:
        raise UsageError("a film, and --steps, need a range, such as Smiling=-3..3")
    if len(spans) > 1:
        raise UsageError(f"give one range at a time, not {', '.join(spans)}; the others as single strengths.")
    opened = open_model(model, device, plain or details == "photo")
    taken = take_in(opened, photo, align, face, eyes)
    drawn = {"details": details, "side": drawn_side([taken], details, side, target)}
    kept = [name.strip() for name in keep.split(",") if name.strip()]
    if spans:
        ((name, span),) = spans.items()
        count = steps or (FRAMES if film else 7)
        made = strip_photo(opened, taken, name, span, steps=count, wishes=points, keep=kept, **drawn)
    else:
        made = edit_photo(opened, taken, points, keep=kept, **drawn)
    if made.shift.warning:
        remark(("at its strongest " if spans else "") + made.shift.warning)
    sheet = save_result(replace(made, remark=taken.report.summary()), target, seconds, side)
    singles = [] if each is None else made.save_each(each)
    data = {"sheet": str(sheet), "each": [str(single) for single in singles], "photo": account_of(taken)}
    emit({**data, **made.settings(), **_account(made)}, str(sheet), as_json)


def parse_wishes(wishes: list[str]) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """ "Smiling=+2" as a strength, "Smiling=-3..3" as a range. Raises UsageError for anything else, and for doubles."""
    from facette.errors import UsageError

    points: dict[str, float] = {}
    spans: dict[str, tuple[float, float]] = {}
    for wish in wishes:
        found = _WISH.fullmatch(wish.strip())
        if found is None:
            raise UsageError(
                f"{wish!r} is no wish: write ATTRIBUTE=STRENGTH, such as Smiling=+2 or Smiling=-3..3"
            )
        name = found["name"].strip()
        if name in points or name in spans:
            raise UsageError(f"{name} is wished for twice: give it one strength or one range.")
        if found["high"] is None:
            points[name] = float(found["low"])
        else:
            spans[name] = (float(found["low"]), float(found["high"]))
    return points, spans


def _account(made: Any) -> dict[str, Any]:
    return {
        "also": {name: round(effect, 3) for name, effect in made.shift.notable.items()},
        "warning": made.shift.warning,
        "length": round(made.shift.length, 3),
    }
