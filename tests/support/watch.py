"""Run as a program: carry out `facette` commands, one after another, and tell what they asked of the network.

On stdin, a JSON list of commands. On stdout, last line, JSON: for each command its exit code, and every event of
Python's auditing that speaks of the network. What libraries do outside Python shows in the files they leave, which the
test looks at.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

# Folders below the home where a command may leave files: packed pictures, the list of fonts that matplotlib keeps, and
# the settings of Keras, which TensorBoard's writer imports where TensorFlow is installed.
DECLARED = (".cache/facette/", ".cache/matplotlib/", ".config/matplotlib/", ".keras/")
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")


def heard() -> list[str]:
    """A list that grows by every event of this process, from now on, that speaks of the network."""
    events: list[str] = []
    sys.addaudithook(
        lambda event, details: events.append(f"{event} {details!r}") if event in NETWORK else None
    )
    return events


def undeclared(home: Path) -> list[str]:
    """Files below a home that no command has leave to put there."""
    files = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    return sorted(name for name in files if not name.startswith(DECLARED))


def run_all(commands: list[list[str]]) -> list[dict]:
    from facette.cli import main

    account = []
    events = heard()
    for command in commands:
        events.clear()
        said = io.StringIO()
        code = 0
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                main(command)
            except SystemExit as ended:
                code = int(ended.code or 0)
        account.append(
            {"command": command, "code": code, "network": list(events), "said": said.getvalue()[-2000:]}
        )
    return account


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(run_all(json.load(sys.stdin))))
