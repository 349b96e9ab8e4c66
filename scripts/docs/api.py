"""Writes docs/api.md from the docstrings: `python scripts/docs/api.py`. A test keeps it fresh."""

from __future__ import annotations

import ast
import inspect
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

# The part of the code that is meant to be called: heading → names, each with the module it is imported from.
PARTS: dict[str, tuple[str, ...]] = {
    "Models": (
        "facette.load",
        "facette.save",
        "facette.import_checkpoint",
        "facette.model.trained.TrainedModel",
        "facette.model.posterior.DiagonalGaussian",
        "facette.checkpoint.hub.push_to_hub",
        "facette.checkpoint.hub.from_pretrained",
        "facette.checkpoint.export.export_model",
    ),
    "Photos": (
        "facette.open_image",
        "facette.images.faces.align.intake",
        "facette.images.faces.align.intake_all",
    ),
    "Pictures from a model": (
        "facette.vary",
        "facette.sweep",
        "facette.reconstruct",
        "facette.sample",
        "facette.interpolate",
        "facette.latent.field",
        "facette.latent.blend",
        "facette.latent.edit",
        "facette.latent.strip",
        "facette.latent.traverse",
        "facette.latent.fit_attributes",
        "facette.latent.sheets.Result",
    ),
    "The dial": (
        "facette.dial.vary.dial_vary",
        "facette.dial.vary.Dialled",
        "facette.dial.calibrate.calibrate",
    ),
    "Maps": ("facette.map_latents", "facette.mapping.LatentMap"),
    "Data and training": (
        "facette.load_recipe",
        "facette.open_dataset",
        "facette.train",
        "facette.training.sharpen",
    ),
    "Measures": (
        "facette.evaluate",
        "facette.evaluation.result.Evaluation",
        "facette.measures.reconstruction.unexplained_variance",
        "facette.measures.reconstruction.sharpness_ratio",
        "facette.measures.diversity.spread",
        "facette.judges.attributes.look",
    ),
    "Errors": ("facette.FacetteError",),
}


def reference() -> str:
    """The page: a heading for each part, and for each name its signature and what its docstring says."""
    lines = [
        "# From Python",
        "",
        "Written by `python scripts/docs/api.py` from the docstrings. Whatever takes a model takes its name, its",
        "folder or a loaded one; whatever takes a photo takes a path, a Pillow image or a uint8 RGB array.",
        "",
    ]
    for part, names in PARTS.items():
        lines += [f"## {part}", ""]
        for name in names:
            lines += _entry(name)
    return "\n".join(lines).rstrip() + "\n"


def _entry(name: str) -> list[str]:
    value = _found(name)
    lines = [f"### {name}", ""]
    if inspect.isclass(value):
        lines += [*_text(value), ""]
        for place, member in sorted(vars(value).items()):
            shown = member.fget if isinstance(member, property) else member
            if not place.startswith("_") and inspect.isfunction(shown) and inspect.getdoc(shown):
                head = place if isinstance(member, property) else f"{place}{signature(shown)}"
                lines += [f"- `{head}`: {' '.join(_text(shown))}"]
        return [*lines, ""] if lines[-1] else lines
    return [*lines, f"`{name.rpartition('.')[2]}{signature(value)}`", "", *_text(value), ""]


def signature(function: Any) -> str:
    """The arguments with their types and defaults, as they stand in the code."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    listed = node.args
    for arguments in (listed.posonlyargs, listed.args):
        arguments[:] = [one for one in arguments if one.arg not in ("self", "cls")]
    gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(listed)}){gives}".replace('"', "")


def _text(value: Any) -> list[str]:
    """The docstring, its drawings and lists kept as they are."""
    return (inspect.getdoc(value) or "").strip().splitlines()


def _found(name: str) -> Any:
    module, _, last = name.rpartition(".")
    return getattr(import_module(module), last)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    print(PAGE)
