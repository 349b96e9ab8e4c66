"""Every name a checkpoint may ask for, and what Facette does instead of calling it.

Enters: names and arguments found in a pickle. Leaves: plain values, tensor references or inert stand-ins.
Nothing is ever imported or called: `stand_for` is one table of what the few constructors that torch itself
writes would have made. A name is *known* (on the allow-list), *foreign* (somebody's class: kept as a stand-in, and
told) or *refused* (it belongs to code that can act: the standard library, most of torch, code builders).
"""

import re
import sys
from dataclasses import dataclass, field

from facette.checkpoint.foreign.inert import ITEM_BYTES, Name, StandIn, StorageRef, tensor_ref
from facette.checkpoint.foreign.known import STORAGE_DTYPES, is_known
from facette.checkpoint.foreign.limits import Budget
from facette.errors import CheckpointError

UNREAD = "which is a kind of tensor that Facette does not read"

# Protocol 2 writes Python 2's names.
_RENAMED_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg", "commands": "subprocess"}

# Rooms of torch whose names may be mentioned, as an activation that a layer keeps; only what is on the list is called.
_INERT_TORCH_ROOMS = (
    *("torch.nn.modules.", "torch.nn.parameter", "torch.nn.parallel.", "torch.nn.functional"),
    *("torch.nn.init", "torch.nn.utils.", "torch.nn.backends.", "torch.optim", "torch.distributions."),
    "torch._C._nn",
)
# What is refused of torch without being dangerous: kinds of tensors and numbers that are not read.
_UNREAD_TORCH = re.compile(
    r"torch(\.cuda|\.sparse)?\.\w*(Storage|Tensor|int\d*|float\w*|complex\w*)|torch\._utils\.\w+"
)
_CODE_BUILDERS = {
    *("dill", "cloudpickle", "joblib", "pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils"),
    *(
        "IPython",
        "ipykernel",
        "pytest",
        "_pytest",
        "nose",
        "fabric",
        "paramiko",
        "requests",
        "urllib3",
        "execnet",
    ),
    *(
        "numba",
        "cffi",
        "cython",
        "tensorflow",
        "keras",
        "pandas",
        "sympy",
        "numexpr",
        "jax",
        "theano",
        "commands",
    ),
}
CREATE = "NEWOBJ"  # makes an object of a class without calling its __init__, as pickles of objects do
_NAME_LENGTH, _NAMES_KEPT = 300, 2000
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(slots=True)
class NameLedger:
    """Which names were asked for while one file was read; `strict` raises at the first refused one."""

    strict: bool = True
    names: dict[str, int] = field(default_factory=dict)
    # names outside the list → the instruction that called them
    foreign: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # what was asked for, and why it is refused
    opcodes: dict[str, int] = field(default_factory=dict)  # those instructions that can make things happen

    def ask(self, module: str, name: str) -> Name:
        """The inert `Name`; raises CheckpointError when it is refused and the ledger is strict."""
        if len(module) + len(name) > _NAME_LENGTH:
            raise CheckpointError(f"it asks for a name of more than {_NAME_LENGTH} letters")
        asked = Name(_RENAMED_MODULES.get(module, module), name)
        if asked.dotted in self.names or len(self.names) < _NAMES_KEPT:
            self.names[asked.dotted] = self.names.get(asked.dotted, 0) + 1
        reason = why_refused(asked)
        if reason:
            self.refuse(f"the name {asked.dotted[:120]!r}", reason)
        elif not is_known(asked) and len(self.foreign) < _NAMES_KEPT:
            self.foreign.setdefault(asked.dotted, "")
        return asked

    def call(self, function: Name, instruction: str) -> None:
        """Note that the file wants something called. Raises CheckpointError when it is torch's own, outside the list,
        and the ledger is strict: nobody's network needs that, and rooms of torch hold code that acts."""
        if is_known(function) or why_refused(function):
            return  # harmless, or told already
        if function.module.partition(".")[0] == "torch":
            self.refuse(
                f"a call of {function.dotted[:120]!r}", "which is a part of torch that could run code"
            )
        elif function.dotted in self.foreign and self.foreign[function.dotted] in ("", CREATE):
            self.foreign[function.dotted] = instruction

    def refuse(self, what: str, reason: str) -> None:
        if len(self.refused) < _NAMES_KEPT:
            self.refused.setdefault(what, reason)
        if self.strict:
            raise CheckpointError(f"it asks for {what}, {reason}; nothing of it was run")

    def count(self, opcode: str) -> None:
        self.opcodes[opcode] = self.opcodes.get(opcode, 0) + 1


