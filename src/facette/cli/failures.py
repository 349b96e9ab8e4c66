"""What the system refuses, as a sentence; and how a command ends that was stopped.

Enters: a command's function. Leaves: one that ends with code 2 and a sentence where a disk is full, a place cannot be
written, a name is too long or standard output is closed, where memory runs out, in Python or below it, or a library
cannot be loaded; with 130 on Ctrl-C. Mistakes of the user's own are `FacetteError`s and pass through, faults of ours
keep their traceback.
"""

from __future__ import annotations

import errno
import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO

from facette.errors import FacetteError

INTERRUPTED = 128 + signal.SIGINT
_REASONS = {
    errno.ENOSPC: "there is no room left on the disk",
    errno.EFBIG: "the file would be larger than it may be here",
    errno.EDQUOT: "the quota of this user on the disk is used up",
    errno.ENAMETOOLONG: "the name is too long for the file system",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the file system can only be read",
    errno.EIO: "the disk reports an error",
    errno.EMFILE: "too many files are open",
    errno.ELOOP: "its links lead in a circle",
    errno.EPIPE: "whoever read the output has gone",
    errno.EBADF: "standard output is closed",
}


def with_sentences(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, with what the system refuses turned into `SystemExit` with a sentence on stderr."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            result = command(*arguments, **options)
            if sys.stdout is not None:
                sys.stdout.flush()  # a full disk is met here, not when the interpreter ends
        except BrokenPipeError:  # whoever read the output has seen enough
            _forget_output(BrokenPipeError(errno.EPIPE, ""))
            raise
        except KeyboardInterrupt:
            complain("stopped")
            raise SystemExit(INTERRUPTED) from None
        except (OSError, MemoryError, UnicodeError) as error:
            complain(sentence_of(error))
            _forget_output(error)
            raise SystemExit(2) from None
        except Exception as error:
            if sentence := _from_below(error):
                complain(sentence)
                raise SystemExit(2) from None
            raise
        return result

    return run


NO_MEMORY = "there is not enough memory for this"
_NO_MEMORY = (  # as the allocators of torch, onnxruntime, OpenCV and C++ say it
    *("can't allocate memory", "not enough memory", "failed to allocate memory", "insufficient memory"),
    *("out of memory", "bad_alloc", "bad allocation"),
)


def _from_below(error: Exception) -> str:
    """What a library that is not written in Python met, for a person; empty for faults that are ours to mend."""
    if isinstance(error, FacetteError):
        return ""
    text = str(error)
    if type(error).__name__ == "OutOfMemoryError":  # torch's, of an accelerator
        return f"{NO_MEMORY}: {text.partition('. ')[0]}"
    if not isinstance(error, ImportError) and any(words in text.lower() for words in _NO_MEMORY):
        return NO_MEMORY
    if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError) and _is_binary(error):
        return f"a library that this needs is installed, but cannot be loaded: {text}"
    return ""


def _is_binary(error: ImportError) -> bool:
    """Whether the system's loader refused a compiled library, and no module misses a name."""
    return error.name is None or (error.path or "").endswith((".so", ".pyd", ".dll", ".dylib"))


def sentence_of(error: OSError | MemoryError | UnicodeError) -> str:
    """What the system refused and where, for a person."""
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, UnicodeError):
        return f"a text or a name is not in the encoding it should have: {error}"
    reason = _REASONS.get(error.errno or 0) or (error.strerror or str(error) or type(error).__name__).lower()
    place = f"{os.fsdecode(error.filename)!r}: " if isinstance(error.filename, str | bytes) else ""
    return f"{place}{reason}"


def complain(sentence: str) -> None:
    """`facette: …` on stderr."""
    from facette.cli.output import printable

    sys.stderr.write(f"facette: {printable(sentence)}\n")


def leave_if_interrupted(interrupted: bool, signal_number: int) -> None:
    """End with the code that shells give to what a signal stopped: 130 for SIGINT, 143 for SIGTERM."""
    if interrupted:
        raise SystemExit(128 + (signal_number or signal.SIGINT))


def leave_launched() -> None:
    """End one of several processes that `torchrun` started, when all is done and written.

    Threads of torch's process group can outlive the interpreter and abort the process while it is taken down, and the
    launcher then ends the others, the leading one among them at its last work. Nothing is left to take down here.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)


def keep_going_without_stderr() -> None:
    """From now on nothing fails because nobody reads what is said: a closed or full stderr ends no run."""
    if not isinstance(sys.stderr, _Tolerant):
        sys.stderr = _Tolerant(sys.stderr)  # type: ignore[assignment]


class _Tolerant:
    """A stream that loses what cannot be written."""

    def __init__(self, stream: TextIO | None):
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream is not None:
            try:
                return self._stream.write(text)
            except (OSError, ValueError):  # full, gone, or closed
                self._stream = None
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._stream = None

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        if self._stream is None:
            raise AttributeError(name)
        return getattr(self._stream, name)


def _forget_output(error: BaseException) -> None:
    """What stdout still holds cannot be written; the interpreter would try once more and complain."""
    if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC, errno.EBADF, errno.EIO):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 1)
        finally:
            os.close(nowhere)
