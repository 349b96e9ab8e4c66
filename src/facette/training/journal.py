"""What a run tells: one JSON line per event, and TensorBoard where its library is installed.

Rows have `event` (train, validation, note) and `step`. A resumed run first drops the rows of steps it will do
again, so that a journal has each step once. Each line carries the digest of its row; one that a crash or a disk has
damaged is left out and counted, and keeps nobody from reading the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facette.files import sealed, unsealed, write_atomically
from facette.text import readable

# What a reader of a run finds in its folder.
JOURNAL = "journal.jsonl"
PREVIEWS = "previews"  # a folder: how the same pictures look as the run learns
SHARPEN = "sharpen"  # the folder of the second stage


class Journal:
    """Appends rows; each line is flushed, so a reader of a live run sees whole lines."""

    def __init__(self, folder: Path, from_step: int):
        self.path = folder / JOURNAL
        rows, self.damaged = _rows_of(self.path) if from_step else ([], 0)  # and how many lines were no rows
        kept = [row for row in rows if row["step"] <= from_step]
        write_atomically(self.path, "".join(json.dumps(sealed(row)) + "\n" for row in kept))
        self._file = self.path.open("a", encoding="utf-8")
        self._board = _tensorboard(folder / "tensorboard", from_step)

    def record(self, event: str, step: int, values: dict[str, Any]) -> None:
        """Write one row; numbers also go to TensorBoard as event/name."""
        self._file.write(json.dumps(sealed({"event": event, "step": step, **values})) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._board.add_scalar(f"{event}/{name}", value, step)

    def picture(self, name: str, step: int, image: Any) -> None:
        """Show an H×W×3 uint8 array in TensorBoard."""
        if self._board is not None:
            self._board.add_image(name, image, step, dataformats="HWC")

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """All whole rows of a run's journal; what is no row is left out."""
    return _rows_of(folder / JOURNAL)[0]


def _rows_of(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The rows of a file, and how many of its lines are none."""
    if not path.is_file():
        return [], 0
    lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    rows = [row for line in lines if (row := _row(line)) is not None]
    return rows, len(lines) - len(rows)


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = unsealed(json.loads(line))
    except (ValueError, RecursionError):
        return None
    whole = isinstance(row.get("event"), str) and type(row.get("step")) is int
    return row if whole else None


def _tensorboard(folder: Path, from_step: int) -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        return None
    if readable(str(folder)) != str(folder):
        return None  # TensorBoard takes no names that are no text
    return SummaryWriter(str(folder), purge_step=from_step or None)
