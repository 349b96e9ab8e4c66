"""Which of the known file formats lies before us; everything else is refused with its name.

Enters: a path. Leaves: an open `ForeignCheckpoint`. Formats: the zip file of torch >= 1.6, the stream of pickles
before it, and safetensors. The tar file of torch 0.1 and compiled TorchScript are refused. Imports no torch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facette.checkpoint.foreign.inert import printable
from facette.checkpoint.foreign.limits import Budget, Limits
from facette.checkpoint.foreign.names import UNREAD, NameLedger
from facette.checkpoint.foreign.opened import ForeignCheckpoint
from facette.checkpoint.foreign.safe import looks_like_safetensors, read_safetensors
from facette.checkpoint.foreign.source import Source
from facette.checkpoint.foreign.torch_stream import read_torch_stream
from facette.checkpoint.foreign.torch_zip import read_torch_zip
from facette.errors import CheckpointError
from facette.files import stand_in

_OTHER_FORMATS = {
    b"\x1f\x8b": "gzip-compressed: unpack it first",
    b"BZh": "bzip2-compressed: unpack it first",
    b"\xfd7zXZ": "xz-compressed: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "zstandard-compressed: unpack it first",
    b"\x89HDF": "an HDF5 file (Keras): only PyTorch checkpoints and safetensors are read",
    b"\x93NUMPY": "a NumPy array: only PyTorch checkpoints and safetensors are read",
    b"GGUF": "a GGUF file: only PyTorch checkpoints and safetensors are read",
    b"<": "a web page or XML file, not a checkpoint: was the download successful?",
}


@contextmanager
def open_checkpoint(
    path: str | Path, strict: bool = True, limits: Limits | None = None
) -> Iterator[ForeignCheckpoint]:
    """Read the object tree of a checkpoint without running anything of it.

    `strict` refuses the file at the first name that could run code; otherwise such names are kept in the
    ledger and stand for nothing. Raises CheckpointError, with the file's name, for whatever is wrong, also
    when that is found while the caller reads tensors.
    """
    path, limits, ledger = Path(path), limits or Limits(), NameLedger(strict)
    try:
        with Source(path, limits) as source:
            yield _read(source, ledger, Budget(limits))
    except CheckpointError as error:
        raise CheckpointError(printable(_sentence(path, str(error), ledger))) from error


def _sentence(path: Path, text: str, ledger: NameLedger) -> str:
    """The file's name, what is wrong, and what an inspection had found until then."""
    sentence = (
        f"{path.name!r} {text}" if text.startswith(_PREDICATES) else f"{path.name!r} cannot be used: {text}"
    )
    if ledger.strict or not ledger.refused:
        return sentence
    what, reason = next(iter(ledger.refused.items()))
    return f"{sentence}; and it asks for {what}, {reason}" + (
        "" if reason == UNREAD else ": dangerous elsewhere"
    )


_PREDICATES = ("is ", "has ", "holds ", "cannot ", "became ", "needs ", "lacks ")


def _read(source: Source, ledger: NameLedger, budget: Budget) -> ForeignCheckpoint:
    head = source.head(1024)
    if head.startswith(b"PK"):
        return read_torch_zip(source, ledger, budget)
    if head[:1] == b"\x80" and not looks_like_safetensors(head, source.size):
        return read_torch_stream(source, ledger, budget)
    if looks_like_safetensors(head, source.size):
        return read_safetensors(source, ledger, budget)
    for start, meaning in _OTHER_FORMATS.items():
        if head.startswith(start):
            raise CheckpointError(f"is {meaning}")
    if head and (instead := stand_in(head[:64])):
        raise CheckpointError(f"is {instead}")
    if head[257:262] == b"ustar" or _is_old_tar(head):
        raise CheckpointError("is a tar file, the format of torch 0.1: save it again with any newer torch")
    raise CheckpointError("is not a checkpoint that Facette knows: neither torch's nor safetensors'")


def _is_old_tar(head: bytes) -> bool:
    """Whether a tar header from before `ustar` tells the sum of its bytes, its own field read as blanks."""
    field = head[148:156].strip(b" \0")
    if len(head) < 512 or not field or any(digit not in b"01234567" for digit in field):
        return False
    return int(field, 8) == sum(head[:148]) + 8 * 32 + sum(head[156:512])
