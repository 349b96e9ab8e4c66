"""safetensors: a JSON header and numbers. Nothing in it can run; what is checked is that sizes hold.

Enters: an open `Source`. Leaves: a `ForeignCheckpoint`. Read here and not by its library so that shapes can be told
without loading, and so that one set of limits and errors holds for every format.
"""

import json
import struct

from facette.checkpoint.foreign.inert import ITEM_BYTES, StorageRef, TensorRef, tensor_ref
from facette.checkpoint.foreign.limits import Budget
from facette.checkpoint.foreign.names import NameLedger
from facette.checkpoint.foreign.opened import ForeignCheckpoint
from facette.checkpoint.foreign.source import Source
from facette.errors import CheckpointError

_DTYPES = {
    **{
        "F64": "float64",
        "F32": "float32",
        "F16": "float16",
        "BF16": "bfloat16",
        "I64": "int64",
        "I32": "int32",
    },
    **{"I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"},
}


def looks_like_safetensors(head: bytes, size: int) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and 2 <= struct.unpack("<Q", head[:8])[0] <= size - 8


def read_safetensors(source: Source, ledger: NameLedger, budget: Budget) -> ForeignCheckpoint:
    (length,) = struct.unpack("<Q", source.read(0, 8))
    if length > budget.limits.header_bytes:
        raise CheckpointError("has an absurdly large header")
    try:
        header = json.loads(source.read(8, length), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise CheckpointError("is a safetensors file with a damaged header") from error
    about = header.pop("__metadata__", {})
    if isinstance(about, dict) and "facette" in about:
        raise CheckpointError("is a model of Facette already: every command takes it as it is")
    tensors, numbers = {}, 8 + length
    for name, entry in header.items():
        tensors[name] = _safetensor(entry, source.size - numbers, budget)

    def storages(ref: StorageRef, start: int, count: int) -> bytes:
        return source.read(numbers + int(ref.key) + start, count)

    return ForeignCheckpoint(source.path, "safetensors", source.size, tensors, ledger, storages)


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; two entries of one name would let two readers see two different files."""
    if len(dict(pairs)) != len(pairs):
        raise CheckpointError("is a safetensors file that names a tensor twice")
    return dict(pairs)


def _safetensor(entry: object, available: int, budget: Budget) -> TensorRef:
    match entry:
        case {"dtype": str(kind), "shape": list(shape), "data_offsets": [int(start), int(end)]}:
            dtype = _DTYPES.get(kind)
        case _:
            raise CheckpointError("is a safetensors file with a damaged header")
    if dtype is None:
        raise CheckpointError(f"it holds numbers of type {kind[:20]!r}, which Facette does not read")
    if not 0 <= start <= end <= available:
        raise CheckpointError("is cut off: the numbers of some tensors are missing")
    steps, step = [], 1
    for n in reversed(shape):
        steps.insert(0, step)
        step *= n if type(n) is int and n > 0 else 1
        if len(steps) > budget.limits.dimensions or step > available:
            raise CheckpointError("it has a tensor whose shape needs more numbers than the file has")
    ref = tensor_ref(
        StorageRef(str(start), dtype, (end - start) // ITEM_BYTES[dtype]), 0, shape, steps, budget
    )
    if ref.count * ITEM_BYTES[dtype] != end - start:
        raise CheckpointError(
            "is a safetensors file with a tensor whose shape and size contradict each other"
        )
    return ref
