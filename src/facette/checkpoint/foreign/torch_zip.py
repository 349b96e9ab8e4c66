"""The zip file of torch 1.6 and later: a pickle of the object tree, and one member for each storage.

Enters: an open `Source`. Leaves: a `ForeignCheckpoint`. Compiled TorchScript, which is code in the same clothes, is
refused.
"""

from facette.checkpoint.foreign.archive import Archive
from facette.checkpoint.foreign.inert import ITEM_BYTES, StorageRef
from facette.checkpoint.foreign.limits import Budget
from facette.checkpoint.foreign.names import NameLedger, storage_fields, storage_ref
from facette.checkpoint.foreign.opened import ForeignCheckpoint
from facette.checkpoint.foreign.pickle_vm import read_pickle
from facette.checkpoint.foreign.source import Source
from facette.errors import CheckpointError


def read_torch_zip(source: Source, ledger: NameLedger, budget: Budget) -> ForeignCheckpoint:
    archive = Archive(source, budget)
    if "constants.pkl" in archive.members or any(name.startswith("code/") for name in archive.members):
        raise CheckpointError("is compiled TorchScript, which is code: save the model's state_dict instead")
    if "data.pkl" not in archive.members:
        raise CheckpointError("is a zip file without torch's data.pkl")
    if archive.size("data.pkl") > budget.limits.pickle_bytes:
        raise CheckpointError("has a pickle that is absurdly large")
    order = b"little"
    if "byteorder" in archive.members:  # a word; a stranger's may be of any size
        order = archive.read("byteorder") if archive.size("byteorder") < 16 else b""
    if order not in (b"little", b"big"):
        raise CheckpointError("is a torch file of unknown byte order")

    def persistent(identifier: object) -> StorageRef:
        kind, key, location, count = storage_fields(identifier, 5)
        ref = storage_ref(kind, key, location, count)
        if archive.size(f"data/{ref.key}") < ref.count * ITEM_BYTES[ref.dtype]:
            raise CheckpointError(f"is damaged: it holds fewer numbers for storage {ref.key!r} than it says")
        return ref

    pickle = archive.read("data.pkl")
    root, end = read_pickle(pickle, 0, ledger, budget, persistent)

    def storages(ref: StorageRef, start: int, count: int) -> bytes:
        return archive.read(f"data/{ref.key}", start, count)

    return ForeignCheckpoint(
        path=source.path,
        format="torch zip",
        size=source.size,
        root=root,
        ledger=ledger,
        storages=storages,
        swapped=order == b"big",
        trailing=len(pickle) - end,
    )
