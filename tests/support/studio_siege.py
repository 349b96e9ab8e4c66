"""Visitors who mean harm, all at once, for as long as a block runs.

Slow headers without the token, uploads that are held after some of their bytes, and events whose page never listens for
the answer. Whatever the studio ends is begun again.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

HELD = 20 << 20  # bytes that an upload says it has
PIECE = 64 << 10  # bytes of it that come each second


@dataclass(slots=True)
class Besiegers:
    """How many there are of each kind, and what they have done."""

    headers: int = 300
    uploads: int = 40
    events: int = 300  # within a minute
    begin: int = 0  # the first abandoned page's number
    counts: dict[str, int] = field(default_factory=lambda: {"headers": 0, "uploads": 0, "events": 0})
    sent: int = 0  # bytes of bodies that were held
    leaving: threading.Event = field(default_factory=threading.Event)


@contextmanager
def besieged(door: Any, client: Any, siege: Besiegers) -> Iterator[Besiegers]:
    """`door` has port and token; `client.join(target, factor, tab)` asks for a drawing and leaves."""
    kinds: list[Callable[[], None]] = [
        lambda: _hold(door, siege, "headers", siege.headers, _slow_header(), b"x"),
        lambda: _hold(door, siege, "uploads", siege.uploads, _held_upload(door.token), b"\xff" * PIECE),
        lambda: _abandon(client, siege),
    ]
    threads = [threading.Thread(target=kind) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        yield siege
    finally:
        siege.leaving.set()
        for thread in threads:
            thread.join(30)


def _slow_header() -> bytes:
    return b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


def _held_upload(token: str) -> bytes:
    head = f"POST /photo HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: facette-token={token}\r\n"
    return head.encode() + f"Content-Type: image/png\r\nContent-Length: {HELD}\r\n\r\n".encode()


def _hold(door: Any, siege: Besiegers, kind: str, most: int, head: bytes, piece: bytes) -> None:
    """So many connections, each of which says a little more every second."""
    connections: list[socket.socket] = []
    while not siege.leaving.is_set():
        kept = []
        for connection in connections:
            try:
                count = connection.send(piece, socket.MSG_DONTWAIT)
                siege.sent += count if kind == "uploads" else 0
                kept.append(connection)
            except BlockingIOError:
                kept.append(connection)
            except OSError:
                connection.close()  # the studio has ended it
        connections = kept
        while len(connections) < most and not siege.leaving.is_set():
            try:
                connection = socket.create_connection(("127.0.0.1", door.port), timeout=5)
                connection.sendall(head)
            except OSError:
                break
            connections.append(connection)
            siege.counts[kind] += 1
        siege.leaving.wait(1)
    for connection in connections:
        connection.close()


def _abandon(client: Any, siege: Besiegers) -> None:
    """Drawings for pages that nobody looks at."""
    began = time.monotonic()
    for number in itertools.count():
        if siege.leaving.wait(max(0.0, began + number * 60 / siege.events - time.monotonic())):
            return
        with suppress(OSError, RuntimeError):  # refused is as good
            client.join("vary-dial-rest", 45.0, f"abandoned{siege.begin + number:05d}")
            siege.counts["events"] += 1
