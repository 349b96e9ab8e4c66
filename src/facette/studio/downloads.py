"""Bytes that a page offers for download or shows in a frame: in memory, under addresses nobody can guess.

Enters: bytes, or a function that makes them when they are asked for. Leaves: an address. Every tab has one place
for each key, so what it offers anew replaces what it offered before, which can still be fetched for a moment by
whoever has just pressed its link; what is not fetched for a while is dropped, and so is the oldest when there is no
room. Knows nothing of pictures or models.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from facette.errors import UsageError
from facette.studio.store import BoundedStore

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


class Downloads:
    """A bounded store of bytes by address."""

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        kept_seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._most_bytes = most_bytes
        self._items = BoundedStore[str, Item](MOST_ITEMS, most_bytes, kept_seconds, clock)
        self._tokens = BoundedStore[tuple[str, str], str](MOST_ITEMS)  # by tab and key
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
        UsageError: more than can be held.
        """
        size = len(content) if isinstance(content, bytes) else 2**20 if weight is None else weight
        if size > self._most_bytes:
            raise UsageError(f"{name} of {size:,} bytes is too large to be kept in memory here.")
        token = secrets.token_urlsafe(24)
        with self._lock:
            if (replaced := self._tokens.find((tab, key))) is not None:
                self._items.retire(replaced, REPLACED_SECONDS)
            self._items.put(token, Item(content, name, kind), size)
            self._tokens.put((tab, key), token)
        return ADDRESS + token

    def find(self, token: str) -> Item | None:
        """What stands at an address; None when nothing does, or no longer."""
        return self._items.find(token)

    @property
    def weight(self) -> int:
        """Bytes held now."""
        return self._items.weight
