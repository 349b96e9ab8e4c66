"""Writes docs/commands.md from the commands themselves: `python scripts/docs/reference.py`. A test keeps it fresh.

Enters: the command line, and below an example for each command with its picture where one exists. Leaves: the page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from facette.cli import GROUPS, build_app
from facette.cli.panels import BRACKET

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"

# command → one line that a reader would type; the tests run each of them
EXAMPLES = {
    "demo": "facette demo",
    "studio": "facette studio --open",
    "vary": "facette vary grandmother.jpg",
    "sweep": "facette sweep me.jpg",
    "reconstruct": "facette reconstruct me.jpg grandmother.jpg",
    "interpolate": "facette interpolate grandmother.jpg me.jpg --steps 10",
    "edit": "facette edit grandmother.jpg Smiling=+2 --keep Male,Young",
    "blend": "facette blend anna.jpg bert.jpg carl.jpg --weights 1,1,2",
    "sample": "facette sample --count 20",
    "compare": "facette compare photo.jpg --with ./stable-diffusion-v1-5 --match similarity",
    "align": "facette align holiday/ --out faces/",
    "prepare": "facette prepare my-photos/",
    "recipes": "facette recipes faces64",
    "train": "facette train faces64 my-photos/",
    "search": "facette search quick synthetic-faces --over objective.beta=0.5..8 --over model.latent=16,32,64",
    "sharpen": "facette sharpen runs/old my-photos/",
    "calibrate": "facette calibrate my-model my-photos/",
    "attributes": "facette attributes show my-faces",
    "mixture": "facette mixture",
    "evaluate": "facette evaluate faces128 faces/ --split valid --out card",
    "doctor": "facette doctor runs/faces64 my-photos/",
    "map": "facette map faces128 my-photos/",
    "traverse": "facette traverse my-faces --along axes",
    "info": "facette info faces128",
    "encode": "facette encode faces128 photos/ --out latents.npz",
    "vary-all": "facette vary-all faces128 photos/ --out relatives/ -n 10",
    "evaluate-all": "facette evaluate-all faces128 photos/ --out measured/",
    "inspect": "facette inspect vae_model_20.pth",
    "import": "facette import vae_model_20.pth --out classic",
    "export": "facette export faces128 --to onnx",
    "push": "facette push runs/faces64 someone/my-faces --private",
    "cache": "facette cache",
}
# command → what it draws: words, and a file under docs/figures
PICTURES = {
    "demo": ("A photo of an astronaut and ten relatives", "variations.jpg"),
    "studio": ("The studio: a photo, the dial, ten relatives", "studio.jpg"),
    "vary": ("A photo first, then ten relatives", "variations.jpg"),
    "sweep": ("One row for each strength", "sweep.jpg"),
    "reconstruct": ("Photos above their reconstructions", "reconstructions.jpg"),
    "interpolate": ("From one photo to another in nine steps", "interpolation.jpg"),
    "edit": ("One photo, one attribute at a time", "edits.jpg"),
    "blend": ("The field between four photos, whose inside are blends of them", "field.jpg"),
    "sample": ("People who do not exist", "samples.jpg"),
    "sharpen": ("A classic VAE, the plain decoder, and the second stage", "sharpness.jpg"),
    "calibrate": ("Distances over the strength, as calibration measures them", "dial-curves.jpg"),
    "mixture": ("Ten components, and what a VAE draws of them", "mixture.jpg"),
    "map": ("A map of faces", "map.jpg"),
    "traverse": ("Walks along the main axes", "axes.jpg"),
}


def reference() -> str:
    """The page: the groups of `facette --help`, and every command with an example, its picture and its options."""
    root: Any = typer.main.get_command(build_app())
    parts = [
        "# Every command",
        "",
        "Written by `python scripts/docs/reference.py`. `facette COMMAND --help` says the same, in panels.",
        "",
        "Results and their paths go to standard output, progress and remarks to standard error; `--quiet` leaves",
        "those out, `--json` writes a result for machines. A mistake is one sentence and exit code 2; 1 says that some",
        "of the photos that were named are missing from the result. Without a terminal progress comes as lines, the",
        "first after five seconds. A default name that is taken gets a number: what nobody named replaces nothing.",
        "Colours are off where there is no terminal, or with NO_COLOR in the environment. `facette",
        "--install-completion` teaches bash, zsh or fish to complete commands and options.",
        "",
    ]
    for group, commands in GROUPS.items():
        parts += [f"## {group}", ""]
        for name in commands:
            parts += _section(name, root.commands[name])
    return "\n".join(parts).rstrip() + "\n"


def _section(name: str, command: Any) -> list[str]:
    parts = [f"### facette {name}", "", *command.help.strip().splitlines(), ""]
    parts += [f"    {EXAMPLES[name]}", ""]
    if name in PICTURES:
        words, file = PICTURES[name]
        parts += [f"![{words}](figures/{file})", ""]
    rows = [row for parameter in command.params if (row := _row(parameter))]
    return parts + (["| argument or option | meaning |", "| --- | --- |", *rows, ""] if rows else [])


def _row(parameter: Any) -> str:
    if getattr(parameter, "hidden", False) or parameter.name in ("help", "quiet"):
        return ""
    if parameter.param_type_name == "argument":
        name = parameter.name.upper()
    else:
        name = ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    silent = isinstance(default, bool) or default in (None, "", ()) or callable(default)
    shown = "" if silent else f" Default: {default}."
    text = " ".join((getattr(parameter, "help", None) or "").replace(BRACKET, "[").split()).replace(
        "|", "\\|"
    )
    return f"| `{name}` | {text}{shown} |"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    print(PAGE)
