"""Bytes that a page offers for download or shows in a frame: in memory, under addresses nobody can guess.

Enters: bytes, or a function that makes them when they are asked for. Leaves: an address. Every tab has one place
for each key, so what it offers anew replaces what it offered before, which can still be fetched for a moment by
whoever has just pressed its link; what is not fetched for a while is dropped, and so is the oldest when the shelf is
full. Knows nothing of pictures or models.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from facette.errors import UsageError

ADDRESS = "/held/"
KEPT_SECONDS = 2 * 60 * 60.0
REPLACED_SECONDS = 60.0  # what was replaced may have been asked for just before
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
        self._replaced: deque[str] = deque()  # tokens that go first, some of them gone already
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
            now = self._clock()
            self._replace(self._places.pop((tab, key), None), now)
            for stale in [key for key, item in self._items.items() if item.until <= now]:
                self._drop(stale)
            while self._replaced and self._replaced[0] not in self._items:
                self._replaced.popleft()
            while self._items and (self._weight + size > self._most or len(self._items) >= MOST_ITEMS):
                self._drop(self._replaced.popleft() if self._replaced else next(iter(self._items)))
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
            if self._places.get(item.place) == token:
                del self._places[item.place]

    def _replace(self, token: str | None, now: float) -> None:
        """Let what stood in a place go soon, and first of all when there is no room."""
        item = self._items.get(token) if token else None
        if item is not None and token is not None:
            self._items[token] = replace(item, until=min(item.until, now + REPLACED_SECONDS))
            self._replaced.append(token)
