"""Tensors and one JSON value in a single safetensors file, written so that a reader never sees half of it.

Enters and leaves: named tensors and a JSON-able dictionary. Knows nothing of models. Never pickle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from facette.checkpoint.digest import DIGEST, content_digest, verify_content
from facette.checkpoint.locate import HEADER, open_tensors, read_header
from facette.errors import CheckpointError
from facette.files import appearing, json_of, write_atomically

__all__ = ["read_header", "read_tensors", "to_half", "under", "write_atomically", "write_tensors"]


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], header: dict[str, Any], keep_previous: bool = False
) -> None:
    """Write atomically, with a digest of the content: a crash leaves the old file or the new one, never a part.

    `keep_previous`: the file that was there stays under another name, for `read_newest`; not where a link leads.
    One tensor after another is copied and written: the library's own writer first makes copies of all of them, three
    times the size of the file.
    """
    metadata = {HEADER: json_of(header, allow_nan=False)}
    if keep_previous and path.exists() and not path.is_symlink():
        with appearing(path) as temporary:
            with temporary.open("wb") as file:
                file.writelines(_serialised(tensors, metadata))
                file.flush()
                os.fsync(file.fileno())
            path.replace(previous_of(path))
    else:
        write_atomically(path, _serialised(tensors, metadata))


def _serialised(tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> Iterator[bytes | memoryview]:
    """A safetensors file, part by part: eight bytes of length, a JSON header, then the tensors, wide types first."""
    table: dict[str, Any] = {"__metadata__": metadata}
    names = sorted(tensors, key=lambda name: (list(_DTYPES).index(tensors[name].dtype), name))
    end = 0
    for name in names:
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        table[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    metadata[DIGEST] = content_digest(table, (_raw(tensors[name]) for name in names))
    head = json_of(table, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)  # the tensors begin at a multiple of eight
    yield len(head).to_bytes(8, "little") + head
    for name in names:
        yield _raw(tensors[name])


def _raw(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


_DTYPES = {  # in the order in which the library writes them
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read everything back. Raises CheckpointError for a file that is not ours or is damaged."""
    verify_content(path)
    header = read_header(path)
    try:
        with open_tensors(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None


def read_newest(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], str] | None:
    """Read a file that is written with `keep_previous`, or the one before it where it is damaged; None for none.

    The third value is empty, or the sentence that says what was wrong. Raises CheckpointError where no whole one is.
    """
    problem: CheckpointError | None = None
    for candidate in (path, previous_of(path)):
        if not candidate.is_file():
            continue
        try:
            tensors, header = read_tensors(candidate)
        except CheckpointError as error:
            problem = problem or error
        else:
            return tensors, header, "" if problem is None else f"{problem}; the one before it is whole"
    if problem is not None:
        raise CheckpointError(f"{problem}, and there is no whole one before it")
    return None


def previous_of(path: Path) -> Path:
    """Where the file lies that `path` was before it was last written."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)}


def to_half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """float32 tensors as float16, others untouched: half the bytes for a bundled model."""
    return {n: t.half() if t.dtype == torch.float32 else t for n, t in tensors.items()}
