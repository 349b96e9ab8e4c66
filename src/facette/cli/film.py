"""What a command draws, as files: a sheet or a film, and the single pictures; how long and how large a film is.

Knows nothing of what is shown.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from facette.latent.photo import PhotoInput

FRAMES = 24  # pictures of a film from one end to the other; it is played there and back

Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds", help="How long a film takes, there and back.  [default: 4]", show_default=False
    ),
]


def result_path(wished: Path | None, fallback: str, seconds: float | None) -> Path:
    """Where a sheet or film goes; an ending or options that cannot work are refused before any work is done."""
    from facette.cli.photo import sheet_path
    from facette.cli.places import place_for
    from facette.errors import UsageError
    from facette.images.sheets.film import check_animation, is_animation

    target = wished or Path(fallback)
    if is_animation(target):
        return place_for(check_animation(target), fallback)[0]
    if seconds is not None:
        raise UsageError(f"--seconds is for films, and {target} is none: end it in .gif or .mp4")
    return sheet_path(wished, fallback)


def drawn_side(photos: "Sequence[PhotoInput]", details: str, side: int | None, target: Path) -> int | None:
    """The side that pictures are drawn at: a film of photos has at most 256 pixels unless more are wished; what the
    model draws by itself is enlarged only when it is played."""
    from facette.images.sheets.film import SIDE, is_animation

    if not is_animation(target):
        return side
    if details == "model":
        return None
    return min(photo.side(most=SIDE) for photo in photos) if side is None else side


def save_result(
    result: Any, target: Path, each: Path | None, seconds: float | None = None, side: int | None = None
) -> dict[str, Any]:
    """Writes the sheet, or the film when the ending asks for one, and the single pictures, and says how many these are;
    returns their names."""
    from facette.cli.output import remark
    from facette.images.sheets.film import is_animation

    film = {"seconds": seconds, "side": side} if is_animation(target) else {}
    sheet = result.save(target, **film)
    singles = [] if each is None else result.save_each(each)
    if singles:
        remark(f"{len(singles)} picture{'s' if len(singles) > 1 else ''} in {each}")
    return {"sheet": str(sheet), "each": [str(single) for single in singles]}
