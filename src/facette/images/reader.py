"""Pictures decoded in a process that can be ended: what takes for ever, crashes or eats memory costs its picture alone.

Enters: a function of this room, the bytes of a picture, plain options. Leaves: what the function returns, made of plain
values, bytes, Pillow images and arrays (the fields of a dataclass as a dictionary); or its ImageError. Between the two
processes go JSON and raw numbers, never a pickle: whoever takes over a decoder is not let into this process by what
comes back.

Each reader serves one caller at a time and is kept for the next; nobody waits for a lock.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import IO, Any

import numpy as np
from PIL import Image

from facette.errors import ImageError

SECONDS = 25.0  # for one picture, the start of a reader included; 80 million pixels of AVIF take about ten
# bytes that a reader may hold more than it needs to begin with; its threads' stacks come on top
ROOM = 1536 << 20
STACK = 16 << 20  # bytes for each processor's thread of a decoder
LARGEST_ANSWER = 2 << 30  # bytes
KEPT = os.cpu_count() or 1  # readers that wait for work
WORKS = {  # what a reader is asked for by name
    "open": "facette.images.open:decode",
    "whole": "facette.images.whole:decode_whole",
    "depth": "facette.images.greatest:decode_greatest",
}
COMMAND = [sys.executable, "-P", "-W", "ignore", "-m", "facette.images.reader"]

_idle: deque[Reader] = deque()  # taking from either end of it is one step


def read_apart(work: str, data: bytes, name: str, **options: Any) -> Any:
    """What the function of `WORKS` returns for `(data, name, **options)`, computed by a reader.

    Raises the ImageError that it raises, and one that tells of a picture which took longer than SECONDS, more memory
    than ROOM, or brought the decoder down.
    """
    reader = _waiting() or Reader(name)
    try:
        answer = reader.ask({"work": work, "name": name, "options": options}, data)
    except BaseException:
        reader.end()
        raise
    if len(_idle) < KEPT:
        _idle.append(reader)
    else:
        reader.end()
    if isinstance(answer, ImageError):
        raise answer
    return answer


def _waiting() -> Reader | None:
    while _idle:
        with suppress(IndexError):  # another thread was quicker
            reader = _idle.pop()
            if reader.owner == os.getpid() and reader.process.poll() is None:
                return reader
            reader.end()
    return None


class Reader:
    """The other process, seen from here."""

    def __init__(self, name: str):
        self.owner = os.getpid()  # a fork of this process must not speak to it
        path = os.pathsep.join(place for place in sys.path if place)
        try:
            self.process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=os.name == "posix",  # Ctrl-C is for this process, which then ends the other
            )
        except OSError as error:
            raise ImageError(
                f"{name} cannot be decoded: no process can be started for it ({error.strerror})."
            ) from None

    def ask(self, question: dict[str, Any], data: bytes) -> Any:
        """The answer to one question; an ImageError that was raised over there is returned."""
        late = threading.Event()
        ticking = threading.Timer(SECONDS, lambda: (late.set(), self.process.kill()))
        ticking.daemon = True
        ticking.start()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            _send(self.process.stdin, {**question, "seconds": SECONDS, "room": ROOM}, [data])
            answer, parts = _receive(self.process.stdout)
            if "refused" in answer:
                return ImageError(str(answer["refused"]))
            return _restored(answer["answer"], parts)
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
        ):  # it has ended, or talks nonsense
            self.process.kill()
            raise ImageError(_epitaph(question["name"], self.process.wait(), late.is_set())) from None
        finally:
            ticking.cancel()

    def end(self) -> None:
        """Have it end now."""
        if self.owner == os.getpid():
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # what was not sent yet is for nobody
                if pipe is not None:
                    pipe.close()


def _epitaph(name: str, code: int, late: bool) -> str:
    if late or code == -getattr(signal, "SIGALRM", 0):
        return f"{name} takes more than {SECONDS:.0f} seconds to decode: save it as JPEG or PNG."
    return f"{name} is damaged and cannot be decoded: it brings its decoder down."


@atexit.register
def end_idle() -> None:
    """Have all readers end that wait for work."""
    while _idle:
        _idle.pop().end()


# ── the other process ────────────────────────────────────────────────────────────────────────────────────


def main() -> None:
    """Answer questions until nobody asks any more."""
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a decoder that prints must not be taken for an answer
    while True:
        try:
            question, parts = _receive(questions)
        except EOFError:
            return
        _bound(question["seconds"], question["room"])
        parts_out: list[Any] = []
        try:
            result = _function(WORKS[question["work"]])(parts[0], question["name"], **question["options"])
            answer: dict[str, Any] = {"answer": _plain(result, parts_out)}
        except ImageError as error:
            answer = {"refused": str(error)}
        _send(answers, answer, parts_out)
        _bound(0, None)


def _function(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _bound(seconds: float, room: int | None) -> None:
    """Limits that the system keeps, should whoever asked be gone: an alarm nobody handles, and a size."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds)
    if room is not None and sys.platform == "linux":
        import resource

        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        room += STACK * (os.cpu_count() or 1)
        wanted = size + room if hard == resource.RLIM_INFINITY else min(size + room, hard)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


# ── what goes between ────────────────────────────────────────────────────────────────────────────────────


def _send(pipe: IO[bytes], message: dict[str, Any], parts: list[Any]) -> None:
    """A line of JSON, then the parts one after the other."""
    sizes = [memoryview(part).nbytes for part in parts]
    pipe.write(json.dumps({**message, "sizes": sizes}).encode() + b"\n")
    for part in parts:
        pipe.write(memoryview(part).cast("B") if memoryview(part).nbytes else b"")
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Raises EOFError at the end, ValueError for what cannot be meant."""
    line = pipe.readline(4 << 20)
    if not line:
        raise EOFError
    message = json.loads(line)
    if sum(message["sizes"]) > LARGEST_ANSWER or min(message["sizes"], default=0) < 0:
        raise ValueError("too large")
    parts = [pipe.read(size) for size in message["sizes"]]
    if [len(part) for part in parts] != message["sizes"]:
        raise EOFError
    return message, parts


def _plain(value: Any, parts: list[Any]) -> Any:
    """The value as JSON, with places in `parts` for what is made of bytes."""
    if isinstance(value, Image.Image):
        parts.append(value.tobytes())
        return {"image": [value.mode, *value.size], "part": len(parts) - 1}
    if isinstance(value, np.ndarray):
        parts.append(np.ascontiguousarray(value))
        return {"array": [value.dtype.str, *value.shape], "part": len(parts) - 1}
    if isinstance(value, bytes):
        parts.append(value)
        return {"bytes": len(value), "part": len(parts) - 1}
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {"dict": {name: _plain(entry, parts) for name, entry in value.items()}}
    if isinstance(value, tuple):
        return [_plain(entry, parts) for entry in value]
    return value if value is None or isinstance(value, str | int | float | bool) else float(value)


def _restored(value: Any, parts: list[bytes]) -> Any:
    """The value of `_plain`; ValueError for what was not made by it."""
    if isinstance(value, list):
        return tuple(_restored(entry, parts) for entry in value)
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {name: _restored(entry, parts) for name, entry in value["dict"].items()}
    data = parts[value["part"]]
    if "image" in value:
        mode, width, height = value["image"]
        return Image.frombytes(mode, (width, height), data)
    if "array" in value:
        kind, *shape = value["array"]
        if np.dtype(kind).hasobject or math.prod(shape) * np.dtype(kind).itemsize != len(data):
            raise ValueError(value)
        return np.frombuffer(bytearray(data), kind).reshape(shape)
    return data


if __name__ == "__main__":
    main()
