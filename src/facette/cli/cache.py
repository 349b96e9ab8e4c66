"""`facette cache`: what is kept of pictures between commands, and how much of the disk it takes, shown or deleted.

Enters: the cache folder. Leaves: its list, or what was freed. Which files are ours is known to `facette.data.cache`.
"""

from __future__ import annotations

from time import localtime, strftime
from typing import Annotated, Any, Literal

import typer

from facette.cli.output import Cache, Json, emit


def cache(
    action: Annotated[
        Literal["show", "clear"], typer.Argument(help="show what is kept, or clear it away.")
    ] = "show",
    folder: Cache = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted; delete nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show or clear what is kept of pictures between commands. All of it comes back when it is needed."""
    from facette.data.cache import clear_cache, list_cache
    from facette.data.open import cache_folder

    place = cache_folder(folder)
    if action == "clear" and not dry_run:
        clearance = clear_cache(place)
        data = {
            "folder": str(place),
            "deleted": [_entry(entry) for entry in clearance.deleted],
            "freed": clearance.freed,
            "kept": [{**_entry(entry), "reason": reason} for entry, reason in clearance.kept],
        }
        lines = [f"{size(clearance.freed)} freed in {place}: {len(clearance.deleted)} entries deleted"]
        lines += [f"kept: {entry.path.name}: {reason}" for entry, reason in clearance.kept]
        emit(data, "\n".join(lines), as_json)
        return
    entries = list_cache(place)
    total = sum(entry.size for entry in entries)
    lines = [f"{place}: {size(total)}" + ("" if entries else "; nothing is kept")]
    lines += [
        f"  {size(entry.size):>8}  {strftime('%Y-%m-%d', localtime(entry.used))}  {entry.kind:<18}  {entry.path.name}"
        for entry in entries
    ]
    if action == "clear":
        lines.append("nothing was deleted (--dry-run)")
    emit(
        {"folder": str(place), "size": total, "entries": [_entry(entry) for entry in entries]},
        "\n".join(lines),
        as_json,
    )


def size(count: int) -> str:
    """Bytes as people say them: 3.4 GB, of 1,000 MB each."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"


def _entry(entry: Any) -> dict[str, Any]:
    return {"name": entry.path.name, "kind": entry.kind, "size": entry.size, "used": round(entry.used)}
