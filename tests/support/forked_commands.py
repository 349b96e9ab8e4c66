"""Commands in processes of their own that begin at once: forks of one process that has imported everything.

As a module: `Commands` starts such a process and asks it for commands. Run as a program: that process. A fork shares no
thread, lock or open file of ours with another; it may be killed like any command.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(slots=True)
class Command:
    """A command that was started."""

    server: Commands
    pid: int
    out: Path  # what it wrote on stdout
    err: Path  # and on stderr
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

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Whether the signal has met it at work."""
        if self.poll() is None:
            os.kill(self.pid, number)
            self.wait()
        return self.code == -number

    @property
    def text(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in (self.out, self.err))


class Commands:
    """The process that forks. Packed pictures go to its folder unless a command says otherwise; commands compute with
    as many `threads`."""

    def __init__(self, folder: Path, threads: int = 1):
        self.folder, self.threads, self.number = folder, threads, 0
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "FACETTE_CACHE": str(folder / "cache")},
            cwd=folder,
        )
        self.ask({})  # it answers once everything is imported

    def start(self, *arguments: object, **environment: object) -> Command:
        """The command, where these variables are set besides."""
        self.number += 1
        out, err = (self.folder / f"{self.number}.{stream}" for stream in ("out", "err"))
        words = [str(argument) for argument in arguments]
        place = {name: str(value) for name, value in environment.items()}
        streams = {"out": str(out), "err": str(err)}
        pid = self.ask({"words": words, **streams, "threads": self.threads, "environment": place})
        return Command(self, pid, out, err)

    def run(self, *words: object) -> Command:
        """The same, to its end, which must be a good one."""
        command = self.start(*words)
        assert command.wait() == 0, command.text
        return command

    def together(self, processes: int, *words: object) -> None:
        """One command in several processes that know of each other, as `torchrun` starts them; to a good end."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free.getsockname()[1]}
        ranks = [
            self.start(*words, RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=processes, **meeting)
            for rank in range(processes)
        ]
        for command in ranks:
            assert command.wait() == 0, command.text

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
                become(**question)
        elif "poll" in question:
            pid, status = os.waitpid(question["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def become(words: list[str], out: str, err: str, threads: int, environment: dict[str, str]) -> None:
    """The command, in a fork."""
    code = 70
    streams = [os.open(os.devnull, os.O_RDONLY)]
    streams += [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for path in (out, err)]
    for target, source in enumerate(streams):
        os.dup2(source, target)
    torch.set_num_threads(threads)
    os.environ.update(environment)
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
    from contextlib import suppress

    # What trainings import when they begin, and sharded ones: up to two seconds of every fork.
    import torch.distributed.checkpoint.hf_storage
    import torch.distributed.fsdp
    import torch.distributed.tensor

    import facette.cli
    import facette.dial
    import facette.evaluation.evaluate
    import facette.images.faces.align
    import facette.mapping
    import facette.reports.findings
    import facette.scale.run
    import facette.training.run  # noqa: F401

    with suppress(ImportError):  # the journal's second form, where it is installed
        import torch.utils.tensorboard.writer

    torch.set_num_threads(1)  # threads of the one that forks would not be there in a fork
    serve()