def why_refused(asked: Name) -> str | None:
    """The reason a name is refused, or None when it is understood or inert."""
    module, name = asked.module, asked.name
    if not _MODULE.fullmatch(module) or not _MODULE.fullmatch(name):
        return "which is not a Python name"
    root, parts = module.partition(".")[0], {*module.split("."), *name.split(".")[:-1]}
    if is_known(asked):
        return None
    if root in sys.stdlib_module_names or root in {"nt", "posix", "__builtin__"}:
        return "which is part of Python's standard library and could run code"
    if root == "torch":
        inert = module.startswith(_INERT_TORCH_ROOMS) and "." not in name
        if inert:
            return None
        return (
            UNREAD
            if _UNREAD_TORCH.fullmatch(asked.dotted)
            else "which is a part of torch that could run code"
        )
    if root == "numpy":
        return "which is a part of numpy that could run code"
    if root in _CODE_BUILDERS:
        return "which comes from a library that builds or runs code"
    if parts & {"os", "sys", "posix", "subprocess", "builtins", "importlib"}:
        return "which reaches through a module into Python's standard library"
    if any(part.startswith("__") and part != "__main__" for part in [*parts, name]):
        return "which reaches for the inside of a class"
    return None


def stand_for(name: Name, args: tuple, ledger: NameLedger, budget: Budget) -> object:
    """What calling `name(*args)` would have given, as plain values; a `StandIn` for everything unknown."""
    budget.spend_object()
    match name.dotted, args:
        case "collections.OrderedDict", ():
            return {}
        case "collections.OrderedDict", (list(pairs),):
            budget.spend_copy(len(pairs))
            return {plain_key(pair[0], budget): pair[1] for pair in pairs if _is_pair(pair)}
        case "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", (
            storage,
            offset,
            size,
            stride,
            *_,
        ):
            return tensor_ref(storage, offset, size, stride, budget)
        case "torch._utils._rebuild_tensor_v3", (storage, offset, size, stride, _, _, Name() as dtype, *_):
            return tensor_ref(storage, offset, size, stride, budget, _dtype(dtype))
        case "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state", (data, *_):
            return data
        case "torch._tensor._rebuild_from_type_v2" | "torch.tensor._rebuild_from_type_v2", (
            Name() as f,
            _,
            tuple(a),
            *_,
        ):
            ledger.call(f, "REDUCE")
            return stand_for(f, a, ledger, budget) if f.module == "torch._utils" else StandIn(name, args)
        case "torch.Size", (tuple(sizes) | list(sizes),):
            budget.spend_copy(len(sizes))
            return tuple(sizes)
        case "torch.device", (str(kind), *_):
            return kind
        case "_codecs.encode", (str(text), "latin1" | "latin-1" | "utf-8" as encoding):
            budget.spend_copy(len(text) // 64)  # an entry of a dictionary takes about as much
            return text.encode(encoding)
        case "copyreg._reconstructor", (Name() as kind, *rest):
            for base in (part for part in rest[:1] if isinstance(part, Name)):
                ledger.call(base, "REDUCE")  # the base's __init__ is run
            ledger.call(kind, CREATE)
            return StandIn(kind)
        case _:
            return StandIn(name, args)


def storage_ref(kind: object, key: object, location: object, count: object) -> StorageRef:
    """The storage a persistent identifier describes; raises CheckpointError for what cannot be one."""
    key, location = (v.decode("ascii", "replace") if isinstance(v, bytes) else v for v in (key, location))
    if not isinstance(kind, Name) or kind.name not in STORAGE_DTYPES:
        raise CheckpointError(f"it stores numbers of a kind Facette does not read ({_kind(kind)})")
    if (
        not isinstance(key, (str, int))
        or not isinstance(location, str)
        or type(count) is not int
        or count < 0
    ):
        raise CheckpointError("it describes a storage without a proper key, place or size")
    return StorageRef(str(key)[:200], STORAGE_DTYPES[kind.name], count, location=location[:40])


def storage_fields(identifier: object, length: int) -> tuple:
    tag = identifier[0] if isinstance(identifier, tuple) and len(identifier) == length else None
    if tag not in ("storage", b"storage"):
        raise CheckpointError("it refers to something outside its pickle that is not a storage")
    return identifier[1:]  # type: ignore[index]


def plain_key(key: object, budget: Budget) -> object:
    """A dictionary key that can be hashed at once: deep tuples would take exponential time.

    Texts and bytes are hashed with a secret of this process; keys of other kinds are counted.
    """
    if isinstance(key, (str, bytes)):
        return key
    budget.spend_key()
    scalars = (str, int, float, bool, bytes, type(None))
    if isinstance(key, scalars) or (
        isinstance(key, tuple) and len(key) < 32 and all(isinstance(item, scalars) for item in key)
    ):
        return key
    if isinstance(key, Name):
        return key.dotted
    raise CheckpointError("it uses something other than a plain value as a dictionary key")


def _is_pair(pair: object) -> bool:
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        return True
    raise CheckpointError("it has a dictionary made of something other than pairs")


def _dtype(name: Name) -> str:
    if name.module != "torch" or name.name not in ITEM_BYTES:
        raise CheckpointError(f"it holds numbers of type {name.dotted[:60]}, which Facette does not read")
    return name.name


def _kind(kind: object) -> str:
    return kind.dotted[:60] if isinstance(kind, Name) else type(kind).__name__
