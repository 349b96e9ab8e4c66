"""What every side of a comparison measures in the same way: when its steps ended, and how much memory was its own.

Enters: nothing. Leaves: a JSON file. Imports neither Facette nor torch, so that every peer's environment can run it.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
EVERY = 0.02  # seconds between two looks at the memory


def arguments(description: str) -> argparse.ArgumentParser:
    """What `turns.turn` gives to every worker: where to write, and when the process was started."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument(
        "--began", type=float, required=True, help="when the process was started, in epoch seconds"
    )
    return parser


class Clock:
    """Seconds since the process was started, its imports included."""

    def __init__(self, began: float):
        self.began = began
        self.ends: list[float] = []  # of steps

    def now(self) -> float:
        return time.time() - self.began

    def step(self) -> None:
        self.ends.append(round(self.now(), 5))


class Memory:
    """The largest amounts that a process held while this was open, in MB (10⁶ bytes).

    `anonymous` is memory that nothing else backs: what was allocated. `resident` also counts pages of mapped files,
    such as libraries and packed pictures, which the system takes back when it needs them.
    """

    def __init__(self) -> None:
        self.anonymous = self.resident = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(EVERY):
            self._look()

    def _look(self) -> None:
        rows = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
        mega = {key: int(rows[key].split()[0]) * 1024 / 1e6 for key in ("RssAnon", "VmRSS")}
        self.anonymous = max(self.anonymous, mega["RssAnon"])
        self.resident = max(self.resident, mega["VmRSS"])

    def figures(self) -> dict[str, float]:
        return {"peak_anonymous_mb": round(self.anonymous, 1), "peak_resident_mb": round(self.resident, 1)}


def write(out: Path, figures: dict[str, Any]) -> None:
    out.write_text(json.dumps(figures), "utf-8")
