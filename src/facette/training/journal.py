"""What a run tells: one JSON line per event, and TensorBoard where its library is installed.

Rows have `event` (train, validation, note) and `step`. A resumed run first drops the rows of steps it will do
again, so that a journal has each step once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facette.checkpoint.tensors import write_atomically

JOURNAL = "journal.jsonl"


class Journal:
    """Appends rows; each line is flushed, so a reader of a live run sees whole lines."""

    def __init__(self, folder: Path, from_step: int):
        self.path = folder / JOURNAL
        kept = [row for row in read_journal(folder) if row["step"] <= from_step] if from_step else []
        write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in kept))
        self._file = self.path.open("a", encoding="utf-8")
        self._board = _tensorboard(folder / "tensorboard", from_step)

    def record(self, event: str, step: int, values: dict[str, Any]) -> None:
        """Write one row; numbers also go to TensorBoard as event/name."""
        self._file.write(json.dumps({"event": event, "step": step, **values}) + "\n")
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
    """All whole rows of a run's journal; a line cut off by a crash is left out."""
    path = folder / JOURNAL
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text("utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # only the last line can be cut, by a crash while it was written
    return rows


def _tensorboard(folder: Path, from_step: int) -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=from_step or None)
