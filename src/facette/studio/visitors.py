"""Who is on the way into the studio, and who has left: bounds on what visitors can hold open, all together.

Enters: connections without a whole request, bodies as they come, and which pages listen for answers. Leaves: whom to
end, the longest waiting first, so that whoever is quick is never shut out by whoever holds on. Knows no addresses: on
one machine, and behind one router, all visitors share one.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from facette.studio.store import BoundedStore

HEADERS_WITHIN = 10.0  # seconds for the first line and the headers of a request
UNFINISHED_MOST = 200  # connections without a whole request
QUICK = 2.0  # seconds within which the request of an honest visitor is there, on a busy machine too
CROWD_MOST = 3  # times as many connections as otherwise while they are so young
BODY_WITHIN = 60.0  # seconds for a body
BODIES_MOST = 256 * 2**20  # bytes of bodies that have not ended
PATIENCE = 2.0  # seconds for a page to begin to listen after it has asked for something, when there is a crowd of them
LATENESS = (
    2.0  # times as long as the slowest of late, where that is longer: a busy machine makes all pages late
)
PATIENCE_MOST = 12.0  # seconds, whatever pages take
DELAYS = 32  # pages that have begun to listen, whose delays are remembered
SLOW = 60.0  # the same while they are few: a browser on a busy machine may take long
FEW = 8  # pages that have asked and do not listen
REMEMBERED = 4096  # pages
PATIENT = 20.0  # seconds after which nobody goes before an event any more
LOOKING = 0.05  # seconds between two looks at whether a page listens


class Unfinished:
    """What has begun and not ended, and what it takes; the oldest is ended when there is too much.

    `quick`: seconds in which nothing is ended, unless there is CROWD_MOST times too much: when hundreds come at once,
    somebody whose request is on its way is among them.
    """

    def __init__(self, most: int, quick: float = 0.0):
        self._most, self._quick, self._total = most, quick, 0
        self._open: OrderedDict[Hashable, _Beginning] = OrderedDict()

    def add(self, key: Hashable, end: Callable[[], object], size: int = 1) -> None:
        """Something new, or more of it; `end` is called when it must go."""
        beginning = self._open.setdefault(key, _Beginning(end))  # more of it leaves it in its place
        beginning.size += size
        self._total += size
        while self._is_too_much():
            oldest = next(iter(self._open))
            end_oldest = self._open[oldest].end
            self.done(oldest)
            end_oldest()

    def done(self, key: Hashable) -> None:
        if (beginning := self._open.pop(key, None)) is not None:
            self._total -= beginning.size

    def _is_too_much(self) -> bool:
        if self._total <= self._most:
            return False
        age = time.monotonic() - next(iter(self._open.values())).began
        return age >= self._quick or self._total > CROWD_MOST * self._most

    def __len__(self) -> int:
        return len(self._open)


@dataclass(slots=True)
class _Beginning:
    end: Callable[[], object]
    size: int = 0
    began: float = field(default_factory=time.monotonic)


class Visitors:
    """Which pages listen, so that nothing is drawn for those that have left."""

    def __init__(self, patience: float = PATIENCE):
        self._listening: Counter[str] = Counter()
        self._asked = BoundedStore[str, float](REMEMBERED)  # when a page last asked for something
        self._lock, self._patience = threading.Lock(), patience
        self._ended = BoundedStore[str, int](REMEMBERED)  # how many streams of a page have ended
        self._counted = (-math.inf, 0)  # when, and how many pages had asked and did not listen
        self._lanes: dict[str, Lane] = {}
        self._delays: deque[float] = deque(maxlen=DELAYS)  # seconds from asking to listening

    def asked(self, page: str) -> None:
        with self._lock:
            self._asked.put(page, time.monotonic())

    def began_to_listen(self, page: str) -> None:
        with self._lock:
            asked = self._asked.find(page)
            if asked is not None and not self._listening[page]:
                self._delays.append(time.monotonic() - asked)
            self._listening[page] += 1

    def left(self, page: str) -> None:
        with self._lock:
            self._listening[page] -= 1
            if self._listening[page] <= 0:
                del self._listening[page]

    def stream_ended(self, page: str) -> None:
        """One stream less to hear answers by."""
        with self._lock:
            self._ended.put(page, (self._ended.find(page) or 0) + 1)

    def streams_ended(self, page: str) -> int:
        """How many streams of a page have ended: it must know of as many before it relies on the one it has."""
        with self._lock:
            return self._ended.find(page) or 0

    def has_gone(self, page: str | None) -> bool:
        """Whether nobody waits for an answer to this page.

        A page that has asked and does not listen yet may be slow. While such pages are few they are answered all the
        same; in a crowd each is given some time to begin.
        """
        while not isinstance(known := self._known(page), bool):
            time.sleep(min(known, LOOKING))
        return known

    async def have_left(self, page: str | None) -> bool:
        """`has_gone`, for those who wait in the server's loop, and hold up nobody meanwhile."""
        while not isinstance(known := self._known(page), bool):
            await asyncio.sleep(min(known, LOOKING))
        return known

    def lane(self, name: str) -> Lane:
        """What is done one after another under this name."""
        return self._lanes.setdefault(name, Lane(self))

    def _known(self, page: str | None) -> bool | float:
        """Whether nobody waits for an answer to a page, or after how many seconds at most it will be known."""
        with self._lock:
            asked = None if page is None else self._asked.find(page)
            if page is None or asked is None or self._listening[page] > 0:
                return False
            now = time.monotonic()
            if self._silent(now) <= FEW:
                return now - asked > SLOW
            slowest = LATENESS * max(self._delays, default=0.0)
            left = asked + max(self._patience, min(slowest, PATIENCE_MOST)) - now
            return True if left <= 0 else left

    def _silent(self, now: float) -> int:
        """How many pages have asked of late and do not listen."""
        if now - self._counted[0] > LOOKING:  # a crowd of waiting events asks for it all the time
            recent = (page for page, asked in self._asked.items() if now - asked <= SLOW)
            self._counted = (now, sum(self._listening[page] <= 0 for page in recent))
        return self._counted[1]


