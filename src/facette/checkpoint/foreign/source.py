"""A file on disk that is read by position, never beyond its end.

Enters: a path. Leaves: bytes of exactly the length asked for. Knows nothing of formats.
"""

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from facette.checkpoint.foreign.limits import GIB, Limits
from facette.errors import CheckpointError


class Source:
    """An open regular file. Use as a context manager; raises CheckpointError for what is no plain file."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        if path.is_dir():
            raise CheckpointError("is a folder: name the checkpoint file inside it")
        try:
            # O_NONBLOCK: opening a named pipe would otherwise wait for a writer for ever.
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
            reason = error.strerror if isinstance(error, OSError) else error
            raise CheckpointError(f"cannot be opened: {reason}") from error
        self._file = os.fdopen(handle, "rb")
        about = os.fstat(handle)
        self.size = about.st_size
        reason = None
        if not stat.S_ISREG(about.st_mode):
            reason = "is not a regular file"
        elif self.size == 0:
            reason = "is empty"
        elif self.size > limits.file_bytes:
            reason = f"is larger than {limits.file_bytes / GIB:.0f} GiB"
        if reason:
            self._file.close()
            raise CheckpointError(reason)

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`; raises CheckpointError when the file ends before."""
        if offset < 0 or count < 0 or offset + count > self.size:
            raise CheckpointError(f"is cut off: {count:,} bytes are missing from byte {offset:,} on")
        try:
            self._file.seek(offset)
            data = self._file.read(count)
        except OSError as error:
            raise CheckpointError(f"cannot be read: {error.strerror}") from error
        if len(data) != count:
            raise CheckpointError("became shorter while it was read")
        return data

    def head(self, count: int) -> bytes:
        """At most `count` bytes from the start."""
        return self.read(0, min(count, self.size))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
