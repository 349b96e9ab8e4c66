"""A safetensors file that knows its own content: a digest in its header, verified when the file is read.

Enters: the header of a file as JSON, and its numbers. Leaves: a digest, or a CheckpointError for a file that holds
anything else than was written. Files without a digest, as other programs and older versions write them, are let
through. Imports no torch; it knows nothing of models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from facette.errors import CheckpointError

DIGEST = "facette.digest"  # the header's entry; it is no part of what it is the digest of
_PIECE = 1 << 22
LONGEST_HEADER = 100 << 20  # bytes, as the format has it


def content_digest(table: dict[str, Any], pieces: Iterable[bytes | memoryview]) -> str:
    """Of the header (names, types, shapes, places, and what is said beside them) and of the numbers, in their order."""
    about = {name: text for name, text in table.get("__metadata__", {}).items() if name != DIGEST}
    content = json.dumps(table | {"__metadata__": about}, sort_keys=True, ensure_ascii=True)
    digest = hashlib.blake2b(content.encode(), digest_size=16)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def verify_content(path: Path) -> None:
    """Raises CheckpointError when the file has a digest and does not hold what it says."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            if not 0 < length <= min(size - 8, LONGEST_HEADER):
                raise CheckpointError(f"{path} is damaged: its header is longer than the file")
            table = json.loads(file.read(length))
            wanted = table.get("__metadata__", {}).get(DIGEST) if isinstance(table, dict) else None
            if wanted is None:
                return
            told = content_digest(table, iter(lambda: file.read(_PIECE), b""))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    if told != wanted:
        raise CheckpointError(
            f"{path} is damaged: it does not hold what was written (a disk or a copy changed it)"
        )


def has_digest(path: Path) -> bool:
    """Whether `verify_content` can tell anything of this file; true for one that it will refuse anyhow."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        head = file.read(length) if length <= LONGEST_HEADER else b""
    return not head.startswith(b"{") or json.dumps(DIGEST).encode() in head
