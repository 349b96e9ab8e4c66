"""A pickle machine that can only remember: it walks the instructions and calls nothing.

Enters: the bytes of one pickle. Leaves: plain values, stand-ins and tensor references (`inert`), and the
position after it. It knows pickle's instructions up to protocol 5 (the `pickletools` module documents them)
and no way to import, call or set an attribute. What the names mean is decided in `names`.
"""

import codecs
import struct
from collections.abc import Callable

from facette.checkpoint.foreign.inert import Name, StandIn
from facette.checkpoint.foreign.limits import Budget
from facette.checkpoint.foreign.names import NameLedger, plain_key, stand_for
from facette.errors import CheckpointError

PersistentLoad = Callable[[object], object]


def read_pickle(
    data: bytes, start: int, ledger: NameLedger, budget: Budget, persistent: PersistentLoad
) -> tuple[object, int]:
    """The value of the pickle at `start` of `data`, and where it ends.

    Raises CheckpointError for anything that is not a whole, well-formed pickle within the budget.
    """
    machine = _Machine(data, start, ledger, budget, persistent)
    try:
        return machine.run(), machine.position
    except (IndexError, KeyError, ValueError, TypeError, OverflowError, struct.error) as error:
        # Only what a malformed stream does to a stack machine: popping from nothing, a memo that was
        # never set, bytes that are no text, a number that is no number.
        detail = f"{type(error).__name__} at byte {machine.position}"
        raise CheckpointError(f"its pickle is damaged ({detail})") from error


