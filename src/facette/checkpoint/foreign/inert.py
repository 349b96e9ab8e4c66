"""What a foreign object tree is made of once it has been read: plain Python values and these four nodes.

None of them can do anything: a `Name` is two strings, a `StandIn` remembers what somebody wanted to call,
and a `TensorRef` says where in the file a tensor's numbers lie. Nothing here imports torch.
"""

from dataclasses import dataclass, field
from math import prod

from facette.checkpoint.foreign.limits import Budget
from facette.errors import CheckpointError

ITEM_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}


@dataclass(frozen=True, slots=True)
class Name:
    """A name the file asked for. It is never looked up."""

    module: str
    name: str

    @property
    def dotted(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class StandIn:
    """An object the file wanted built: which class, with what. It was not built."""

    name: Name
    args: tuple = ()
    state: object = None
    items: list = field(default_factory=list)  # what was appended or added to it
    pairs: dict = field(default_factory=dict)  # what was set in it, if it was a kind of dict


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A run of numbers in the file, as the file describes it."""

    key: str
    dtype: str
    count: int  # elements
    start: int = 0  # first element of this run within the stored one
    location: str = "cpu"  # where it lived when it was saved; it is read to the CPU whatever this says


@dataclass(frozen=True, slots=True, eq=False)
class TensorRef:
    """A tensor whose numbers have not been read: shape, stride and offset (in elements) within a storage."""

    storage: StorageRef
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: str

    @property
    def count(self) -> int:
        return prod(self.shape)

    @property
    def span(self) -> int:
        """Elements between the first one and the last one, both included."""
        return (
            0
            if 0 in self.shape
            else 1 + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        )


def tensor_ref(
    storage: object, offset: object, shape: object, stride: object, budget: Budget, dtype: str | None = None
) -> TensorRef:
    """A checked `TensorRef`; raises CheckpointError when it would reach outside its storage.

    A tensor may not have more elements than its storage: an expanded one (stride 0) could claim any size.
    """
    if not isinstance(storage, StorageRef):
        raise CheckpointError("it builds a tensor from something that is not a storage")
    sizes, steps = _whole_numbers(shape, "shape", budget), _whole_numbers(stride, "stride", budget)
    if len(sizes) != len(steps):
        raise CheckpointError(f"it has a tensor of {len(sizes)} dimensions with {len(steps)} strides")
    if type(offset) is not int or offset < 0:
        raise CheckpointError(f"it has a tensor that starts at {_shown(offset)} of its storage")
    # never taken: any number
    steps = tuple(step if size > 1 else 1 for size, step in zip(sizes, steps, strict=True))
    dtype = dtype or storage.dtype
    ref = TensorRef(storage, sizes, steps, offset, dtype)
    available = storage.count * ITEM_BYTES[storage.dtype] // ITEM_BYTES[dtype]
    budget.spend_tensor(ref.count * ITEM_BYTES[dtype])
    if ref.count > available:
        raise CheckpointError(
            f"it has a tensor of shape {_shown(sizes)}, which is more than the {available} numbers stored "
            "for it"
        )
    if offset + ref.span > available:
        raise CheckpointError(
            f"it has a tensor (shape {_shown(sizes)}, stride {_shown(steps)}, offset {_shown(offset)}) that "
            "reads "
            f"outside the {available} numbers stored for it"
        )
    return ref


def printable(text: str) -> str:
    """Without control characters: what a hostile file says must not break a sentence or steer a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _whole_numbers(values: object, what: str, budget: Budget) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or len(values) > budget.limits.dimensions:
        raise CheckpointError(f"it has a tensor whose {what} is not a short row of whole numbers")
    if any(type(value) is not int for value in values):
        raise CheckpointError(f"it has a tensor whose {what} holds something other than whole numbers")
    if any(value < 0 for value in values):
        raise CheckpointError(f"it has a tensor of {what} {_shown(tuple(values))}, with a number below 0")
    return tuple(values)


def _shown(value: object) -> str:
    """A number or a row of numbers in at most 80 letters, for an error message."""
    if isinstance(value, tuple):
        return f"({', '.join(_shown(item) for item in value)})"[:80]
    if not isinstance(value, int):
        return f"a {type(value).__name__}"
    return str(value) if value.bit_length() < 128 else "a number of more than 128 bits"
