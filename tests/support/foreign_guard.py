"""Run as a program: read each file named on stdin under an audit hook and a memory limit; tell what happened.

Every event that Python's auditing reports while a file is read is either on a short list (opening that very
file for reading) or told as a breach: imports, code objects, processes, sockets, any other file.
"""

import json
import os
import resource
import sys
from importlib.resources import files

from facette.checkpoint.foreign import import_checkpoint, inspect_checkpoint
from facette.errors import CheckpointError

HEADROOM = 1 << 30  # bytes that reading may add to what the process has already
QUIET = {"object.__getattr__", "builtins.id", "sys._getframe"}
OWN_RECIPES = str(files("facette.recipes"))

watching: str | None = None
breaches: list[str] = []


def listen(event: str, args: tuple) -> None:
    if watching is None or event in QUIET:
        return
    if event == "open":
        path, _, flags = args
        reading = not (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if reading and (path == watching or isinstance(path, int) or str(path).startswith(OWN_RECIPES)):
            return
    breaches.append(f"{event} {args!r:.200}")


def attempt(path: str) -> dict[str, object]:
    """What importing and inspecting one file ends in."""
    global watching
    told: dict[str, object] = {}
    for name, act in (("import", import_checkpoint), ("inspect", inspect_checkpoint)):
        breaches.clear()
        watching = path
        try:
            act(path)
            error = None
        except CheckpointError as raised:
            error = ["CheckpointError", str(raised)]
        except BaseException as raised:  # every other kind is what the test looks for
            error = [type(raised).__name__, repr(raised)[:300]]
        finally:
            watching = None
        told[name] = {"error": error, "breaches": list(breaches)}
    return told


def address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def main() -> None:
    files = json.load(sys.stdin)
    honest = files.pop("honest")
    import_checkpoint(honest)  # what our own code imports on first use is imported now
    inspect_checkpoint(honest)
    limit = address_space() + HEADROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.addaudithook(listen)
    print(json.dumps({name: attempt(path) for name, path in {"honest": honest, **files}.items()}))


if __name__ == "__main__":
    main()
