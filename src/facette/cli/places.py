"""What every command does before it begins: sees that nothing it writes falls onto what it reads, and has room.

Enters: a command and what was typed. Leaves: the same command, which is refused in one sentence while nothing is lost
yet. A command's outputs are its parameters called as in `OUTPUTS`; everything else that names an existing file is an
input. Knows nothing of what a command does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

OUTPUTS = ("out", "each", "report", "run", "table")


def with_places_checked(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, which first looks at where it will write."""

    @functools.wraps(command)
    def checked(**typed: Any) -> Any:
        with _Work(command.__name__.strip("_")):
            return command(**checked_places(typed))

    def checked_places(typed: dict[str, Any]) -> dict[str, Any]:
        from facette.files import check_outputs

        typed = {name: at_home(value) for name, value in typed.items()}
        outputs = list(_paths(value for name, value in typed.items() if name in OUTPUTS))
        if outputs:
            others = (value for name, value in typed.items() if name not in OUTPUTS)
            inputs = [path for path in _paths(others, strings=True) if path.is_file()]
            check_outputs(outputs, inputs)
            if isinstance(typed.get("each"), Path):
                _check_each(typed["each"], inputs)
        return typed

    return checked


def at_home(value: Any) -> Any:
    """A path that begins with ~/ as one in the user's home: shells leave it as it is behind an equals sign, and files
    would lie in a folder called ~."""
    if isinstance(value, list | tuple):
        return type(value)(at_home(part) for part in value)
    if isinstance(value, Path) and value.parts[:1] == ("~",):
        return value.expanduser()
    if isinstance(value, str) and value.startswith("~/"):
        return str(Path(value).expanduser())
    return value


class _Work:
    """The command that runs, and the files that are its alone until it ends."""

    current: _Work | None = None

    def __init__(self, name: str):
        self.name, self.claims, self._outer = name, ExitStack(), _Work.current

    def __enter__(self) -> None:
        _Work.current = self

    def __exit__(self, *_: object) -> None:
        _Work.current = self._outer
        self.claims.close()


def place_for(wished: Path | None, fallback: str, *endings: str) -> tuple[Path, ...]:
    """Where a result goes, and what will lie beside it under the same name with other `endings`.

    Without a wish it is `fallback`, with a number behind the name where something lies there: what nobody named
    replaces nothing. What a wish replaces is said. Files that belong together are this command's alone until it ends:
    two commands leave no mixture. Raises UsageError where nothing can be written, BusyError where another command is
    about to.
    """
    from facette.cli.output import remark
    from facette.files import check_outputs, claimed, free_path

    path = free_path(Path(fallback), endings) if wished is None else wished
    places = tuple(dict.fromkeys((path, *(path.with_suffix(ending) for ending in endings))))
    check_outputs(places)
    if endings and _Work.current is not None:
        _Work.current.claims.enter_context(claimed(path, f"facette {_Work.current.name}"))
    for place in places:
        if place.exists():
            remark(f"{place} will be replaced")
    return places


def _check_each(folder: Path, inputs: list[Path]) -> None:
    """Single pictures of an earlier command are replaced, which is said; what is read, and anybody else's, never is."""
    from facette.cli.output import remark
    from facette.errors import UsageError
    from facette.images.sheets.file import earlier_set

    earlier = earlier_set(folder)
    read = {path.resolve() for path in inputs}
    for path in earlier:
        if path.resolve() in read:
            raise UsageError(
                f"{str(path)!r} is read, and would be replaced with its like: name another folder"
            )
    if earlier:
        remark(f"{len(earlier)} single pictures of an earlier command in {folder} will be replaced")


def _paths(values: Iterable[Any], strings: bool = False) -> Iterator[Path]:
    for value in values:
        if isinstance(value, Path) or (
            strings and isinstance(value, str) and 0 < len(value) < 4096 and "\0" not in value
        ):
            yield Path(value)
        elif isinstance(value, list | tuple):
            yield from _paths(value, strings)
