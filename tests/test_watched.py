"""Nothing leaves the machine: commands are watched, in an empty home, and leave no file but those that are declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

WATCH = Path(__file__).parent / "support" / "watch.py"
# Folders below the home where a command may leave files: packed pictures, the list of fonts that matplotlib keeps, and
# the settings of Keras, which TensorBoard's writer imports where TensorFlow is installed.
DECLARED = (".cache/facette/", ".cache/matplotlib/", ".config/matplotlib/", ".keras/")
COMMANDS = [
    ["info", "faces64"],
    ["recipes"],
    ["demo"],
    ["vary", "me.png", "--count", "2"],
    ["reconstruct", "me.png"],
    ["sample", "--model", "faces64", "--count", "4"],
    ["align", "photos", "--out", "faces", "--size", "64"],
    ["prepare", "photos"],
    ["map", "MODEL", "photos", "--method", "pca", "--out", "map.png"],
    ["train", "quick", "synthetic-faces:64", "--dry-run"],
    ["encode", "MODEL", "photos", "--out", "latents.npz"],
    ["evaluate", "MODEL", "synthetic-faces:32", "--count", "8"],
]


def watched(folder: Path, home: str, commands: list[list[str]]) -> list[dict]:
    """What the commands did, run in `folder`, where a person's photos lie."""
    skimage = pytest.importorskip("skimage")
    photo = (
        Image.open(Path(skimage.__path__[0]) / "data" / "astronaut.png")
        .convert("RGB")
        .crop((60, 0, 380, 300))
    )
    (folder / "photos").mkdir()
    for place in ("me.png", "photos/a.png", "photos/b.png", "photos/c.png", "photos/d.png"):
        photo.save(folder / place)
    ours = ("FACETTE_", "XDG_", "ORT_", "HF_", "GRADIO_")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    ended = subprocess.run(
        [sys.executable, str(WATCH)],
        cwd=folder,
        env=surroundings | {"HOME": home},
        input=json.dumps(commands),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_commands_ask_nothing_of_the_network_and_leave_no_other_files(tmp_path, quick_run):
    home = tmp_path / "home"
    home.mkdir()
    commands = [[str(quick_run) if word == "MODEL" else word for word in command] for command in COMMANDS]
    for ran in watched(tmp_path, str(home), commands):
        assert ran["code"] == 0, ran
        assert ran["network"] == [], ran["command"]
    left = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    assert [name for name in left if not name.startswith(DECLARED)] == []
