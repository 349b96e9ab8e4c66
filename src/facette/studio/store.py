"""What is kept in memory for visitors: bounded in number, in bytes and in time.

Enters: a value under a key, and what it weighs. Leaves: the value, as long as there is room and time for it. What was
used longest ago goes first, and before it whatever was retired. Knows nothing of what the values are.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    weight: int
    until: float  # on the store's clock


class BoundedStore(Generic[K, V]):
    """At most `most` values of at most `most_bytes` in all, each for `kept_seconds`; for any number of threads.

    `renewed`: whether a value that is used is kept as long again from then on.
    """

    def __init__(
        self,
        most: int,
        most_bytes: float = math.inf,
        kept_seconds: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
        renewed: bool = False,
    ):
        self._most, self._most_bytes = most, most_bytes
        self._kept, self._clock, self._renewed = kept_seconds, clock, renewed
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()  # the one used longest ago first
        self._retired: OrderedDict[K, _Entry[V]] = OrderedDict()  # the one retired longest ago first
        self._weight = 0
        self._lock = threading.Lock()

    def put(self, key: K, value: V, weight: int = 0) -> None:
        """Keep a value, in the place of what was under its key. What does not fit alone is not kept."""
        with self._lock:
            self._drop(key)
            now = self._clock()
            if math.isfinite(self._kept) or self._retired:
                for stale in [key for key, entry in self._all() if entry.until <= now]:
                    self._drop(stale)
            while len(self) and (len(self) >= self._most or self._weight + weight > self._most_bytes):
                self._drop(next(iter(self._retired or self._entries)))
            if weight <= self._most_bytes:
                self._entries[key] = _Entry(value, weight, now + self._kept)
                self._weight += weight

    def find(self, key: K) -> V | None:
        """The value under a key; None when there is none, or no longer."""
        with self._lock:
            entries = self._retired if key in self._retired else self._entries
            entry = entries.get(key)
            if entry is None or entry.until <= self._clock():
                self._drop(key)
                return None
            if entries is self._entries:
                entries.move_to_end(key)
                if self._renewed:
                    entry.until = self._clock() + self._kept
            return entry.value

    def retire(self, key: K, seconds: float) -> None:
        """Keep a value for so long at most, and let it go first when there is no room."""
        with self._lock:
            if (entry := self._entries.pop(key, None)) is not None:
                entry.until = min(entry.until, self._clock() + seconds)
                self._retired[key] = entry

    def drop(self, key: K) -> None:
        """Keep what is under a key no longer."""
        with self._lock:
            self._drop(key)

    def items(self) -> list[tuple[K, V]]:
        """All that is kept, what was used longest ago first."""
        with self._lock:
            return [(key, entry.value) for key, entry in self._all() if entry.until > self._clock()]

    @property
    def weight(self) -> int:
        """Bytes held now."""
        return self._weight

    def __len__(self) -> int:
        return len(self._retired) + len(self._entries)

    def _all(self) -> list[tuple[K, _Entry[V]]]:
        return [*self._retired.items(), *self._entries.items()]

    def _drop(self, key: K) -> None:
        entry = self._retired.pop(key, None) or self._entries.pop(key, None)
        self._weight -= entry.weight if entry else 0
