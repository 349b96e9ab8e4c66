"""Nothing leaves the machine: commands are watched, in an empty home, and leave no file but those that are declared.

All commands are watched in all surroundings by `test_surroundings.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from watch import undeclared

WATCH = Path(__file__).parent / "support" / "watch.py"
COMMANDS = [
    ["info", "faces128"],
    ["recipes"],
    ["demo"],
    ["vary", "me.png", "--count", "2"],
    ["reconstruct", "me.png"],
    ["sample", "--model", "faces128", "--count", "4"],
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


def test_what_is_asked_of_the_network_is_heard_and_what_is_left_is_seen(tmp_path):
    """Else nothing below could fail. A process of its own: what listens to Python's events stays."""
    program = (
        "import socket; from watch import heard; e = heard(); socket.getaddrinfo('localhost', 80); print(e)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=WATCH.parent, capture_output=True, text=True, check=True
    )
    assert "socket.getaddrinfo ('localhost', 80" in ended.stdout
    for name in (".cache/facette/packed", ".cache/onnxruntime/device", "events.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert undeclared(tmp_path) == [".cache/onnxruntime/device", "events.db"]


def test_commands_ask_nothing_of_the_network_and_leave_no_other_files(tmp_path, quick_run):
    home = tmp_path / "home"
    home.mkdir()
    commands = [[str(quick_run) if word == "MODEL" else word for word in command] for command in COMMANDS]
    for ran in watched(tmp_path, str(home), commands):
        assert ran["code"] == 0, ran
        assert ran["network"] == [], ran["command"]
    assert undeclared(home) == []
