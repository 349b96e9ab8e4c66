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
from facette.cli.paste import Paste
from facette.cli.photo import Align, AllFaces, Details, Eyes, Face, Hide, Photo, Side

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
    all_faces: AllFaces = False,
    eyes: Eyes = None,
    hide: Hide = None,
    paste: Paste = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Raise and lower attributes of one photo, and say what else will change."""
    from facette.cli.film import drawn_side, result_path, save_result
    from facette.cli.model import open_model
    from facette.cli.paste import paste_results
    from facette.cli.photo import account_of, numbered, take_in, take_in_all
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
    if all_faces and (face != 1 or eyes is not None or not align):
        raise UsageError("--all-faces takes every face; leave out --face, --eyes and --no-align.")
    opened = open_model(model, device, plain or details == "photo", light=True)
    photos = (
        take_in_all(opened, photo, hide) if all_faces else [take_in(opened, photo, align, face, eyes, hide)]
    )
    kept = [name.strip() for name in keep.split(",") if name.strip()]
    results, accounts = [], []
    for number, portrait in enumerate(photos, start=1):
        drawn = {"details": details, "side": drawn_side([portrait], details, side, target)}
        if spans:
            ((name, span),) = spans.items()
            count = steps or (FRAMES if film else 7)
            result = strip_photo(opened, portrait, name, span, steps=count, wishes=points, keep=kept, **drawn)
        else:
            result = edit_photo(opened, portrait, points, keep=kept, **drawn)
        if result.shift.warning:
            remark(("at its strongest " if spans else "") + result.shift.warning)
        place = numbered(target, number)
        sheet = save_result(replace(result, remark=portrait.report.summary()), place, seconds, side)
        singles = [] if each is None else result.save_each(numbered(each, number))
        results.append(result)
        accounts.append(
            {
                "sheet": str(sheet),
                "each": [str(single) for single in singles],
                "photo": account_of(portrait),
                **result.settings(),
                **_account(result),
            }
        )
    pasted = {"pasted": paste_results(opened, photos, results, target)} if paste else {}
    data = {"faces": accounts, **pasted} if all_faces else {**accounts[0], **pasted}
    emit(data, "\n".join(account["sheet"] for account in accounts), as_json)


def parse_wishes(wishes: list[str]) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """ "Smiling=+2" as a strength, "Smiling=-3..3" as a range. Raises UsageError for anything else, and for doubles."""
    from facette.errors import UsageError

    points: dict[str, float] = {}
    spans: dict[str, tuple[float, float]] = {}
    for wish in wishes:
        match = _WISH.fullmatch(wish.strip())
        if match is None:
            raise UsageError(
                f"{wish!r} is no wish: write ATTRIBUTE=STRENGTH, such as Smiling=+2 or Smiling=-3..3"
            )
        name = match["name"].strip()
        if name in points or name in spans:
            raise UsageError(f"{name} is wished for twice: give it one strength or one range.")
        if match["high"] is None:
            points[name] = float(match["low"])
        else:
            spans[name] = (float(match["low"]), float(match["high"]))
    return points, spans


def _account(result: Any) -> dict[str, Any]:
    return {
        "also": {name: round(effect, 3) for name, effect in result.shift.notable.items()},
        "warning": result.shift.warning,
        "length": round(result.shift.length, 3),
    }
