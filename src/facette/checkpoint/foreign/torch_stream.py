"""The file of torch before 1.6: five pickles, then the numbers of each storage.

Enters: an open `Source`. Leaves: a `ForeignCheckpoint`; for any other pickle one that holds its value and no
tensors.
"""

import struct

from facette.checkpoint.foreign.inert import ITEM_BYTES, StorageRef
from facette.checkpoint.foreign.limits import Budget
from facette.checkpoint.foreign.names import NameLedger, storage_fields, storage_ref
from facette.checkpoint.foreign.opened import ForeignCheckpoint
from facette.checkpoint.foreign.pickle_vm import read_pickle
from facette.checkpoint.foreign.source import Source
from facette.errors import CheckpointError

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of every such file
_VERSION = 1001


def read_torch_stream(source: Source, ledger: NameLedger, budget: Budget) -> ForeignCheckpoint:
    """Five pickles (magic number, version, machine, object, storage keys), then each storage's numbers."""
    data = source.head(budget.limits.pickle_bytes)
    used: dict[str, StorageRef] = {}
    magic, at = read_pickle(data, 0, ledger, budget, _no_storages)
    if magic != _MAGIC:
        return ForeignCheckpoint(
            source.path, "bare pickle", source.size, magic, ledger, _no_numbers, False, len(data) - at
        )
    version, at = read_pickle(data, at, ledger, budget, _no_storages)
    machine, at = read_pickle(data, at, ledger, budget, _no_storages)
    if version != _VERSION or not isinstance(machine, dict):
        raise CheckpointError("is a torch file of a version that never existed")

    def persistent(identifier: object) -> object:
        return _stream_object(identifier, used)

    root, at = read_pickle(data, at, ledger, budget, persistent)
    keys, at = read_pickle(data, at, ledger, budget, _no_storages)
    if not isinstance(keys, list):
        raise CheckpointError("is damaged: its list of storages is missing")
    places: dict[str, int] = {}
    for key in keys:
        ref = used.get(key.decode("ascii", "replace") if isinstance(key, bytes) else str(key)[:200])
        if ref is None or ref.key in places:
            raise CheckpointError("is damaged: its list of storages does not fit its pickle")
        (count,) = struct.unpack("<q", source.read(at, 8))
        if count != ref.count:
            raise CheckpointError(
                f"is damaged: storage {ref.key!r} holds another count of numbers than it says"
            )
        places[ref.key] = at + 8
        at += 8 + count * ITEM_BYTES[ref.dtype]
        budget.check_time()
    if at > source.size or places.keys() != used.keys():
        raise CheckpointError("is cut off: the numbers of some tensors are missing")

    def storages(ref: StorageRef, start: int, count: int) -> bytes:
        return source.read(places[ref.key] + start, count)

    return ForeignCheckpoint(
        path=source.path,
        format="torch before 1.6",
        size=source.size,
        root=root,
        ledger=ledger,
        storages=storages,
        swapped=machine.get("little_endian") is False,
        trailing=source.size - at,
    )


def _stream_object(identifier: object, used: dict[str, StorageRef]) -> object:
    """A class with its source text (which is dropped unread), or a storage, perhaps a view into one."""
    if isinstance(identifier, tuple) and len(identifier) == 4 and identifier[0] in ("module", b"module"):
        return identifier[1]
    kind, key, location, count, view = storage_fields(identifier, 6)
    ref = storage_ref(kind, key, location, count)
    known = used.setdefault(ref.key, ref)
    if (known.dtype, known.count) != (ref.dtype, ref.count):
        raise CheckpointError(f"it describes storage {ref.key!r} in two ways")
    if view is None:
        return ref
    if not isinstance(view, tuple) or len(view) != 3 or any(type(v) is not int or v < 0 for v in view[1:]):
        raise CheckpointError(f"it has a damaged view into storage {ref.key!r}")
    if view[1] + view[2] > ref.count:
        raise CheckpointError(f"it has a view that reaches outside storage {ref.key!r}")
    return StorageRef(ref.key, ref.dtype, count=view[2], start=view[1], location=ref.location)


def _no_storages(identifier: object) -> object:
    raise CheckpointError("it refers to a storage where a torch file has none")


def _no_numbers(ref: StorageRef, start: int, count: int) -> bytes:
    raise CheckpointError("holds no tensors")
