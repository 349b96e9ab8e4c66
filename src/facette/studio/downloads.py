"""Bytes that a page offers for download or shows in a frame: in memory, under addresses nobody can guess.

Enters: bytes, or a function that makes them when they are asked for. Leaves: an address. Every tab has one place
for each key, so what it offers anew replaces what it offered before; what is not fetched for a while is dropped,
and so is the oldest when the shelf is full. Knows nothing of pictures or models.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from facette.errors import UsageError

ADDRESS = "/held/"
KEPT_SECONDS = 2 * 60 * 60.0
MOST_BYTES = 256 * 2**20
MOST_ITEMS = 4096


@dataclass(frozen=True, slots=True)
class Item:
    """What stands at one address."""

    content: bytes | Callable[[], bytes]
    name: str  # of the file, when it is saved
    kind: str  # its media type
    place: tuple[str, str]  # tab and key
    weight: int  # bytes it counts for
    until: float  # on the shelf's clock


class Shelf:
    """A bounded store of bytes by address."""

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        kept_seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._most, self._kept, self._clock = most_bytes, kept_seconds, clock
        self._items: OrderedDict[str, Item] = OrderedDict()  # by token, the one used longest ago first
        self._places: dict[tuple[str, str], str] = {}
        self._weight = 0
        self._lock = threading.Lock()

    def put(
        self,
        tab: str,
        key: str,
        content: bytes | Callable[[], bytes],
        name: str,
        kind: str,
        weight: int | None = None,
    ) -> str:
        """Offer bytes, in the place of what this tab offered under the key; returns their address.

        A function is called when the bytes are fetched; `weight` then says about how much memory it holds on to.
        UsageError: more than the shelf can hold.
        """
        size = len(content) if isinstance(content, bytes) else 2**20 if weight is None else weight
        if size > self._most:
            raise UsageError(f"{name} of {size:,} bytes is too large to be kept in memory here.")
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._drop(self._places.get((tab, key)))
            now = self._clock()
            for stale in [key for key, item in self._items.items() if item.until <= now]:
                self._drop(stale)
            while self._items and (self._weight + size > self._most or len(self._items) >= MOST_ITEMS):
                self._drop(next(iter(self._items)))
            self._items[token] = Item(content, name, kind, (tab, key), size, now + self._kept)
            self._places[(tab, key)] = token
            self._weight += size
        return ADDRESS + token

    def find(self, token: str) -> Item | None:
        """What stands at an address; None when nothing does, or no longer."""
        with self._lock:
            item = self._items.get(token)
            if item is None or item.until <= self._clock():
                self._drop(token)
                return None
            self._items.move_to_end(token)
            return item

    @property
    def weight(self) -> int:
        """Bytes held now."""
        return self._weight

    def _drop(self, token: str | None) -> None:
        item = self._items.pop(token, None) if token else None
        if item is not None:
            self._weight -= item.weight
            self._places.pop(item.place, None)
