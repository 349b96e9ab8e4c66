"""How much of a stranger's file is read before Facette gives up.

Enters: nothing. Leaves: `Limits`, the fixed bounds, and `Budget`, what one reading has used of them.
Every bound is checked before the memory it guards is allocated, so a file can waste at most these amounts.
"""

import time
from dataclasses import dataclass, field

from facette.errors import CheckpointError

MIB, GIB = 1024**2, 1024**3


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds far above what a checkpoint of an image VAE needs, and far below what would hurt."""

    file_bytes: int = 16 * GIB
    pickle_bytes: int = 64 * MIB  # the object tree alone; tensors lie outside it
    opcodes: int = 2_000_000  # about 25 are spent on one tensor
    objects: int = 400_000  # containers and stand-ins
    tensors: int = 50_000
    # of dictionaries, other than texts: numbers can be chosen so that all of them collide
    plain_keys: int = 5_000
    copied_items: int = 1_000_000  # entries (or 64 bytes) that a few instructions could have us copy anew
    tensor_bytes: int = 64 * GIB  # all tensors together, as their shapes say; nothing is allocated for them
    model_bytes: int = 2 * GIB  # the tensors of the network that is imported
    archive_members: int = 60_000
    archive_index_bytes: int = 16 * MIB
    header_bytes: int = 8 * MIB  # the JSON at the start of a safetensors file
    dimensions: int = 12
    integer_bytes: int = 64
    seconds: float = 60.0


@dataclass(slots=True)
class Budget:
    """What one reading has spent; each method raises CheckpointError when its bound is passed."""

    limits: Limits
    opcodes: int = 0
    objects: int = 0
    keys: int = 0
    copied: int = 0
    tensors: int = 0
    tensor_bytes: int = 0
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.limits.seconds

    def spend_opcode(self) -> None:
        self.opcodes += 1
        if self.opcodes > self.limits.opcodes:
            raise CheckpointError(f"the pickle has more than {self.limits.opcodes:,} instructions")
        if self.opcodes % 2048 == 0:
            self.check_time()

    def spend_object(self) -> None:
        self.objects += 1
        if self.objects > self.limits.objects:
            raise CheckpointError(f"the pickle builds more than {self.limits.objects:,} objects")

    def spend_key(self) -> None:
        """A dictionary key whose place in memory a stranger can choose."""
        self.keys += 1
        if self.keys > self.limits.plain_keys:
            raise CheckpointError(
                f"its pickle has more than {self.limits.plain_keys:,} keys that are no text"
            )

    def spend_copy(self, count: int) -> None:
        """`count`: entries, or bytes ÷ 64, about to be copied from something that may be copied again and again."""
        self.copied += count
        if self.copied > self.limits.copied_items:
            raise CheckpointError("its pickle makes copies of large values over and over")

    def spend_tensor(self, size: int) -> None:
        """`size`: bytes the tensor would take as its shape says."""
        self.tensors += 1
        self.tensor_bytes += size
        if self.tensors > self.limits.tensors:
            raise CheckpointError(f"the file holds more than {self.limits.tensors:,} tensors")
        if self.tensor_bytes > self.limits.tensor_bytes:
            raise CheckpointError(
                f"its tensors claim more than {self.limits.tensor_bytes / GIB:.0f} GiB together"
            )

    def check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise CheckpointError(f"reading it took longer than {self.limits.seconds:.0f} seconds")
