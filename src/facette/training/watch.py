"""What every long run shares: who is told of it, how it ends, when something is due, and how signals stop it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Watcher(Protocol):
    """Told what a run does; the command line draws a bar, tests may count."""

    def started(self, step: int, steps: int) -> None: ...

    def stepped(self, step: int, images: int) -> None: ...

    def measured(self, row: dict[str, Any]) -> None: ...

    def said(self, sentence: str) -> None: ...


class Silence:
    """A watcher that says nothing."""

    def started(self, step: int, steps: int) -> None: ...

    def stepped(self, step: int, images: int) -> None: ...

    def measured(self, row: dict[str, Any]) -> None: ...

    def said(self, sentence: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Finished:
    """How a call of `train` ended."""

    run: Path
    model: Path | None  # the best model so far, or None when none was saved yet
    step: int
    steps: int
    interrupted: bool
    signal: int = 0  # the number of the one that stopped it
    rule: str = ""  # the key of the recipe that ended it before its length, such as train.minutes


def due(step: int, every: int, steps: int) -> bool:
    return step % every == 0 or step == steps


class Stopping(threading.Event):
    """Set by a signal, whose number it keeps."""

    number = 0

    def stop(self, number: int) -> None:
        self.number = number
        self.set()


@contextmanager
def until_signalled() -> Iterator[Stopping]:
    """An event that SIGINT and SIGTERM set instead of killing; signals are the main thread's alone."""
    stopping = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {
        s: signal.signal(s, lambda number, _: stopping.stop(number)) for s in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
