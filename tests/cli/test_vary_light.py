"""From the shell to the pictures without torch: what is imported, what is drawn, what is said when it goes wrong."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from extras import needs
from PIL import Image

needs("onnxruntime")
REPORT = """
import sys
from facette.cli import main
try:
    main()
finally:
    print(*{name.split(".")[0] for name in sys.modules})
"""
HEAVY = {"torch", "matplotlib", "sklearn", "scipy", "diffusers", "onnx"}


def shell(folder, *arguments, before="") -> tuple[subprocess.CompletedProcess, set[str]]:
    """`facette …` in a process of its own, and the packages it has imported by the end."""
    command = [sys.executable, "-c", f"{before}\n{REPORT}", *map(str, arguments)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return ended, set(ended.stdout.splitlines()[-1].split())


EYES = ("--eyes", "144,100.6,186.9,102.8")  # of that photo


@pytest.fixture
def portrait(tmp_path):
    """A photo whose face has to be found."""
    skimage = pytest.importorskip("skimage")
    from pathlib import Path

    path = tmp_path / "eileen.png"
    Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB").crop(
        (60, 0, 380, 300)
    ).save(path)
    return path


def test_a_photo_becomes_ten_pictures_without_torch_and_they_are_torchs(portrait, tmp_path):
    """Two ways of adding up also put the frame a hair's breadth elsewhere, which the photo's own pixels show: they
    differ by three levels of 255 at most, and by one in all but one of a thousand."""
    ended, imported = shell(tmp_path, "vary", portrait, *EYES, "--each", "light", "--out", "light.png")
    assert ended.returncode == 0, ended.stderr
    assert not imported & HEAVY
    assert "onnxruntime" in imported
    without = "import sys; sys.modules['onnxruntime'] = None"
    torch = ("vary", portrait, *EYES, "--each", "torch", "--out", "torch.png")
    other, heavy = shell(tmp_path, *torch, before=without)
    assert other.returncode == 0, other.stderr
    assert "torch" in heavy
    names = sorted(path.name for path in (tmp_path / "light").iterdir())
    assert len(names) == 10
    for name in names:
        assert gap(tmp_path / "light" / name, tmp_path / "torch" / name) <= 3
        assert gap(tmp_path / "light" / name, tmp_path / "torch" / name, share=0.999) <= 1
    assert gap(tmp_path / "light.png", tmp_path / "torch.png") <= 4
    assert (
        ended.stderr.replace("in light", "in torch") == other.stderr
    )  # the same was done to the photo, and the face is as typical


def gap(first, second, share=1.0) -> float:
    """The difference that this share of all values stays within."""
    pictures = [np.asarray(Image.open(path)).astype(int) for path in (first, second)]
    return float(np.quantile(np.abs(pictures[0] - pictures[1]), share))


def test_what_torch_alone_can_do_is_done_by_torch(photo_files, tmp_path):
    ended, imported = shell(tmp_path, "vary", photo_files[0], "--no-align", "--refine", 1, "--count", 1)
    assert ended.returncode == 0, ended.stderr
    assert "torch" in imported


def test_a_model_without_a_digest_is_used_and_that_is_said_once(run, tmp_path):
    import json

    from facette.checkpoint.digest import DIGEST
    from facette.checkpoint.locate import find_model
    from facette.images.example import example_photo

    photo = example_photo()
    data = find_model("faces128").read_bytes()
    length = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + length])
    del table["__metadata__"][DIGEST]
    head = json.dumps(table).encode()
    older = tmp_path / "older.safetensors"
    older.write_bytes(len(head).to_bytes(8, "little") + head + data[8 + length :])
    ended = run("reconstruct", photo, "--model", older)
    assert ended.code == 0, ended.err
    assert ended.err.count("carries no digest") == 1
    assert "carries no digest" not in run("reconstruct", photo).err
