"""A picture travels one way: no room imports a room that lies behind it."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import facette

SOURCE = Path(facette.__file__).parent

# From the photo to the user. A room may import rooms to its left, and itself.
ORDER = [
    *(
        "version",
        "progress",
        "errors",
        "files",
        "text",
        "runtime",
        "form",
        "condition",
        "code",
        "recipe",
        "models",
        "onnx_graph",
        "images",
        "data",
        "model",
        "objective",
        "checkpoint",
    ),
    *("latent", "measures", "judges", "evaluation", "dial", "training", "comparison", "plots", "mapping"),
    *("scale", "reports", "studio", "cli"),
]
FORBIDDEN = {
    # whoever uses or judges a model never needs to know how it was trained
    "latent": {"training"},
    "measures": {"training"},
    "judges": {"training"},
    "evaluation": {"training"},
    "dial": {"training"},
    # plots receive arrays, never models
    "plots": {"model", "objective", "training", "checkpoint", "latent", "judges", "evaluation", "comparison"},
    "model": {"data"},
}
# What no file of a command may import before the command runs.
HEAVY = {"torch", "numpy", "PIL", "matplotlib", "sklearn", "cv2", "pydantic", "rich", "safetensors"}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def files() -> list[Path]:
    return [p for p in sorted(SOURCE.rglob("*.py")) if room_of(p) not in ("__init__", "__main__", "recipes")]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_never_run_backwards(path):
    room = room_of(path)
    assert room in ORDER, f"{path} is in no known room: give it a place in ORDER"
    reached = {name.split(".")[1] for name in imported(tree_of(path)) if name.startswith("facette.")}
    backwards = {r for r in reached if r in ORDER and ORDER.index(r) > ORDER.index(room)}
    assert not backwards, (
        f"{path.relative_to(SOURCE)} imports {sorted(backwards)}, which lies behind {room!r}"
    )
    assert not reached & FORBIDDEN.get(room, set())


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_room_imports_the_public_face(path):
    """What lies below takes names from their rooms: the bare package knows them all."""
    tree = tree_of(path)
    bare = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "facette"]
    bare += [
        n.lineno
        for n in ast.walk(tree)
        if isinstance(n, ast.Import) and "facette" in {a.name for a in n.names}
    ]
    assert not bare, f"{path.relative_to(SOURCE)} imports bare facette in line {bare[0]}"


def test_the_command_line_and_the_package_import_nothing_heavy():
    code = "import sys, facette, facette.cli; facette.cli.build_app(); print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not HEAVY & {name.split(".")[0] for name in loaded}


def test_every_public_name_is_there():
    for name in facette.__all__:
        assert getattr(facette, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        facette.nothing  # noqa: B018
