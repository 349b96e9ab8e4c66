"""Run as a program: carry out `facette` commands, one after another, and tell what they asked of the network.

On stdin, a JSON list of commands. On stdout, last line, JSON: for each command its exit code, and every event of
Python's auditing that speaks of the network. What libraries do outside Python shows in the files they leave, which the
test looks at.
"""

import contextlib
import io
import json
import sys

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")


def run_all(commands: list[list[str]]) -> list[dict]:
    from facette.cli import main

    account = []
    events: list[str] = []
    sys.addaudithook(
        lambda event, details: events.append(f"{event} {details!r}") if event in NETWORK else None
    )
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
