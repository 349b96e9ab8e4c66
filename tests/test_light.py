"""Drawing needs no torch: nothing of what learning, measuring and plotting take is imported on the way."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import facette
from facette.images.example import example_photo

SOURCE = Path(facette.__file__).parent
LEARNING = {"torch", "scipy", "sklearn", "matplotlib"}
DRAWING = [
    *("condition.py", "errors.py", "files.py", "form.py", "onnx_graph.py", "runtime.py", "version.py"),
    *("model/conditions.py", "model/draws.py", "model/interface.py", "model/onnx_model.py"),
    *("checkpoint/drawing.py", "checkpoint/locate.py", "checkpoint/graph_files.py"),
    *(f"images/{name}.py" for name in ("open", "colour", "convert", "warp", "mask", "fit", "similarity")),
    *("images/example.py", "images/whole.py", "images/faces/align.py", "images/faces/find.py"),
    *("images/faces/paste.py", "images/sheets/file.py", "images/sheets/grid.py", "images/sheets/layout.py"),
    *(f"latent/{name}.py" for name in ("around", "blend", "choice", "cloud", "details", "directions")),
    *(
        f"latent/{name}.py"
        for name in ("drawing", "edit", "inputs", "interpolate", "levels", "noise", "worth")
    ),
    *(f"latent/{name}.py" for name in ("pasting", "paths", "photo", "points", "reconstruct", "sheets")),
    *(f"latent/{name}.py" for name in ("traverse", "typicality", "variations", "vary")),
]
BLOCKED = f"""
import contextlib, io, json, sys
for name in {sorted(LEARNING)}:
    sys.modules[name] = None
from facette.cli import main
told = []
for words in json.load(sys.stdin):
    err, code = io.StringIO(), 0
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
    told.append((code, err.getvalue()))
print(json.dumps(told))
"""
DRAWN = (
    "demo",
    "vary PHOTO -n 2 --each each --paste",
    "sweep PHOTO --rows 2 -n 2",
    "reconstruct PHOTO",
    "vary PHOTO -n 1 --likeness 0.5 --out like.png",
    "blend PHOTO PHOTO",
    "edit PHOTO Smiling=+2 Male=-1 --keep Young",
    "edit PHOTO Smiling=-3..3 --steps 3 --out strip.gif",
    "interpolate PHOTO PHOTO --steps 3 --path slerp --equal-steps",
    "sample --count 3 --temperature 0.8",
    "traverse faces128 --rows 2 --steps 3 --along axes",
    "traverse faces128 each --no-align --rows 2 --steps 3 --cache cache --out over.png",
    "info",
    "reconstruct PHOTO --plain --out plain.png",
    "sweep PHOTO --plain --rows 2 -n 2 --out plain-sweep.png",
)
MISTAKES = {
    "vary nobody.jpg": "nobody.jpg does not exist",
    "vary PHOTO --out sheet.txt": "sheet.txt",
    "vary PHOTO --model nomodel": "nomodel",
    "vary PHOTO --eyes 1,2": "--eyes takes four numbers",
}
REFUSED = ("vary PHOTO --refine 2 --out refined.png", "interpolate PHOTO PHOTO --path geodesic --out way.png")
SAME = "vary PHOTO -n 2 -d 5 --each same --out same.png"


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


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture(scope="module")
def ended(place) -> dict[str, tuple[int, str]]:
    """How the commands end, and what they say, in one process without torch."""
    commands = (*DRAWN, *REFUSED, *MISTAKES, SAME)
    lines = [[str(example_photo()) if word == "PHOTO" else word for word in c.split()] for c in commands]
    process = [sys.executable, "-W", "error", "-c", BLOCKED]
    ran = subprocess.run(process, cwd=place, input=json.dumps(lines), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return dict(zip(commands, json.loads(ran.stdout), strict=True))


@pytest.mark.parametrize("command", DRAWN)
def test_commands_that_draw_run_where_torch_is_not(command, ended):
    code, said = ended[command]
    assert code == 0, said


@pytest.mark.parametrize("command", REFUSED)
def test_what_needs_gradients_says_so_in_one_sentence(command, ended):
    code, said = ended[command]
    assert code == 2
    assert 'pip install "facette[train]"' in said.splitlines()[-1]


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_sentence_without_torch_too(command, ended):
    code, said = ended[command]
    assert code == 2
    assert said.startswith("facette: ")
    assert MISTAKES[command] in said
    assert len(said.splitlines()) == 1


def test_python_draws_the_very_bytes_that_the_command_draws(ended, place, tmp_path):
    assert ended[SAME][0] == 0, ended[SAME]
    facette.vary("faces128", example_photo(), count=2, diversity=5.0).save_each(tmp_path / "again")
    for name in ("01.png", "02.png"):
        assert (place / "same" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


PYTHON = f"""
import sys
for name in {sorted(LEARNING)}:
    sys.modules[name] = None
import facette
model = facette.load("faces128")
assert facette.sample(model, 2).pictures.shape == (2, 128, 128, 3), "it draws"
assert facette.interpolate(model, sys.argv[1], sys.argv[1], steps=2).latents.shape == (2, model.latent)
for load in (lambda: facette.load("faces128", "cuda"), lambda: facette.vary(model, sys.argv[1], refine=1)):
    try:
        load()
    except facette.FacetteError as error:
        print(error)
"""


def test_python_loads_a_model_that_draws_where_torch_is_not():
    command = [sys.executable, "-W", "error", "-c", PYTHON, str(example_photo())]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert [line.endswith('pip install "facette[train]"') for line in ended.stdout.splitlines()] == [
        True,
        True,
    ]
