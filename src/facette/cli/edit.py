"""`facette edit`: a photo and wishes in, the same person changed out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facette.cli.film import FRAMES, Seconds
from facette.cli.model import Model, Plain
from facette.cli.output import Device, Json, emit, remark
from facette.cli.paste import Paste
from facette.cli.photo import Align, AllFaces, Details, Each, Eyes, Face, Hide, Side
from facette.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from facette.latent.worth import Way

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_WISH = re.compile(rf"(?P<name>[^=]+)(?:=(?:(?P<low>{_NUMBER})(?:\.\.(?P<high>{_NUMBER}))?|(?P<way>[+-])))?")


def edit(
    photo: Annotated[
        Path | None, typer.Argument(help="Any photo.", show_default=False, metavar="photo")
    ] = None,
    wishes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ATTRIBUTE=STRENGTH…",
            help="Smiling raises as far as it takes to be seen, Smiling=- lowers, Smiling=+2 raises by two standard "
            "deviations, Smiling=-3..3 makes a strip.",
            show_default=False,
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="What the model can change, how far it takes, and what else moves.")
    ] = False,
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
    each: Each = None,
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
    from facette.cli.photo import account_of, check_all_faces, numbered, take_in_faces
    from facette.errors import UsageError
    from facette.images.sheets.film import is_animation
    from facette.latent import edit as edit_photo
    from facette.latent import strip as strip_photo

    if listed:
        _list(model, device, as_json)
        return
    if photo is None or not wishes:
        raise UsageError(
            "edit takes a photo and what to change: facette edit me.jpg Smiling; --list says what"
        )
    target = result_path(out, f"{photo.stem}-edited.png", seconds)
    points, spans, ways = parse_wishes(wishes)
    film = is_animation(target)
    if (film or steps is not None) and not spans:
        raise UsageError("a film, and --steps, need a range, such as Smiling=-3..3")
    if len(spans) > 1:
        raise UsageError(f"give one range at a time, not {', '.join(spans)}; the others as single strengths.")
    check_all_faces(all_faces, align, face, eyes)
    opened = open_model(model, device, plain, light=True)
    points |= _usual(opened, ways)
    photos = take_in_faces(opened, photo, all_faces, align, face, eyes, hide)
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
        remarked = replace(result, remark=portrait.report.summary())
        singles = each and numbered(each, number)
        written = save_result(remarked, numbered(target, number), singles, seconds, side)
        results.append(result)
        photo_account = {"photo": account_of(portrait), **result.settings(), **_account(result)}
        accounts.append({**written, **photo_account})
    pasted = {"pasted": paste_results(opened, photos, results, target)} if paste else {}
    data = {"faces": accounts, **pasted} if all_faces else {**accounts[0], **pasted}
    emit(data, "\n".join(account["sheet"] for account in accounts), as_json)


def parse_wishes(
    wishes: list[str],
) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, Way]]:
    """ "Smiling=+2" as a strength, "Smiling=-3..3" as a range, "Smiling" and "Smiling=-" as a way to go as far as is
    usual. Raises UsageError for anything else, and for doubles."""
    from facette.errors import UsageError

    points: dict[str, float] = {}
    spans: dict[str, tuple[float, float]] = {}
    ways: dict[str, Way] = {}
    for wish in wishes:
        match = _WISH.fullmatch(wish.strip())
        if match is None:
            raise UsageError(
                f"{wish!r} is no wish: write ATTRIBUTE, or ATTRIBUTE=STRENGTH, such as Smiling=+2 or Smiling=-3..3"
            )
        name = match["name"].strip()
        if name in points or name in spans or name in ways:
            raise UsageError(f"{name} is wished for twice: give it one strength or one range.")
        if match["low"] is None:
            ways[name] = "lower" if match["way"] == "-" else "raise"
        elif match["high"] is None:
            points[name] = float(match["low"])
        else:
            spans[name] = (float(match["low"]), float(match["high"]))
    return points, spans, ways


def _usual(opened: Any, ways: dict[str, Way]) -> dict[str, float]:
    """How far to go where only the way is said."""
    from facette.latent.directions import known_directions
    from facette.latent.worth import usual_strength

    if not ways:
        return {}
    directions = known_directions(opened)
    names = {name: directions.names[directions.place(name)] for name in ways}
    return {names[name]: usual_strength(opened, names[name], way) for name, way in ways.items()}


def _list(model: str, device: str, as_json: bool) -> None:
    """What can be changed, and what it is worth."""
    from facette.cli.model import open_model
    from facette.latent.worth import worth_rows, worth_table

    opened = open_model(model, device, plain=True, light=True)
    told = worth_rows(opened)
    emit(told, worth_table(told), as_json)


def _account(result: Any) -> dict[str, Any]:
    return {
        "also": {name: round(effect, 3) for name, effect in result.shift.notable.items()},
        "warning": result.shift.warning,
        "length": round(result.shift.length, 3),
    }