class _Machine:
    def __init__(
        self, data: bytes, start: int, ledger: NameLedger, budget: Budget, persistent: PersistentLoad
    ) -> None:
        self.data, self.position = data, start
        self.ledger, self.budget, self.persistent = ledger, budget, persistent
        self.stack: list = []
        self.below_marks: list[list] = []  # the stacks under each open mark
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        while True:
            self.budget.spend_opcode()
            opcode = self.take(1)
            if opcode == b".":
                if self.below_marks or len(self.stack) != 1:
                    raise CheckpointError("its pickle ends in the middle of a value")
                return self.stack.pop()
            step = _STEPS.get(opcode)
            if step is None:
                raise CheckpointError(f"its pickle has an unknown instruction 0x{opcode.hex()}")
            step(self)

    # --- reading ---

    def take(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise CheckpointError("its pickle is cut off")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def number(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + 4096)
        if end < 0:
            raise CheckpointError("its pickle is cut off in a line of text")
        text = self.take(end - self.position).decode("utf-8")
        self.position += 1
        return text

    # --- stack ---

    def push(self, value: object) -> None:
        self.stack.append(value)

    def push_new(self, value: object) -> None:
        self.budget.spend_object()
        self.stack.append(value)

    def mark(self) -> None:
        self.budget.spend_object()
        self.below_marks.append(self.stack)
        self.stack = []

    def since_mark(self) -> list:
        values, self.stack = self.stack, self.below_marks.pop()
        return values

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    def remember(self, index: int) -> None:
        if index < 0:
            raise ValueError("negative memo index")
        self.memo[index] = self.stack[-1]

    def recall(self, index: int) -> None:
        self.stack.append(self.memo[index])

    # --- containers ---

    def make_tuple(self, count: int) -> None:
        values = tuple(self.stack[-count:])
        if len(values) != count:
            raise IndexError("stack too short")
        del self.stack[-count:]
        self.push_new(values)

    def extend(self, values: list) -> None:
        target = self.stack[-1]
        if isinstance(target, StandIn):
            target.items.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise CheckpointError(f"its pickle appends to a {type(target).__name__}")

    def set_items(self, values: list) -> None:
        target = self.stack[-1]
        if isinstance(target, StandIn):
            target = target.pairs
        if not isinstance(target, dict) or len(values) % 2:
            raise CheckpointError("its pickle sets items in something that is not a dictionary")
        for index in range(0, len(values), 2):
            target[plain_key(values[index], self.budget)] = values[index + 1]
            if index % 2048 == 0:
                self.budget.check_time()

    def make_dict(self) -> None:
        values = self.since_mark()
        self.push_new({})
        self.set_items(values)

    def set_pair(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def append_one(self) -> None:
        value = self.stack.pop()
        self.extend([value])

    def make_set(self, name: str, values: list) -> None:
        self.push_new(StandIn(Name("builtins", name), items=values))

    # --- what would have been calls ---

    def ask(self, opcode: str, module: object, name: object) -> Name:
        self.ledger.count(opcode)
        if not isinstance(module, str) or not isinstance(name, str):
            raise CheckpointError("its pickle asks for a name that is not text")
        return self.ledger.ask(module, name)

    def call(self, opcode: str, function: object, args: object) -> None:
        self.ledger.count(opcode)
        if not isinstance(args, tuple):
            raise CheckpointError("its pickle makes a call without a proper list of arguments")
        if isinstance(function, Name):
            self.ledger.call(function, opcode)
            self.push(stand_for(function, args, self.ledger, self.budget))
            return
        self.ledger.refuse("a call of something computed", "which only hostile pickles do")
        self.push_new(StandIn(Name("unknown", type(function).__name__), args))

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push_new(self.ask("STACK_GLOBAL", module, name))

    def reduce(self, opcode: str = "REDUCE") -> None:
        args, function = self.stack.pop(), self.stack.pop()
        self.call(opcode, function, args)

    def new_object_with_keywords(self) -> None:
        keywords, args, kind = self.stack.pop(), self.stack.pop(), self.stack.pop()
        if not isinstance(keywords, dict):
            raise CheckpointError("its pickle makes a call without proper keywords")
        self.call("NEWOBJ_EX", kind, args if not keywords else (args, keywords))

    def instance(self) -> None:
        kind = self.ask("INST", self.line(), self.line())
        self.call("INST", kind, tuple(self.since_mark()))

    def object_since_mark(self) -> None:
        kind, *args = self.since_mark()
        self.call("OBJ", kind, tuple(args))

    def build(self) -> None:
        self.ledger.count("BUILD")
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, StandIn):
            target.state = state
        elif not isinstance(
            target, dict
        ):  # attributes of an OrderedDict: torch's version numbers, not needed
            raise CheckpointError(f"its pickle sets the state of a {type(target).__name__}")

    def persistent_id(self) -> None:
        self.push_new(self.persistent(self.stack.pop()))

    def refuse_opcode(self, name: str) -> None:
        raise CheckpointError(f"its pickle uses {name}, which no torch checkpoint does")

    # --- plain values ---

    def text(self, form: str) -> None:
        self.push(self.take(self.number(form)).decode("utf-8", "surrogatepass"))

    def python2_text(self, form: str) -> None:
        raw = self.take(self.number(form))
        self.push(raw.decode("ascii") if raw.isascii() else raw)

    def quoted_text(self) -> None:
        raw = self.line()
        if len(raw) < 2 or raw[0] != raw[-1] or raw[0] not in "'\"":
            raise ValueError("unquoted string")
        decoded = codecs.escape_decode(raw[1:-1].encode("ascii"))[0]
        self.push(decoded.decode("ascii"))  # type: ignore[union-attr]

    def integer_line(self) -> None:
        text = self.line().rstrip("L")
        if len(text) > 2 * self.budget.limits.integer_bytes:
            raise CheckpointError("its pickle has an absurdly large number")
        self.push({"00": False, "01": True}[text] if text in {"00", "01"} else int(text))

    def long_integer(self, form: str) -> None:
        size = self.number(form)
        if not 0 <= size <= self.budget.limits.integer_bytes:
            raise CheckpointError("its pickle has an absurdly large number")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def protocol(self) -> None:
        version = self.number("<B")
        if version > 5:
            raise CheckpointError(f"its pickle is of protocol {version}, which does not exist")


_STEPS: dict[bytes, Callable[[_Machine], object]] = {
    b"\x80": _Machine.protocol,
    b"\x95": lambda m: m.number("<Q"),  # a frame is only a hint to readers of slow files
    b"(": _Machine.mark,
    b"0": _Machine.pop,
    b"1": lambda m: m.since_mark(),
    b"2": lambda m: m.push(m.stack[-1]),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": _Machine.integer_line,
    b"L": _Machine.integer_line,
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.long_integer("<B"),
    b"\x8b": lambda m: m.long_integer("<i"),
    b"F": lambda m: m.push(float(m.line())),
    b"G": lambda m: m.push(m.number(">d")),
    b"S": _Machine.quoted_text,
    b"T": lambda m: m.python2_text("<i"),
    b"U": lambda m: m.python2_text("<B"),
    b"V": lambda m: m.push(codecs.raw_unicode_escape_decode(m.line().encode("utf-8"))[0]),
    b"X": lambda m: m.text("<I"),
    b"\x8c": lambda m: m.text("<B"),
    b"\x8d": lambda m: m.text("<Q"),
    b"B": lambda m: m.push(m.take(m.number("<I"))),
    b"C": lambda m: m.push(m.take(m.number("<B"))),
    b"\x8e": lambda m: m.push(m.take(m.number("<Q"))),
    b"\x96": lambda m: m.push(m.take(m.number("<Q"))),
    b"]": lambda m: m.push_new([]),
    b"}": lambda m: m.push_new({}),
    b")": lambda m: m.push(()),
    b"l": lambda m: m.push_new(m.since_mark()),
    b"d": _Machine.make_dict,
    b"t": lambda m: m.push_new(tuple(m.since_mark())),
    b"\x85": lambda m: m.make_tuple(1),
    b"\x86": lambda m: m.make_tuple(2),
    b"\x87": lambda m: m.make_tuple(3),
    b"a": _Machine.append_one,
    b"e": lambda m: m.extend(m.since_mark()),
    b"s": _Machine.set_pair,
    b"u": lambda m: m.set_items(m.since_mark()),
    b"\x8f": lambda m: m.make_set("set", []),
    b"\x90": lambda m: m.extend(m.since_mark()),
    b"\x91": lambda m: m.make_set("frozenset", m.since_mark()),
    b"p": lambda m: m.remember(int(m.line())),
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": lambda m: m.recall(int(m.line())),
    b"h": lambda m: m.recall(m.number("<B")),
    b"j": lambda m: m.recall(m.number("<I")),
    b"c": lambda m: m.push_new(m.ask("GLOBAL", m.line(), m.line())),
    b"\x93": _Machine.stack_global,
    b"R": _Machine.reduce,
    b"\x81": lambda m: m.reduce("NEWOBJ"),
    b"\x92": _Machine.new_object_with_keywords,
    b"i": _Machine.instance,
    b"o": _Machine.object_since_mark,
    b"b": _Machine.build,
    b"Q": _Machine.persistent_id,
    b"P": lambda m: m.refuse_opcode("a persistent identifier in text form"),
    b"\x82": lambda m: m.refuse_opcode("a name by number from the extension registry"),
    b"\x83": lambda m: m.refuse_opcode("a name by number from the extension registry"),
    b"\x84": lambda m: m.refuse_opcode("a name by number from the extension registry"),
    b"\x97": lambda m: m.refuse_opcode("a buffer from outside the file"),
    b"\x98": lambda m: m.refuse_opcode("a buffer from outside the file"),
}
