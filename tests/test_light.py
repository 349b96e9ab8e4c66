"""Drawing needs no torch: nothing of what learning, measuring and plotting take is imported on the way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facette

SOURCE = Path(facette.__file__).parent
LEARNING = {"torch", "scipy", "sklearn", "matplotlib"}
DRAWING = [
    *("errors.py", "files.py", "form.py", "onnx_graph.py", "runtime.py", "version.py"),
    *("model/draws.py", "model/interface.py", "model/onnx_model.py"),
    *("checkpoint/drawing.py", "checkpoint/locate.py", "checkpoint/graph_files.py"),
    *(f"images/{name}.py" for name in ("open", "colour", "convert", "warp", "mask", "fit", "similarity")),
    *("images/example.py", "images/whole.py", "images/faces/align.py", "images/faces/find.py"),
    *("images/faces/paste.py", "images/sheets/file.py", "images/sheets/grid.py", "images/sheets/layout.py"),
    *(f"latent/{name}.py" for name in ("around", "blend", "choice", "cloud", "details", "directions")),
    *(
        f"latent/{name}.py"
        for name in ("drawing", "edit", "film", "inputs", "interpolate", "levels", "noise")
    ),
    *(f"latent/{name}.py" for name in ("pasting", "paths", "photo", "points", "reconstruct", "sheets")),
    *(f"latent/{name}.py" for name in ("traverse", "typicality", "variations", "vary")),
]
BLOCKED = f"""
import sys
for name in {sorted(LEARNING)}:
    sys.modules[name] = None
from facette.cli import main
main()
"""


def imported_at_once(path: Path) -> set[str]:
    """Packages that a file imports when it is imported itself."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
    return names


@pytest.mark.parametrize("name", DRAWING)
def test_what_draws_imports_nothing_that_learns(name):
    assert not imported_at_once(SOURCE / name) & LEARNING


def blocked(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "error", "-c", BLOCKED, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["vary", "PHOTO", "-n", "2", "--each", "each", "--paste"],
        ["sweep", "PHOTO", "--rows", "2", "-n", "2"],
        ["reconstruct", "PHOTO"],
        ["vary", "PHOTO", "-n", "1", "--likeness", "0.5"],
        ["blend", "PHOTO", "PHOTO"],
        ["edit", "PHOTO", "Smiling=+2", "Male=-1", "--keep", "Young"],
        ["edit", "PHOTO", "Smiling=-3..3", "--steps", "3", "--out", "strip.gif"],
        ["interpolate", "PHOTO", "PHOTO", "--steps", "3", "--path", "slerp", "--equal-steps"],
        ["sample", "--count", "3", "--temperature", "0.8"],
        ["traverse", "faces64", "--rows", "2", "--steps", "3", "--along", "axes"],
        ["info"],
    ],
    ids=" ".join,
)
def test_commands_that_draw_run_where_torch_is_not(command, tmp_path):
    from facette.images.example import example_photo

    photo = str(example_photo())
    ended = blocked(tmp_path, *(photo if word == "PHOTO" else word for word in command))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    "command", [["vary", "PHOTO", "--refine", "2"], ["interpolate", "PHOTO", "PHOTO", "--path", "geodesic"]]
)
def test_what_needs_gradients_says_so_in_one_sentence(command, tmp_path):
    from facette.images.example import example_photo

    photo = str(example_photo())
    ended = blocked(tmp_path, *(photo if word == "PHOTO" else word for word in command))
    assert ended.returncode == 2
    assert 'pip install "facette[train]"' in ended.stderr.splitlines()[-1]


PYTHON = f"""
import sys
for name in {sorted(LEARNING)}:
    sys.modules[name] = None
import facette
model = facette.load("faces64")
assert facette.sample(model, 2).pictures.shape == (2, 64, 64, 3), "it draws"
assert facette.interpolate(model, sys.argv[1], sys.argv[1], steps=2).latents.shape == (2, model.latent)
for load in (lambda: facette.load("faces64", "cuda"), lambda: facette.vary(model, sys.argv[1], refine=1)):
    try:
        load()
    except facette.FacetteError as error:
        print(error)
"""


def test_python_loads_a_model_that_draws_where_torch_is_not():
    from facette.images.example import example_photo

    command = [sys.executable, "-W", "error", "-c", PYTHON, str(example_photo())]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert [line.endswith('pip install "facette[train]"') for line in ended.stdout.splitlines()] == [
        True,
        True,
    ]


def test_python_draws_the_very_bytes_that_the_command_draws(tmp_path):
    from facette.images.example import example_photo

    photo = example_photo()
    ended = blocked(
        tmp_path, "vary", str(photo), "-n", "2", "-d", "5", "--each", "each", "--out", "sheet.png"
    )
    assert ended.returncode == 0, ended.stderr
    facette.vary("faces64", photo, count=2, diversity=5.0).save_each(tmp_path / "again")
    for name in ("01.png", "02.png"):
        assert (tmp_path / "each" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
