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
    """Told what a run does; the command line draws a bar, a tracker may keep the rows.

    Any object will do for one, with those of the methods that it needs. Each is called on the leading process, and what
    it raises ends the run.
    """

    def started(self, step: int, steps: int) -> None:
        """A stage begins, or goes on, at `step` of `steps`."""

    def stepped(self, step: int, images: int) -> None:
        """A step was made, the `step`th, of so many images."""

    def stops(self) -> bool:
        """Asked after every step: True saves and ends the run as a signal does."""
        ...

    def measured(self, row: dict[str, Any]) -> None:
        """A row of the journal: its `event` is `train` (means of a step) or `validation`, its `step` the number of
        steps; every other value is a figure, or a list of them."""

    def said(self, sentence: str) -> None:
        """Something that a person should know."""

    def finished(self, ended: Finished) -> None:
        """The run is over, for this call: at its length, by a rule, by a signal, or by a watcher."""


class Attended:
    """A watcher out of any objects: what one has no method for, it is not told."""

    def __init__(self, *watchers: object | None):
        self._watchers = watchers

    def _tell(self, method: str, *facts: Any) -> None:
        for watcher in self._watchers:
            listen = getattr(watcher, method, None)
            if listen is not None:
                listen(*facts)

    def started(self, step: int, steps: int) -> None:
        self._tell("started", step, steps)

    def stepped(self, step: int, images: int) -> None:
        self._tell("stepped", step, images)

    def stops(self) -> bool:
        return any(watcher.stops() for watcher in self._watchers if hasattr(watcher, "stops"))  # type: ignore[union-attr]

    def measured(self, row: dict[str, Any]) -> None:
        self._tell("measured", row)

    def said(self, sentence: str) -> None:
        self._tell("said", sentence)

    def finished(self, ended: Finished) -> None:
        self._tell("finished", ended)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a call of `train` ended."""

    run: Path
    model: Path | None  # the best model so far, or None when none was saved yet
    step: int
    steps: int
    interrupted: bool
    signal: int = 0  # the number of the one that stopped it; 0 where a watcher did
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
