"""At rest the studio holds little: what work has freed is given back, and torch comes when it is asked for."""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from facette.runtime import YIELDING, yield_to_others
from facette.studio import events
from facette.studio.events import ActiveWork, _messages
from facette.studio.guard import MAX_BODY, UPLOAD, Door, Guard


def test_memory_is_given_back_when_the_last_one_is_done(monkeypatch):
    rests = []
    at_work = ActiveWork(at_rest=lambda: rests.append(time.monotonic()))
    with at_work:
        with at_work:
            pass
        assert not rests
    assert len(rests) == 1
    monkeypatch.setattr(events, "REST", 0.3)
    for _ in range(3):
        with at_work:
            pass
    assert len(rests) == 1  # a moment later
    until = time.monotonic() + 20
    while len(rests) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(rests) == 2  # what ended last is not forgotten
    assert rests[1] - rests[0] >= 0.3


def test_memory_is_given_back_when_a_held_body_is_let_go():
    rests = []

    async def application(scope, receive, send) -> None:
        while (message := await receive()).get("more_body"):
            assert message["type"] == "http.request"

    async def ended_after(pieces: int) -> None:
        bodies = [{"type": "http.request", "body": b"x" * MAX_BODY, "more_body": True}] * pieces
        messages = iter([*bodies, {"type": "http.disconnect"}])

        async def receive() -> dict:
            return next(messages)

        scope = {"type": "http", "method": "POST", "path": UPLOAD, "headers": [(b"host", b"localhost")]}
        guard = Guard(application, Door(), rest=lambda: rests.append(True))
        await guard(scope, receive, None)

    with ThreadPoolExecutor() as elsewhere:  # the tests' browser has a loop of its own in this thread
        elsewhere.submit(asyncio.run, ended_after(1)).result()
        assert rests == []
        elsewhere.submit(asyncio.run, ended_after(3)).result()
    assert rests == [True]


def test_another_process_opens_the_model_of_the_page(model):
    pytest.importorskip("torch")
    from facette.model.trained import TrainedModel
    from facette.studio.app import Studio

    opened = pickle.loads(pickle.dumps(Studio(model, "faces128", plain=True, device="cpu").named)).open()
    assert isinstance(opened, TrainedModel)
    assert (opened.name, opened.sharpener, opened.device.type) == (model.name, None, "cpu")
    assert Studio(model, "faces128", device="cpu").named.open().sharpener is not None


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no ranks of their own here")
def test_a_thread_that_yields_is_the_only_one_to():
    def rank() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = rank()
    with ThreadPoolExecutor(1, initializer=yield_to_others) as polite:
        assert polite.submit(rank).result() == max(before, YIELDING)
    assert rank() == before


def test_what_was_stopped_says_no_more():
    messages, stopped = queue.Queue(), threading.Event()
    messages.put(("told", "half"))
    listening = _messages(messages, stopped)
    assert next(listening) == ("told", "half")

    def stop() -> None:
        stopped.set()
        messages.put(
            ("done", None)
        )  # what the work answers to being stopped, while somebody waits for its word

    threading.Timer(0.05, stop).start()
    assert list(listening) == []
