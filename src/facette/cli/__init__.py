"""The command line: one file per command, each a thin call into the rooms above.

Enters: the words that somebody typed. Leaves: an exit code, 2 for a mistake of theirs, said in one sentence. What a
command does is its own file's matter; `facette --help` imports nothing heavy, for a command imports torch and the rooms
inside its function. In which panel of its help an option stands is decided in `panels`.
"""

from __future__ import annotations

import importlib
import re
import sys
from typing import Annotated, Any

import typer

from facette.cli.failures import complain, keep_going_without_stderr, sentence_of, with_sentences
from facette.version import VERSION

# panel of `facette --help` → name on the command line → (module, function), in the order they are shown
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Make pictures": {
        "demo": ("demo", "demo"),
        "studio": ("studio", "studio"),
        "vary": ("vary", "vary"),
        "sweep": ("sweep", "sweep"),
        "reconstruct": ("reconstruct", "reconstruct"),
        "interpolate": ("interpolate", "interpolate"),
        "edit": ("edit", "edit"),
        "blend": ("blend", "blend"),
        "sample": ("sample", "sample"),
        "compare": ("compare", "compare"),
    },
    "Your own model": {
        "align": ("align", "align"),
        "prepare": ("prepare", "prepare"),
        "recipes": ("recipes", "recipes"),
        "train": ("train", "train"),
        "search": ("search", "search"),
        "sharpen": ("sharpen", "sharpen"),
        "calibrate": ("calibrate", "calibrate"),
        "attributes": ("attributes", "attributes"),
        "mixture": ("mixture", "mixture"),
    },
    "Look and measure": {
        "evaluate": ("evaluate", "evaluate"),
        "doctor": ("doctor", "doctor"),
        "map": ("map", "map_"),
        "traverse": ("traverse", "traverse"),
        "info": ("info", "info"),
    },
    "Whole collections": {
        "encode": ("encode", "encode"),
        "vary-all": ("vary_all", "vary_all"),
        "evaluate-all": ("evaluate_all", "evaluate_all"),
    },
    "Files": {
        "inspect": ("inspect", "inspect"),
        "import": ("import_", "import_"),
        "export": ("export", "export"),
        "push": ("push", "push"),
        "cache": ("cache", "cache"),
    },
}
COMMANDS = {name: place for group in GROUPS.values() for name, place in group.items()}

# What learning, measuring and plotting take, and drawing does not: facette[train] brings it.
LEARNING = frozenset({"torch", "scipy", "sklearn", "matplotlib"})

# What options were called before; these are in nobody's help.
ALIASES = {"--attributes": "--labels", "--save-each": "--each"}

HELP = "Variational autoencoders for pictures, faces first. Nothing leaves this machine unasked."
FIRST_STEPS = f"""facette {VERSION}: {HELP}

  facette demo                      ten relatives of a public-domain photo
  facette vary PHOTO                ten relatives of a photo of yours
  facette studio --open             the same in the browser, with a dial, sliders and a map
  facette train FOLDER              a model of your own pictures
  facette evaluate MODEL FOLDER     how good it is, measured

facette --help lists every command, facette COMMAND --help what it takes."""


def build_app(only: str | None = None) -> typer.Typer:
    """The typer application with every command, or with one of them alone, which is built sooner."""
    from facette.cli.panels import PanelGroup
    from facette.cli.places import with_places_checked

    app = typer.Typer(
        name="facette",
        cls=PanelGroup,
        help=HELP,
        invoke_without_command=True,
        add_completion=only is None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for panel, commands in GROUPS.items():
        for name, (module, function) in commands.items():
            if only in (None, name):
                command = getattr(importlib.import_module(f"facette.cli.{module}"), function)
                app.command(name, rich_help_panel=panel)(with_sentences(with_places_checked(command)))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facette {VERSION}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave."),
    ] = False,
) -> None:
    """Variational autoencoders for pictures, faces first. Nothing leaves this machine unasked."""
    if context.invoked_subcommand is None:
        typer.echo(FIRST_STEPS)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line. A user's mistake is one sentence on stderr and exit code 2."""
    from facette.cli.output import speak_everywhere
    from facette.errors import FacetteError

    speak_everywhere()
    keep_going_without_stderr()
    words = [_named_today(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    first = next((word for word in words if not word.startswith("-")), "")
    command = first if first in COMMANDS else None
    try:
        return build_app(command)(args=words, prog_name="facette")
    except FacetteError as error:
        sentence = with_options(str(error), first)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in LEARNING:
            raise
        sentence = f'this needs {library}, which is not installed: pip install "facette[train]"'
    except BrokenPipeError:  # whoever read the output has seen enough
        raise SystemExit(1) from None
    except OSError as error:
        sentence = sentence_of(error)
    complain(sentence)
    raise SystemExit(2)


def _named_today(word: str) -> str:
    """A word of the command line with an option's name of today in the place of an older one."""
    name, equals, value = word.partition("=")
    return ALIASES.get(name, name) + equals + value


def with_options(sentence: str, command: str = "") -> str:
    """A sentence that names parameters as Python has them, such as `prior='normal'`, with the command's options.

    What is no option of the command keeps Python's form, without the backticks.
    """
    parameters: dict[str, Any] = {}
    if command in COMMANDS:
        group: Any = typer.main.get_command(build_app(command))
        for option in group.commands[command].params:
            names = [option.name.rstrip("_"), *(flag.strip("-").replace("-", "_") for flag in option.opts)]
            parameters |= dict.fromkeys(names, option)

    def as_option(match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        parameter = parameters.get(name)
        if parameter is None:
            return match[0].strip("`")
        if value == "False" and parameter.secondary_opts:
            return max(parameter.secondary_opts, key=len)
        flag = max(parameter.opts, key=len)
        flag = flag if flag.startswith("-") else parameter.make_metavar(None).strip("[]")
        return flag if value in (None, "True") else f"{flag} {value.strip(chr(39))}"

    return re.sub(r"`(?P<name>[a-z]+(?:_[a-z]+)*)(?:=(?P<value>'[^'`]*'|[^\s`']+))?`", as_option, sentence)