class Lane:
    """One event at a time: first those in a hurry, then in the order in which they came. An event whose page may have
    left holds up no other page's, and those of one page keep their order. Used from the server's loop alone.
    """

    def __init__(self, visitors: Visitors):
        self._visitors, self._taken = visitors, False
        self._waiting: list[_Place] = []

    async def enter(self, page: str | None, in_a_hurry: bool = False) -> bool:
        """Wait for the turn of an event; False, and no turn, where its page has left. Else `leave` must follow.

        One in a hurry, what a page shows while a control moves, goes before others, but not before those who have
        waited PATIENT seconds.
        """
        place = _Place(page, asyncio.get_running_loop().create_future(), in_a_hurry)
        self._waiting.append(place)
        try:
            if await self._visitors.have_left(page):
                return False
            place.is_ready = True
            self._call_next()
            await place.called
        except BaseException:  # it is no longer wanted
            if place.called.done() and not place.called.cancelled():
                self.leave()
            raise
        else:
            return True
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
                self._call_next()

    def leave(self) -> None:
        """The turn is over."""
        self._taken = False
        self._call_next()

    def _call_next(self) -> None:
        if self._taken:
            return
        before: set[str | None] = set()  # pages with an earlier event, which comes first
        able = []
        for place in self._waiting:
            if place.is_ready and place.page not in before and not place.called.done():
                able.append(place)
            before.add(place.page)
        if able:
            patience = time.monotonic() - PATIENT
            place = next((place for place in able if place.in_a_hurry or place.came < patience), able[0])
            self._taken = True
            self._waiting.remove(place)
            place.called.set_result(None)


@dataclass(slots=True, eq=False)
class _Place:
    page: str | None
    called: asyncio.Future[None]
    in_a_hurry: bool = False
    is_ready: bool = False  # whether somebody waits for its answer
    came: float = field(default_factory=time.monotonic)
