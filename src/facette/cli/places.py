"""What every command does before it begins: sees that nothing it writes falls onto what it reads, and has room.

Enters: a command and what was typed. Leaves: the same command, which is refused in one sentence while nothing is lost
yet. A command's outputs are its parameters called as in `OUTPUTS`; everything else that names an existing file is an
input. Knows nothing of what a command does.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

OUTPUTS = ("out", "each", "report", "run")
_NUMBERED = re.compile(r"\d+\.png", re.IGNORECASE)  # as single pictures are called


def with_places_checked(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, which first looks at where it will write."""

    @functools.wraps(command)
    def checked(**typed: Any) -> Any:
        from facette.files import check_outputs

        outputs = list(_paths(value for name, value in typed.items() if name in OUTPUTS))
        if outputs:
            others = (value for name, value in typed.items() if name not in OUTPUTS)
            inputs = [path for path in _paths(others, strings=True) if path.is_file()]
            check_outputs(outputs, inputs)
            if isinstance(typed.get("each"), Path):
                _check_each(typed["each"], inputs)
        return command(**typed)

    return checked


def _check_each(folder: Path, inputs: list[Path]) -> None:
    from facette.errors import UsageError

    for path in inputs:
        if _NUMBERED.fullmatch(path.name) and path.resolve().parent == folder.resolve():
            raise UsageError(
                f"single pictures are called 01.png, 02.png … and would replace {str(path)!r}, which is read: "
                "name another folder"
            )


def _paths(values: Iterable[Any], strings: bool = False) -> Iterator[Path]:
    for value in values:
        if isinstance(value, Path) or (
            strings and isinstance(value, str) and 0 < len(value) < 4096 and "\0" not in value
        ):
            yield Path(value)
        elif isinstance(value, list | tuple):
            yield from _paths(value, strings)
