"""Visitors who hold on to what they do not finish are ended; whoever is quick is served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from facette.errors import UsageError
from facette.studio import app, serve, visitors
from facette.studio.app import DRAWN_MOST, Studio
from facette.studio.guard import Door, Guard
from facette.studio.visitors import Unfinished, Visitors

TOKEN = "a-token"


class Echo:
    """An application that reads a body and says how long it was."""

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                await send({"type": "http.response.start", "status": 400, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
            length, more = length + len(message.get("body", b"")), message.get("more_body", False)
        other = (b"access-control-allow-origin", b"http://localhost:9999")
        head = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), other],
        }
        await send(head)
        await send({"type": "http.response.body", "body": str(length).encode()})


@pytest.fixture
def door(monkeypatch):
    """The port of a guarded server that soon loses patience."""
    monkeypatch.setattr(serve, "HEADERS_WITHIN", 1.0)
    monkeypatch.setattr("facette.studio.guard.BODY_WITHIN", 1.0)
    place = serve.bind("127.0.0.1", 0)
    answers = threading.Event()
    server = serve.server_of(Guard(Echo(), Door(token=TOKEN)), answers.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
    thread.start()
    assert answers.wait(30)
    yield place.getsockname()[1]
    server.should_exit = True
    thread.join(30)
    place.close()


def asked(port: int, path: str = "/config", token: str | None = TOKEN, body: bytes | None = None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Cookie": f"facette-token={token}"} if token else {}
    connection.request("GET" if body is None else "POST", path, body=body, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def was_ended(connection: socket.socket) -> bool:
    connection.settimeout(20)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1000):
            continue  # a refusal may come first
    return True


def test_headers_that_never_end_are_ended_and_nobody_else_waits(door, capfd):
    slow = [socket.create_connection(("127.0.0.1", door)) for _ in range(300)]
    for connection in slow:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
        except (BrokenPipeError, ConnectionResetError):
            continue  # one of the oldest: it has been ended already
    assert all(asked(door).status == 200 for _ in range(5))
    assert all(was_ended(connection) for connection in slow)
    for connection in slow:
        connection.close()
    assert len(capfd.readouterr().err) < 1000


def test_a_body_that_does_not_come_is_ended(door):
    head = f"POST /photo HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: facette-token={TOKEN}\r\nContent-Length: 9999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", door)) as connection:
        connection.sendall(head.encode() + b"some")
        assert asked(door).status == 200
        assert was_ended(connection)
    assert asked(door, "/photo", body=b"x" * 100_000).status == 200


def test_this_machines_other_accounts_and_ports_are_strangers(door):
    assert asked(door, token=None).status == 401
    assert asked(door, token="guessed").status == 401
    assert not any(name.lower().startswith("access-control") for name, _ in asked(door).getheaders())


def test_together_bodies_take_no_more_than_there_is_room_for():
    ended = []
    bodies = Unfinished(100)
    for number in range(10):
        bodies.add(number, lambda number=number: ended.append(number), 30)
    assert ended == [0, 1, 2, 3, 4, 5, 6]  # the oldest, and those alone
    bodies.done(7)
    bodies.add(8, lambda: ended.append(8), 40)
    assert len(bodies) == 2
    assert len(ended) == 7


def test_nothing_is_drawn_for_a_page_that_has_left():
    known = Visitors(patience=0.2)
    assert not known.has_gone(None)
    assert not known.has_gone("a page that never asked")
    known.asked("here")
    known.began_to_listen("here")
    assert not known.has_gone("here")
    for number in range(300):
        known.asked(f"abandoned {number}")
    time.sleep(0.3)  # the patience is one for all, not one for each
    assert all(known.has_gone(f"abandoned {number}") for number in range(300))
    known.left("here")
    assert known.has_gone("here")


def test_a_page_that_has_just_asked_is_given_time_to_listen():
    known = Visitors(patience=20)
    known.asked("slow")
    threading.Timer(0.2, known.began_to_listen, ["slow"]).start()
    assert not known.has_gone("slow")


def test_a_slow_browser_is_drawn_for_while_there_is_no_crowd():
    known = Visitors(patience=0.05)
    known.asked("slow")
    time.sleep(0.1)
    assert not known.has_gone("slow")
    for number in range(visitors.FEW):
        known.asked(f"abandoned {number}")
    time.sleep(0.1)
    assert known.has_gone("slow")


@pytest.mark.parametrize(
    "source",
    [
        "synthetic-x/../../private",
        "synthetic-faces/../x",
        "synthetic-",
        "synthetic-faces:",
        "synthetic-faces:-3",
    ],
)
def test_a_shared_studio_reads_no_folder_by_any_name(source):
    shared = object.__new__(Studio)
    shared.shared = True
    with pytest.raises(UsageError, match="reads no folders"):
        shared.readable(source)
    assert shared.readable("synthetic-faces:400") == "synthetic-faces:400"


def test_what_the_studio_draws_is_bounded():
    studio = object.__new__(Studio)
    studio.shared = False
    with pytest.raises(UsageError, match="at most"):
        studio.readable(f"synthetic-faces:{DRAWN_MOST + 1}")
    with pytest.raises(UsageError, match="at most"):
        studio.readable("synthetic-mixture:999999999999")


def test_where_pages_are_late_a_crowd_is_given_longer():
    known = Visitors(patience=0.05)
    known.asked("late")
    time.sleep(0.4)
    known.began_to_listen("late")
    for number in range(visitors.FEW + 2):
        known.asked(f"one of many {number}")
    threading.Timer(0.3, known.began_to_listen, ["one of many 3"]).start()
    assert not known.has_gone("one of many 3")
    assert known.has_gone("one of many 5")


def test_what_was_asked_is_remembered_of_so_many_pages():
    known = Visitors()
    for number in range(visitors.REMEMBERED + 10):
        known.asked(str(number))
    assert not known.has_gone("3")  # forgotten, and so believed


def test_what_moves_is_shown_before_what_rests(monkeypatch):
    """Events in a hurry go first, never before an earlier one of their own page nor one that has waited long."""
    known, done = Visitors(), []

    async def event(lane, page: str, name: str, in_a_hurry: bool) -> None:
        await lane.enter(page, in_a_hurry)
        await asyncio.sleep(0.001)
        done.append(name)
        lane.leave()

    async def crowd(*events: tuple[str, str, bool]) -> list[str]:
        done.clear()
        lane = known.lane(str(events))
        tasks = [asyncio.create_task(event(lane, *each)) for each in events]
        await asyncio.gather(*tasks)
        return list(done)

    came = [("a", "begun", False), ("b", "rest b", False), ("c", "rest c", False)]
    came += [("b", "move b", True), ("d", "move d", True)]
    with ThreadPoolExecutor() as elsewhere:  # the tests' browser has a loop of its own in this thread
        order = elsewhere.submit(asyncio.run, crowd(*came)).result()
        assert order == ["begun", "move d", "rest b", "move b", "rest c"]
        monkeypatch.setattr(visitors, "PATIENT", -1.0)
        order = elsewhere.submit(asyncio.run, crowd(*came)).result()
        assert order == ["begun", "rest b", "rest c", "move b", "move d"]


def test_an_abandoned_event_holds_up_its_own_page_alone():
    """Those that somebody waits for are answered in their order, however many others may have been left."""
    known = Visitors(patience=0.4)
    done: list[str] = []

    async def event(lane, page: str, name: str) -> None:
        if await lane.enter(page):
            try:
                await asyncio.sleep(0.001)
                done.append(name)
            finally:
                lane.leave()

    async def crowd() -> None:
        lane = known.lane("live")
        for number in range(100):
            known.asked(f"abandoned {number}")
        for page in ("here", "slow"):
            known.asked(page)
        known.began_to_listen("here")
        tasks = [asyncio.create_task(event(lane, f"abandoned {number}", "nobody's")) for number in range(100)]
        tasks += [asyncio.create_task(event(lane, "slow", f"slow {number}")) for number in range(3)]
        tasks += [asyncio.create_task(event(lane, "here", f"here {number}")) for number in range(3)]
        stopped = asyncio.create_task(event(lane, "here", "stopped"))
        await asyncio.sleep(0)
        stopped.cancel()
        for _ in range(500):
            if len(done) == 3:
                break
            await asyncio.sleep(0.01)
        assert done == ["here 0", "here 1", "here 2"]
        known.began_to_listen("slow")
        await asyncio.gather(*tasks)
        assert done[3:] == ["slow 0", "slow 1", "slow 2"]
        await event(lane, "here", "the lane is free")

    with ThreadPoolExecutor() as elsewhere:  # the tests' browser has a loop of its own in this thread
        elsewhere.submit(asyncio.run, crowd()).result()
    assert done[-1] == "the lane is free"


def test_when_hundreds_come_at_once_nobody_is_ended_who_may_still_be_quick():
    ended = []
    crowd = Unfinished(10, quick=0.2)
    for number in range(10 * visitors.CROWD_MOST):
        crowd.add(number, lambda number=number: ended.append(number))
    assert ended == []
    crowd.add("too many", lambda: ended.append("too many"))
    assert ended == [0]
    time.sleep(0.3)
    crowd.add("another", lambda: ended.append("another"))
    assert ended == list(range(len(ended)))  # the oldest, down to what there is room for
    assert len(crowd) == 10


def test_of_a_page_is_kept_what_its_events_changed_and_no_more():
    """Gradio describes every control for each page that comes, in the server's loop, and keeps what each one shows."""
    import fastapi
    import gradio as gr

    def build() -> None:
        with gr.Blocks() as blocks:
            built.extend((blocks, gr.HTML("before"), gr.State(())))
        gr.mount_gradio_app(fastapi.FastAPI(), blocks, path="/")

    built: list[Any] = []
    app.within_a_loop(build)
    blocks, shown, remembered = built
    app.keep_little_of_each_page(blocks)
    here, elsewhere = blocks.state_holder["here"], blocks.state_holder["elsewhere"]
    here._update_value_in_config(shown._id, "a megabyte of pictures")
    assert not any(here.components)
    here[shown._id], here[remembered._id] = gr.HTML("after", render=False), ("a favourite",)
    assert (here[shown._id].value, here[remembered._id]) == ("after", ("a favourite",))
    assert (elsewhere[shown._id].value, elsewhere[remembered._id]) == ("before", ())
    assert blocks.state_holder["here"] is here
