"""Turns: each side of a comparison runs in a process of its own, one after another, A B A B.

Enters: scripts with their arguments. Leaves: what each wrote, turn by turn. What disturbs a machine for a while then
disturbs both sides, and the ratio of two medians says more than either.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
Figures = dict[str, Any]


class TurnError(Exception):
    """A worker ended badly."""


def turn(script: str, *options: object, python: str | Path = sys.executable) -> Figures:
    """Run a script of this folder to its end; what it measured. Raises TurnError with the end of what it said."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        command = [str(python), str(HERE / script), *map(str, options), "--out", str(out)]
        ran = subprocess.run([*command, "--began", repr(time.time())], capture_output=True, text=True)
        if ran.returncode or not out.exists():
            raise TurnError(f"{script} ended with {ran.returncode}:\n{ran.stderr[-3000:]}")
        return json.loads(out.read_text("utf-8"))


def interleaved(sides: Mapping[str, Callable[[int], Figures]], rounds: int) -> dict[str, list[Figures]]:
    """Every side once in each round, in the given order; a side is told the number of the round."""
    turns: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, run in sides.items():
            turns[name].append(run(number))
    return turns


def middle(turns: list[Figures], key: str) -> float:
    """The median over the turns of one figure."""
    return median(figures[key] for figures in turns)


def ratios(above: list[Figures], below: list[Figures], key: str) -> list[float]:
    """One figure of a side over that of the other, round by round."""
    return [round(a[key] / b[key], 3) for a, b in zip(above, below, strict=True)]
