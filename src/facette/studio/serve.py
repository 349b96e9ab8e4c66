"""The studio on a socket: where it listens, what it says, and how it ends.

Enters: a model, an address. Leaves: a server that answers until it is stopped. Elsewhere than on this machine it
listens only when that was asked for, and then only for those who have the token.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from facette.errors import UsageError, import_extra
from facette.studio.guard import Door
from facette.studio.visitors import HEADERS_WITHIN, QUICK, UNFINISHED_MOST, Unfinished

DEFAULT_PORT = 7860
TOKEN = "FACETTE_STUDIO_TOKEN"  # hands the token to the studio that takes this one's place
TRIES = 20  # ports after the default, when it is taken and none was asked for


def check_host(host: str, share_lan: bool) -> bool:
    """Whether a host is this machine alone. Raises UsageError for any other without `share_lan`."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not share_lan:
        raise UsageError(
            f"--host {host} lets others on the network in: add --share-lan if that is meant (a token is then needed)."
        )
    return loopback


def bind(host: str, port: int | None) -> socket.socket:
    """A listening place. Without a port the first free one from 7860 on. Raises UsageError where there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wished in (port,) if port is not None else range(DEFAULT_PORT, DEFAULT_PORT + TRIES):
        place = socket.socket(family, socket.SOCK_STREAM)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((host, wished))
        except (OSError, OverflowError) as error:
            place.close()
            reason = getattr(error, "strerror", None) or str(error)
            continue
        return place
    raise UsageError(f"cannot listen on {host}, port {wished}: {reason}; choose another --port.")


def door_for(host: str, loopback: bool, token: bool = True) -> Door:
    """Who is let in there: whoever has the token, which stands in the printed address.

    Also on this machine alone, where other accounts may be. `token` False leaves it out there, and there only.
    """
    key = os.environ.pop(TOKEN, None) or secrets.token_urlsafe(24)  # the page that is open goes on
    if loopback:
        return Door(names=Door().names | {host}, token=key if token else None)
    name = socket.gethostname().lower()
    return Door(Door().names | {host.lower(), name, f"{name}.local"}, True, key)


def address_of(place: socket.socket, door: Door) -> str:
    """What to type into a browser."""
    host, port = place.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = _outward_address() or socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + (f"?token={door.token}" if door.token else "")


def server_of(app: Any, ready: Callable[[], None] = lambda: None) -> Any:
    """The server of an application; its `run(sockets=[place])` answers until Ctrl-C, SIGTERM or `should_exit`.

    `ready` is called once it answers.
    """
    uvicorn = import_extra("uvicorn", "studio", "The studio")

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        async def shutdown(self, sockets: Any = None) -> None:
            app.close()  # pages that are open listen for ever
            await super().shutdown(sockets)

    # A visitor's broken request is no news: a line for each would fill the terminal.
    quiet = {"log_level": "error", "access_log": False, "server_header": False}
    return Server(
        uvicorn.Config(
            app,
            http=_impatient(Unfinished(UNFINISHED_MOST, QUICK)),
            ws="none",
            timeout_graceful_shutdown=3,
            **quiet,
        )
    )


def _impatient(waiting: Unfinished) -> Any:
    """The server's protocol, which ends a connection that does not bring a whole request in time."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    base: Any = AutoHTTPProtocol

    class Impatient(base):
        _timer: Any = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            answering = self.cycle is not None and not self.cycle.response_complete
            if answering:
                self._stop_waiting()
            else:
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait(self) -> None:
            if self._timer is None:
                self._timer = self.loop.call_later(HEADERS_WITHIN, self._give_up)
                waiting.add(id(self), self._give_up)

        def _stop_waiting(self) -> None:
            waiting.done(id(self))
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _give_up(self) -> None:
            """End it, unless it has come to be answered meanwhile, or rests between two requests as browsers do."""
            self._stop_waiting()
            if self.cycle is None or self.cycle.response_complete:
                self.transport.abort()

    return Impatient


@contextmanager
def private_folder() -> Iterator[None]:
    """Whatever the libraries below write goes into a folder that only we can read and that goes away with us."""
    folder = tempfile.mkdtemp(prefix="facette-studio-")
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = before


def quiet_logs() -> None:
    """Refusals and faults as one line each on stderr."""
    log = logging.getLogger("facette.studio")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
        log.propagate = False


def _outward_address() -> str | None:
    """The address of this machine in its network; asking for a route sends nothing."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]
