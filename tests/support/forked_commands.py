"""Commands in processes of their own that begin at once: forks of one process that has imported everything.

As a module: `Commands` starts such a process and asks it for commands. Run as a program: that process. A fork shares no
thread, lock or open file of ours with another; it may be killed like any command.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Command:
    """A command that was started."""

    server: Commands
    pid: int
    said: Path  # what it wrote on stdout and stderr
    code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, below 0 for a signal's; None while it runs."""
        if self.code is None:
            self.code = self.server.ask({"poll": self.pid})
        return self.code

    def wait(self, seconds: float = 300.0) -> int | None:
        """Its exit code, or None where it takes longer."""
        until = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        return self.code

    def kill(self) -> bool:
        """Whether SIGKILL has met it at work."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        return self.code == -signal.SIGKILL

    @property
    def text(self) -> str:
        return self.said.read_text("utf-8", "replace")


class Commands:
    """The process that forks; `cache` is where packed pictures go unless a command says otherwise."""

    def __init__(self, folder: Path):
        self.folder, self.number = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "FACETTE_CACHE": str(folder / "cache")},
            cwd=folder,
        )
        self.ask({})  # it answers once everything is imported

    def start(self, *words: object) -> Command:
        self.number += 1
        said = self.folder / f"said-{self.number}.txt"
        pid = self.ask({"words": [str(word) for word in words], "said": str(said)})
        return Command(self, pid, said)

    def run(self, *words: object) -> Command:
        """The same, to its end, which must be a good one."""
        command = self.start(*words)
        assert command.wait() == 0, command.text
        return command

    def ask(self, question: dict) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        answer: int | None = 0
        if "words" in question:
            answer = os.fork()
            if answer == 0:
                become(question["words"], question["said"])
        elif "poll" in question:
            pid, status = os.waitpid(question["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def become(words: list[str], said: str) -> None:
    """The command, in a fork."""
    code = 70
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    try:
        from facette.cli import main

        main(words)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    import torch

    import facette.cli
    import facette.dial
    import facette.evaluation.evaluate
    import facette.images.faces.align
    import facette.mapping
    import facette.reports.findings
    import facette.scale.run
    import facette.training.run  # noqa: F401

    torch.set_num_threads(1)
    serve()
