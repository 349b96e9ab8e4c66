"""Who may ask the studio for what: every request passes here before anything else sees it.

Enters: ASGI requests and a `Door`, which says how the studio is bound. Leaves: the same requests, or a short
refusal and one line in the log. Refused are hosts that are not ours (a name that somebody else's page had
resolved to this machine), other pages' requests (Origin), visitors without the token where one is set, addresses
that the studio does not serve, and bodies that are too large. Knows nothing of pages or pictures.

The framework below can serve files, proxy addresses and take uploads to disk. None of that is listed in `SERVED`, so
none of it can be reached.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from facette.studio.photo import MAX_UPLOAD
from facette.studio.visitors import BODIES_MOST, BODY_WITHIN, Unfinished, Visitors

log = logging.getLogger("facette.studio")

COOKIE = "facette-token"
MAX_BODY = 2**20  # bytes of anything but a photo
LINGER = 5.0  # seconds in which a refused body may still arrive, unread
UPLOAD = "/photo"
ASK, LISTEN = "/gradio_api/queue/join", "/gradio_api/queue/data"
# the last message of a stream; in what a visitor wrote its quotes are escaped
STREAM_END = b'"msg":"close_stream"'

# What the page needs, and nothing else: (methods, path).
_READ, _SEND = ("GET", "HEAD"), ("POST",)
SERVED = tuple(
    (methods, re.compile(pattern))
    for methods, pattern in (
        (_READ, r"/"),
        (_READ, r"/(config|theme\.css|favicon\.ico|robots\.txt|studio\.(css|js))"),
        (_READ, r"/(assets|static|svelte)/[\w./@-]+"),
        (_READ, r"/held/[\w-]+"),
        (_READ, r"/gradio_api/(app_id|startup-events|queue/data|heartbeat/\w+)"),
        (_SEND, r"/gradio_api/(queue/join|cancel|reset)/?"),
        (_SEND, UPLOAD),
    )
)

# {scripts}: the hashes of those that stand in our own first page. No other script within a page, and no handler in an
# attribute, ever runs. Gradio compiles the templates of its HTML component, which counts as eval.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'{scripts}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "frame-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "content-security-policy": POLICY.format(scripts=""),
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Door:
    """How the studio can be reached."""

    names: frozenset[str] = field(default_factory=lambda: frozenset({"localhost", "127.0.0.1", "::1"}))
    any_address: bool = False  # also any IP address: nobody can make a browser take another name for one
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    sentence: str


class Guard:
    """ASGI middleware around the whole studio. `rest` is called when a large body is let go."""

    def __init__(
        self,
        app: Any,
        door: Door,
        visitors: Visitors | None = None,
        rest: Callable[[], object] = lambda: None,
    ):
        self._app, self._door, self._rest = app, door, rest
        self._closing = asyncio.Event()
        self._visitors = visitors or Visitors()
        self._bodies = Unfinished(BODIES_MOST)

    def close(self) -> None:
        """The studio closes: whoever still listens to it is told so, and nothing has to be torn off."""
        self._closing.set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(scope, receive, send, refusal)
            return
        if scope["type"] == "http" and self._enters_with_token(scope):
            await _let_in(send, str(self._door.token))
            return
        body = _Measured(scope, receive, self._closing, self._bodies, self._visitors)
        page = _page(scope) if scope["path"] == LISTEN else None
        stream = None if page is None else _Stream(send, page, self._visitors)
        try:
            await self._app(scope, body, _Dressed(stream or send, body))
        finally:
            self._bodies.done(id(body))
            if body.bytes > MAX_BODY:
                self._rest()
            if stream is not None:
                stream.leave()

    def _refusal(self, scope: dict[str, Any]) -> Refusal | None:
        headers = _headers(scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return Refusal(421, "this studio does not answer to that name.")
        if not _same_origin(scope, headers, host):
            return Refusal(403, "another page asked for this; open the studio itself.")
        if scope["type"] != "http":
            return Refusal(403, "the studio takes no such connection.")
        if not self._knows_token(scope, headers):
            return Refusal(401, "open the studio by the whole address that it printed, token included.")
        if not _is_served(scope):
            return Refusal(404, "there is nothing here.")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _limit(scope):
            return Refusal(413, f"that is more than the {_limit(scope):,} bytes taken at once.")
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower().rstrip(".")
        except ValueError:
            return False
        return name in self._door.names or (self._door.any_address and _is_address(name))

    def _knows_token(self, scope: dict[str, Any], headers: dict[str, str]) -> bool:
        token = self._door.token
        return token is None or any(_same(token, shown) for shown in (_cookie(headers), _asked_token(scope)))

    def _enters_with_token(self, scope: dict[str, Any]) -> bool:
        """Whether this is the printed address; the token then goes into a cookie and out of sight."""
        token = self._door.token
        return token is not None and scope["path"] == "/" and _same(token, _asked_token(scope))


class _Measured:
    """The request's body, counted and timed: what is sent beyond the limit ends it, what does not come in time, what
    all bodies together take beyond theirs, and the studio's own end."""

    def __init__(
        self,
        scope: dict[str, Any],
        receive: Any,
        closing: asyncio.Event,
        bodies: Unfinished,
        visitors: Visitors,
    ):
        self._scope, self._receive, self._limit, self._closing = scope, receive, _limit(scope), closing
        self._bodies, self._visitors, self._crowded = bodies, visitors, asyncio.Event()
        self.cut_off, self.bytes = False, 0
        self._whole, self._began = False, time.monotonic()
        self._asked = b""  # of a question, in which the page says who it is
        self._page: str | None = None

    async def __call__(self) -> dict[str, Any]:
        coming = asyncio.ensure_future(self._receive())
        closing = asyncio.ensure_future(self._closing.wait())
        crowded = asyncio.ensure_future(self._crowded.wait())
        # Once the body is there, this waits for the visitor to leave, which may take hours.
        patience = None if self._whole else max(0.0, self._began + BODY_WITHIN - time.monotonic())
        try:
            await asyncio.wait(
                (coming, closing, crowded), timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            if not coming.done():
                if not self._closing.is_set():
                    self.cut_off = True
                    _note(
                        self._scope, Refusal(408, "the body did not come in time, or too many came at once")
                    )
                return {"type": "http.disconnect"}
            message = coming.result()
        finally:
            coming.cancel()
            closing.cancel()
            crowded.cancel()
        self._keep_count(message)
        self.bytes += len(message.get("body", b""))
        if self.bytes > self._limit:
            _note(self._scope, Refusal(413, "the body went on beyond the limit"))
            return {"type": "http.disconnect"}
        return message

    def _keep_count(self, message: dict[str, Any]) -> None:
        body = message.get("body", b"")
        self._whole = self._whole or not message.get("more_body", False)
        if self._whole:
            self._bodies.done(id(self))
        elif body:
            self._bodies.add(id(self), self._crowded.set, len(body))
        if self._scope["path"].rstrip("/") == ASK and len(self._asked) < MAX_BODY:
            self._asked += body
            if self._whole and (match := _SESSION.search(self._asked)):
                self._page = page = match[1].decode()
                self._visitors.asked(page)

    def receipt(self) -> dict[str, str]:
        """What the answer to a question says besides, for streams.js."""
        return (
            {} if self._page is None else {"x-streams-ended": str(self._visitors.streams_ended(self._page))}
        )


_SESSION = re.compile(rb'"session_hash"\s*:\s*"([\w-]{1,64})"')


def _page(scope: dict[str, Any]) -> str | None:
    """Which page listens, as it says itself."""
    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash", [None])[0]


class _Stream:
    """Answers to a page while it listens. That the stream has ended is known before the page can hear of it."""

    def __init__(self, send: Any, page: str, visitors: Visitors):
        self._send, self._page, self._visitors, self._ended = send, page, visitors, False
        visitors.began_to_listen(page)

    async def __call__(self, message: dict[str, Any]) -> None:
        if STREAM_END in message.get("body", b""):
            self._end()
        await self._send(message)

    def leave(self) -> None:
        """The page listens no more by this stream."""
        self._end()
        self._visitors.left(self._page)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._visitors.stream_ended(self._page)


class _Dressed:
    """Answers with the headers that keep a browser careful."""

    def __init__(self, send: Any, body: _Measured):
        self._send, self._of = send, body
        self._start: dict[str, Any] | None = None  # of a page whose scripts must be read first
        self._body = b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            if self._of.cut_off:  # what is still to come is not waited for
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            own = {name.decode("latin-1").lower(): value for name, value in message["headers"]}
            if own.get("content-type", b"").startswith(b"text/html") and "content-security-policy" not in own:
                self._start = _for_this_page_alone(message)
                return
            await self._send(_dressed(_for_this_page_alone(message), {**HEADERS, **self._of.receipt()}))
        elif self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                policy = POLICY.format(scripts=_script_hashes(self._body))
                await self._send(_dressed(self._start, {**HEADERS, "content-security-policy": policy}))
                await self._send({"type": "http.response.body", "body": self._body})
        else:
            await self._send(message)


def _for_this_page_alone(start: dict[str, Any]) -> dict[str, Any]:
    """Without the framework's leave for pages of other ports of this machine to read the answer."""
    kept = [(n, v) for n, v in start["headers"] if not n.lower().startswith(b"access-control-")]
    return {**start, "headers": kept}


def _dressed(start: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    own = {name.lower() for name, _ in start["headers"]}
    missing = [(n.encode(), v.encode()) for n, v in headers.items() if n.encode() not in own]
    return {**start, "headers": [*start["headers"], *missing]}


def _script_hashes(page: bytes) -> str:
    """The sources of a policy that allow the scripts written in this page, and no others."""
    scripts = re.findall(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(script).digest()).decode("ascii") for script in scripts)
    return "".join(f" 'sha256-{digest}'" for digest in digests)


def _headers(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _same_origin(scope: dict[str, Any], headers: dict[str, str], host: str) -> bool:
    """Whether our own page asks, or no page at all (browsers always say which page sends something)."""
    if scope["type"] == "http" and scope["method"] in _READ:
        return True
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return origin in (f"http://{host}", f"https://{host}")


def _is_served(scope: dict[str, Any]) -> bool:
    # Undone twice: what is hidden under two layers of escapes is meant for somebody behind us.
    path = unquote(scope["path"])
    if ".." in path or "\\" in path or "\0" in path or "//" in path:
        return False
    return any(scope["method"] in methods and pattern.fullmatch(path) for methods, pattern in SERVED)


def _limit(scope: dict[str, Any]) -> int:
    return MAX_UPLOAD if scope.get("path") == UPLOAD else MAX_BODY


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(token: str, shown: str | None) -> bool:
    return shown is not None and hmac.compare_digest(token.encode(), shown.encode("utf-8", "replace"))


def _cookie(headers: dict[str, str]) -> str | None:
    try:
        shown = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if shown is None else shown.value


def _asked_token(scope: dict[str, Any]) -> str | None:
    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [None])[0]


async def _refuse(scope: dict[str, Any], receive: Any, send: Any, refusal: Refusal) -> None:
    """Say no, whole and at once; then let what the visitor was still sending run out.

    A connection closed on bytes that nobody read is reset, and a visitor's machine then throws away the answer too.
    """
    _note(scope, refusal)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = json.dumps({"error": refusal.sentence}).encode()
    headers = {
        **HEADERS,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    start = {"type": "http.response.start", "status": refusal.status}
    await send({**start, "headers": [(n.encode(), v.encode()) for n, v in headers.items()]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            await _run_out(receive)
    await send({"type": "http.response.body", "body": b""})


async def _run_out(receive: Any) -> None:
    """Drop a body as it comes, up to the size of the largest that is taken, until it ends or the visitor leaves."""
    left = MAX_UPLOAD
    while left >= 0:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return
        left -= len(message.get("body", b""))


async def _let_in(send: Any, token: str) -> None:
    cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict"
    headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _note(scope: dict[str, Any], refusal: Refusal) -> None:
    """One line, whatever the visitor put into the address; never its query, where a token may stand."""
    client = (scope.get("client") or ("unknown",))[0]
    asked = f"{scope.get('method', scope['type'])} {scope.get('path', '')[:120]!r}"
    log.warning("refused %s from %s: %d, %s", asked, client, refusal.status, refusal.sentence)
