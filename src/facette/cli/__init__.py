"""The command line: one file per command, each a thin call into the rooms above.

`facette --help` imports nothing heavy: a command's file imports torch and the rooms inside its function.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer

from facette.version import VERSION

# name on the command line → (module, function); the order is the order of `facette --help`
COMMANDS = {
    "demo": ("demo", "demo"),
    "studio": ("studio", "studio"),
    "vary": ("vary", "vary"),
    "sweep": ("sweep", "sweep"),
    "reconstruct": ("reconstruct", "reconstruct"),
    "interpolate": ("interpolate", "interpolate"),
    "edit": ("edit", "edit"),
    "blend": ("blend", "blend"),
    "sample": ("sample", "sample"),
    "prepare": ("prepare", "prepare"),
    "align": ("align", "align"),
    "train": ("train", "train"),
    "sharpen": ("sharpen", "sharpen"),
    "evaluate": ("evaluate", "evaluate"),
    "calibrate": ("calibrate", "calibrate"),
    "map": ("map", "map_"),
    "encode": ("encode", "encode"),
    "vary-all": ("vary_all", "vary_all"),
    "evaluate-all": ("evaluate_all", "evaluate_all"),
    "attributes": ("attributes", "attributes"),
    "traverse": ("traverse", "traverse"),
    "compare": ("compare", "compare"),
    "doctor": ("doctor", "doctor"),
    "info": ("info", "info"),
    "recipes": ("recipes", "recipes"),
    "import": ("import_", "import_"),
    "inspect": ("inspect", "inspect"),
    "export": ("export", "export"),
    "push": ("push", "push"),
    "mixture": ("mixture", "mixture"),
}


def build_app(only: str | None = None) -> typer.Typer:
    """The typer application with every command, or with one of them alone, which is built sooner."""
    app = typer.Typer(
        name="facette",
        help="Variational autoencoders for pictures, faces first. Nothing leaves this machine unasked.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in COMMANDS if only is None else (only,):
        module, function = COMMANDS[name]
        app.command(name)(getattr(importlib.import_module(f"facette.cli.{module}"), function))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facette {VERSION}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and leave."
    ),
) -> None:
    """Variational autoencoders for pictures, faces first. Nothing leaves this machine unasked."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line. A user's mistake is one sentence on stderr and exit code 2."""
    from facette.errors import FacetteError

    first = (sys.argv[1:] if arguments is None else arguments)[:1]
    try:
        return build_app(*(set(first) & set(COMMANDS)))(args=arguments, prog_name="facette")
    except FacetteError as error:
        sys.stderr.write(f"facette: {error}\n")
        raise SystemExit(2) from None
