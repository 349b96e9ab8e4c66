"""Who is on the way into the studio, and who has left: bounds on what visitors can hold open, all together.

Enters: connections without a whole request, bodies as they come, and which pages listen for answers. Leaves: whom to
end, the longest waiting first, so that whoever is quick is never shut out by whoever holds on. Knows no addresses: on
one machine, and behind one router, all visitors share one.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable

HEADERS_WITHIN = 10.0  # seconds for the first line and the headers of a request
UNFINISHED_MOST = 200  # connections without a whole request
BODY_WITHIN = 60.0  # seconds for a body
BODIES_MOST = 256 * 2**20  # bytes of bodies that have not ended
PATIENCE = 2.0  # seconds for a page to begin to listen after it has asked for something, when there is a crowd of them
SLOW = 60.0  # the same while they are few: a browser on a busy machine may take long
FEW = 8  # pages that have asked and do not listen
REMEMBERED = 4096  # pages


class Unfinished:
    """What has begun and not ended, and what it takes; the oldest is ended when there is too much."""

    def __init__(self, most: int):
        self._most = most
        self._open: OrderedDict[Hashable, tuple[int, Callable[[], object]]] = OrderedDict()

    def add(self, key: Hashable, end: Callable[[], object], size: int = 1) -> None:
        """Something new, or more of it; `end` is called when it must go."""
        before = self._open.get(key, (0, end))[0]
        self._open[key] = (before + size, end)  # more of it leaves it in its place
        while sum(taken for taken, _ in self._open.values()) > self._most:
            _, (_, end_oldest) = self._open.popitem(last=False)
            end_oldest()

    def done(self, key: Hashable) -> None:
        self._open.pop(key, None)

    def __len__(self) -> int:
        return len(self._open)


class Visitors:
    """Which pages listen, so that nothing is drawn for those that have left."""

    def __init__(self, patience: float = PATIENCE):
        self._listening: Counter[str] = Counter()
        self._asked: OrderedDict[str, float] = OrderedDict()  # when a page last asked for something
        self._lock, self._patience = threading.Lock(), patience

    def asked(self, page: str) -> None:
        with self._lock:
            self._asked[page] = time.monotonic()
            self._asked.move_to_end(page)
            while len(self._asked) > REMEMBERED:
                self._asked.popitem(last=False)

    def began_to_listen(self, page: str) -> None:
        with self._lock:
            self._listening[page] += 1

    def left(self, page: str) -> None:
        with self._lock:
            self._listening[page] -= 1
            if self._listening[page] <= 0:
                del self._listening[page]

    def has_gone(self, page: str | None) -> bool:
        """Whether nobody waits for an answer to this page.

        A page that has asked and does not listen yet may be slow. While such pages are few they are answered all the
        same; in a crowd each is given some time to begin.
        """
        while True:
            with self._lock:
                if page is None or page not in self._asked or self._listening[page] > 0:
                    return False
                now = time.monotonic()
                if self._silent(now) <= FEW:
                    return now - self._asked[page] > SLOW
                left = self._asked[page] + self._patience - now
            if left <= 0:
                return True
            time.sleep(min(left, 0.05))

    def _silent(self, now: float) -> int:
        """How many pages have asked of late and do not listen."""
        return sum(self._listening[page] <= 0 for page, asked in self._asked.items() if now - asked <= SLOW)
