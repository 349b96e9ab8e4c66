"""pythae's own environment: made once, in the cache folder, with what it needs and nothing of Facette.

It needs no torchvision. `TORCH` says what to install as torch, as in the Makefile; by default the version that runs
here, so that both sides compute with the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

PYTHAE = "pythae==0.1.2"
NEEDS = ("cloudpickle", "imageio", "numpy", "pydantic", "scikit-learn", "scipy", "tqdm", "typing-extensions")


def pythae_python(cache: Path) -> Path:
    """The interpreter of the environment, which is made now unless it is there."""
    folder = cache / PYTHAE.replace("==", "-")
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        wanted = os.environ.get("TORCH", f"torch=={torch.__version__.split('+')[0]}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, wanted, *NEEDS], check=True)
        # its list names a backport of dataclasses that Python has had since 3.7
        subprocess.run([*pip, "--no-deps", PYTHAE], check=True)
        ready.touch()
    return python
