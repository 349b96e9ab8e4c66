"""Help in panels, and `--quiet` for every command.

Enters: the commands that typer built. Leaves: the same, each option in the panel where people look for it. An option
stands in the same panel in every command; what is a command's own business stays in the first, Options. Knows the
names of options and nothing of what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperArgument, TyperGroup, TyperOption

from facette.cli.output import set_quiet

BRACKET = r"\["  # in help, where a bare one begins a style and is swallowed up to the bracket that closes it
# panel → options, by their first long name
PANELS: dict[str, tuple[str, ...]] = {
    "The photo": ("--align", "--face", "--all-faces", "--eyes", "--hide", "--refine", "--around"),
    "How far": ("--diversity", "--likeness", "--mode", "--noise", "--spread", "--pool", "--temperature"),
    "What is written": (
        *("--out", "--each", "--paste", "--pick", "--details", "--side", "--seconds", "--report", "--verify"),
        *("--format", "--zip", "--half", "--thumbnails", "--table"),
    ),
    "The model": ("--model", "--plain", "--prior", "--recipe", "--set", "--code"),
    "The pictures": ("--cache", "--strict", "--fresh", "--split", "--labels", "--people"),
    "The diffusion model": (
        *("--prompt", "--strength", "--guidance", "--scheduler", "--vae-only", "--config"),
        *("--safety-checker", "--allow-download"),
    ),
    "Where it runs": ("--device", "--engine", "--workers", "--address", "--gpus", "--shard", "--batch"),
    "In every command": ("--seed", "--dry-run", "--json", "--quiet"),
}
# parameters that may name somebody's own code
MODELS = frozenset({"model", "models", "recipe", "start", "before"})
_PANEL_OF = {option: panel for panel, options in PANELS.items() for option in options}


class PanelGroup(TyperGroup):
    """The command `facette`: its commands' options in panels, and `--quiet` before or behind any command."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.params.append(_quiet_option(set_quiet))
        for command in self.commands.values():
            command.params.append(_quiet_option(_hush))
            if any(parameter.name in MODELS for parameter in command.params):
                command.params.append(_code_option())
            order = {panel: place for place, panel in enumerate((None, *PANELS))}
            for parameter in command.params:
                if isinstance(parameter, TyperOption):
                    parameter.rich_help_panel = panel_of(parameter.opts)
                if isinstance(parameter, TyperOption | TyperArgument):
                    parameter.help = (parameter.help or "").replace("[", BRACKET)
            command.params.sort(key=lambda parameter: order[getattr(parameter, "rich_help_panel", None)])


def panel_of(names: list[str]) -> str | None:
    """The panel of an option that is known by `names`; None for the first, Options."""
    return next((_PANEL_OF[name] for name in names if name in _PANEL_OF), None)


def _quiet_option(act: Callable[[bool], object]) -> TyperOption:
    return TyperOption(
        param_decls=["--quiet", "-q"],
        is_flag=True,
        default=False,
        expose_value=False,
        callback=lambda context, option, wanted: act(wanted),
        help="No progress and no remarks: only the result, and mistakes.",
    )


def _code_option() -> TyperOption:
    return TyperOption(
        param_decls=["--code"],
        type=str,
        multiple=True,
        expose_value=False,
        metavar="FILE",
        callback=lambda context, option, files: _pass_code(context, files),
        help="A Python file with your own networks or terms, which is run. Nothing else in a recipe or a model is.",
    )


def _pass_code(context: Any, files: Sequence[str]) -> None:
    """Let names mean what is in these files, until the command ends."""
    if files:
        from facette.code import forget_code, pass_code

        for file in files:
            pass_code(Path(file))
        context.call_on_close(forget_code)


def _hush(wanted: bool) -> None:
    """Behind a command the flag can only add to what stood before it."""
    if wanted:
        set_quiet(True)
