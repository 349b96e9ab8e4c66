"""Writes docs/commands.md from the commands themselves: `python scripts/docs/reference.py`. A test keeps it fresh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from facette.cli import COMMANDS, build_app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def reference() -> str:
    """The page: every command with its arguments and options, in the order of `facette --help`."""
    root: Any = typer.main.get_command(build_app())
    parts = [
        "# Every command",
        "",
        "Written by `python scripts/docs/reference.py`. `facette COMMAND --help` says the same.",
        "",
    ]
    for name in COMMANDS:
        command = root.commands[name]
        parts += [f"## facette {name}", "", *command.help.strip().splitlines(), ""]
        rows = [row for parameter in command.params if (row := _row(parameter))]
        parts += ["| argument or option | meaning |", "| --- | --- |", *rows, ""] if rows else []
    return "\n".join(parts).rstrip() + "\n"


def _row(parameter: Any) -> str:
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return ""
    if parameter.param_type_name == "argument":
        name = parameter.name.upper()
    else:
        name = ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    silent = isinstance(default, bool) or default in (None, "", ()) or callable(default)
    shown = "" if silent else f" Default: {default}."
    text = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    return f"| `{name}` | {text}{shown} |"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    print(PAGE)
