"""An open foreign checkpoint, whatever its format.

Enters: nothing. Leaves: `ForeignCheckpoint`, what every reader of a format gives: the inert tree, the names met on
the way, and a way to the raw numbers of a tensor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facette.checkpoint.foreign.inert import ITEM_BYTES, StorageRef, TensorRef
from facette.checkpoint.foreign.names import NameLedger

Format = Literal["torch zip", "torch before 1.6", "safetensors", "bare pickle"]


@dataclass(slots=True)
class ForeignCheckpoint:
    """An open foreign checkpoint. `read` gives a tensor's bytes from its first to its last element."""

    path: Path
    format: Format
    size: int  # bytes of the file
    root: object
    ledger: NameLedger
    storages: Callable[[StorageRef, int, int], bytes]
    swapped: bool = False  # written by a big-endian machine
    trailing: int = 0  # bytes after the end of what torch wrote

    def read(self, ref: TensorRef) -> bytes:
        """The bytes of elements `offset` to `offset + span` of the tensor's storage."""
        item = ITEM_BYTES[ref.dtype]
        start = ref.storage.start * ITEM_BYTES[ref.storage.dtype] + ref.offset * item
        return self.storages(ref.storage, start, ref.span * item)
