"""Hostile checkpoints, made anew by the tests: files that try to run code, and files that try to waste or to
read memory that is not theirs.

`write_live` makes those that really act when an unpickler believes them: each leaves a file called `canary` in
its folder. `write_traps` makes the others. Nothing here is opened with anything but the reader under test, save
in the control that shows the live ones to be alive.
"""

import codecs
import importlib
import io
import marshal
import operator
import os
import pathlib
import pickle
import pickletools
import shutil
import struct
import subprocess
import tarfile
import timeit
import zipfile
from collections.abc import Callable
from functools import partial

import torch

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


class Call:
    """Pickles as a call of `function(*args)`."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def torch_zip(data: bytes, storages: dict[str, bytes] | None = None) -> bytes:
    """A file as torch >= 1.6 writes it, around any pickle."""
    members = {"archive/data.pkl": data, "archive/byteorder": b"little", "archive/version": b"3\n"}
    members |= {f"archive/data/{key}": value for key, value in (storages or {}).items()}
    return stored_zip(list(members.items()))


def stored_zip(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def torch_stream(*parts: bytes) -> bytes:
    """A file as torch < 1.6 wrote it; each part replaces one of its five pickles."""
    usual = [pickle.dumps(MAGIC, 2), pickle.dumps(VERSION, 2), pickle.dumps({"little_endian": True}, 2)]
    usual += [pickle.dumps({}, 2), pickle.dumps([], 2)]
    return b"".join(parts) + b"".join(usual[len(parts) :])


def genuine(folder: pathlib.Path) -> dict:
    """A small honest state dict of a known network."""
    import foreign_networks as nets

    return dict(nets.make("compact 2").state_dict())


# ── files that run code when they are believed ───────────────────────────────────────────────────────────


def live_calls(folder: pathlib.Path) -> dict[str, object]:
    """Objects whose unpickling creates the canary."""
    canary = str(folder / "canary")
    source = f"open({canary!r}, 'w').close()"
    shell = f"touch {canary}"
    nested = folder / "nested.bin"
    nested.write_bytes(torch_zip(pickle.dumps(Call(os.system, shell), 2)))
    (folder / "hubconf.py").write_text(f"{source}\ndef model():\n    return 1\n")
    (folder / "payload.py").write_text(source)
    getter = Call(getattr, Call(importlib.import_module, "os"), "system")
    return {
        "os.system": Call(os.system, shell),
        "builtins.eval": Call(eval, source),
        "builtins.exec": Call(exec, source),
        "builtins.open": Call(open, canary, "w"),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", canary]),
        "subprocess.check_output": Call(subprocess.check_output, ["touch", canary]),
        "os.popen": Call(os.popen, shell),
        "os.mkdir": Call(os.mkdir, canary),
        "a call of what getattr gives": Computed(getter, shell),
        "functools.partial": Computed(Call(partial, os.system, shell)),
        "operator.methodcaller": Computed(
            Call(operator.methodcaller, "system", shell), Call(importlib.import_module, "os")
        ),
        "torch.load of a nested file": Computed(partial(torch.load, str(nested), weights_only=False)),
        "torch.storage._load_from_bytes": Call(torch.storage._load_from_bytes, nested_stream(shell)),
        "torch.hub.load": Computed(partial(torch.hub.load, str(folder), "model", source="local")),
        "pickle.loads": Call(pickle.loads, pickle.dumps(Call(os.system, shell))),
        "timeit.timeit": Call(timeit.timeit, source, "pass", timeit.default_timer, 1),
        "runpy.run_path": Call(importlib.import_module("runpy").run_path, str(folder / "payload.py")),
        "shutil.copyfile": Call(shutil.copyfile, str(folder / "payload.py"), canary),
        "cProfile.run": Call(importlib.import_module("cProfile").run, source),
        "numpy runstring": Call(
            importlib.import_module("numpy.testing._private.utils").runstring, source, {}
        ),
    }


class Computed:
    """Pickles as a call of a value that is itself computed: `__reduce__` chains."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def dump(self) -> bytes:
        """The pickle by hand: Python's pickler insists on a function."""
        parts = b"".join(pickle_body(part) for part in self.args)
        return b"\x80\x02" + pickle_body(self.function) + b"(" + parts + b"tR."


def pickle_body(value: object) -> bytes:
    """One value's instructions without start, stop and memo."""
    return pickletools.optimize(pickle.dumps(value, 2))[2:-1]


def nested_stream(shell: str) -> bytes:
    return torch_stream(pickle.dumps(Call(os.system, shell), 2))


def dump(value: object) -> bytes:
    return value.dump() if isinstance(value, Computed) else pickle.dumps(value, 2)


def write_live(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Each file, by what it tries."""
    shell = f"touch {folder / 'canary'}"
    evil = pickle.dumps(Call(os.system, shell), 2)
    files = {name: torch_zip(dump(value)) for name, value in live_calls(folder).items()}
    text_system = b"posix\nsystem\n"
    files["INST instruction"] = torch_zip(b"(S'" + shell.encode() + b"'\ni" + text_system + b".")
    files["OBJ instruction"] = torch_zip(b"(c" + text_system + b"S'" + shell.encode() + b"'\no.")
    named = b"\x8c\x05posix\x8c\x06system\x93"
    files["STACK_GLOBAL instruction"] = torch_zip(
        b"\x80\x04" + named + b"X" + struct.pack("<I", len(shell)) + shell.encode() + b"\x85R."
    )
    path_method = b"\x8c\x07pathlib\x8c\x0fPath.write_text\x93cpathlib\nPosixPath\nX"
    target = str(folder / "canary").encode()
    files["a method of a harmless class"] = torch_zip(
        b"\x80\x04" + path_method + struct.pack("<I", len(target)) + target + b"\x85RX\x01\x00\x00\x00x\x86R."
    )
    code = marshal.dumps(compile(f"open({str(folder / 'canary')!r}, 'w').close()", "x", "exec"))
    files["marshalled code in a function"] = torch_zip(
        b"\x80\x02ctypes\nFunctionType\n" + pickle_body(Call(marshal.loads, code)) + b"}\x86R)R."
    )
    usual = [pickle.dumps(part, 2) for part in (MAGIC, VERSION, {"little_endian": True}, {})]
    for index, part in enumerate(("magic number", "version", "machine", "object", "storage keys")):
        files[f"before 1.6, in the {part}"] = torch_stream(*usual[:index], evil)
    files["protocol 0"] = torch_zip(pickle.dumps(Call(os.system, shell), 0))
    files["protocol 5"] = torch_zip(pickle.dumps(Call(os.system, shell), 5))
    files["bare pickle"] = evil
    files |= poisoned_checkpoints(folder, shell)
    return save_all(folder, files)


def poisoned_checkpoints(folder: pathlib.Path, shell: str) -> dict[str, bytes]:
    """Honest weights with one thing more."""
    import foreign_networks as nets

    state = genuine(folder)
    call = Call(os.system, shell)
    whole = nets.make("compact 2")
    whole.register_buffer("extra", torch.zeros(1))
    whole.encoder.relu.note = call
    contents = {
        "poison beside a state dict": {"state_dict": state, "config": {"deep": [1, (2, {"er": call})]}},
        "poison inside a state dict": state | {"encoder.version": call},
        "poison in hyper-parameters": {
            "pytorch-lightning_version": "1.5.6",
            "state_dict": {f"model.{n}": v for n, v in state.items()},
            "hyper_parameters": {"activation": call},
        },
        "poison in an optimizer": {"model": state, "optimizer": {"state": {0: call}}},
        "poison in a pickled module": whole,
        "poison in an average": {"ema": state | {"decay": call}},
    }
    made = {}
    for name, content in contents.items():
        out = io.BytesIO()
        torch.save(content, out)
        made[name] = out.getvalue()
    return made


def save_all(folder: pathlib.Path, files: dict[str, bytes]) -> dict[str, pathlib.Path]:
    paths = {}
    for index, (name, data) in enumerate(files.items()):
        paths[name] = folder / f"{index:03d}.pth"
        paths[name].write_bytes(data)
    return paths


# ── files that lie ───────────────────────────────────────────────────────────────────────────────────────


def write_traps(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Each file, by what it tries."""
    state = genuine(folder)
    honest = io.BytesIO()
    torch.save(state, honest)
    old = io.BytesIO()
    torch.save(state, old, _use_new_zipfile_serialization=False)
    files = tensor_lies() | pickle_bombs() | zip_tricks(honest.getvalue()) | safetensors_lies()
    files |= other_formats(folder) | harmless_names() | module_tricks()
    files |= damaged("zip", honest.getvalue()) | damaged("before 1.6", old.getvalue())
    paths = save_all(folder, files)
    fifo = folder / "pipe.pth"
    os.mkfifo(fifo)
    (folder / "endless.pth").symlink_to("/dev/zero")
    return paths | {"a named pipe": fifo, "an endless device": folder / "endless.pth", "a folder": folder}


def tensor_pickle(
    shape=(2, 2), stride=(2, 1), offset=0, count=4, key="0", kind="FloatStorage", rebuild="_rebuild_tensor_v2"
) -> bytes:
    """A state dict of one tensor that says of itself what we like."""
    storage = (
        b"(X\x07\x00\x00\x00storage" + f"ctorch\n{kind}\n".encode() + pickle_body(key) + pickle_body("cpu")
    )
    storage += pickle_body(count) + b"tQ"
    body = f"ctorch._utils\n{rebuild}\n(".encode() + storage + pickle_body(offset) + pickle_body(shape)
    body += pickle_body(stride) + b"\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02}" + pickle_body("encoder.conv1.weight") + body + b"s."


def tensor_lies() -> dict[str, bytes]:
    four = {"0": bytes(16)}
    huge = 2**40
    lies = {
        "a tensor of a terabyte": {"shape": (huge,), "stride": (1,)},
        "a storage of a terabyte": {"shape": (huge,), "stride": (1,), "count": huge},
        "a tensor of 2**63 numbers": {"shape": (2**63,), "stride": (1,)},
        "sizes whose product overflows": {"shape": (2**32, 2**32), "stride": (0, 0)},
        "a stride that leaves the storage": {"stride": (1000, 1)},
        "a stride that overflows": {"stride": (2**63 - 1, 1)},
        "a negative stride": {"stride": (-2, 1)},
        "a negative size": {"shape": (-2, 2)},
        "an offset behind the end": {"offset": 1_000_000},
        "a negative offset": {"offset": -4},
        "an offset of 2**62": {"offset": 2**62},
        "one number expanded to millions": {"shape": (10**7,), "stride": (0,)},
        "more strides than sizes": {"stride": (2, 1, 1)},
        "a thousand dimensions": {"shape": (1,) * 1000, "stride": (1,) * 1000},
        "sizes that are no numbers": {"shape": ("a", 2.5)},
        "sizes that are true and false": {"shape": (True, True)},
        "a storage shorter than it says": {"count": 400},
        "a negative storage": {"count": -4},
        "a storage that does not exist": {"key": "7"},
        "a storage by a path": {"key": "../data.pkl"},
        "a storage of no known type": {"kind": "QInt8Storage"},
        "a storage of complex numbers": {"kind": "ComplexFloatStorage"},
        "a quantised tensor": {"rebuild": "_rebuild_qtensor"},
        "a sparse tensor": {"rebuild": "_rebuild_sparse_tensor"},
        "a tensor without storage": {"rebuild": "_rebuild_meta_tensor_no_storage"},
    }
    return {name: torch_zip(tensor_pickle(**lie), four) for name, lie in lies.items()}


def pickle_bombs() -> dict[str, bytes]:
    laughs = b"\x80\x02)" + b"".join(b"2\x86" for _ in range(60))  # t = (t, t), sixty times over
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    mapping = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."
    ints = b"".join(
        b"\x8a\x08" + struct.pack("<q", i * (2**61 - 1)) + b"N" for i in range(-3, 60_000) if i < 4
    )
    return {
        "a key of 2**60 tuples": torch_zip(b"\x80\x02}" + laughs[2:] + b"Ns."),
        "lists nested 200,000 deep": torch_zip(deep),
        "a dictionary inside itself": torch_zip(mapping),
        "an object that is its own state": torch_zip(
            b"\x80\x02cvae\nVAE\n)\x81q\x00}X\x01\x00\x00\x00mh\x00sb."
        ),
        "a module inside itself": torch_zip(
            b"\x80\x02cvae\nVAE\n)\x81q\x00}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_modules}"
            b"X\x01\x00\x00\x00mh\x00sub."
        ),
        "three million instructions": torch_zip(b"\x80\x02" + b"N0" * 1_500_000 + b"N."),
        "half a million lists": torch_zip(b"\x80\x02" + b"]0" * 500_000 + b"N."),
        "a memo of 2**31": torch_zip(b"\x80\x02Nr\xff\xff\xff\x7f."),
        "a memo never set": torch_zip(b"\x80\x02h\x07."),
        "text of 2**60 bytes": torch_zip(b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"a."),
        "bytes of 2**60 bytes": torch_zip(b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"a."),
        "a byte array of 2**60 bytes": torch_zip(b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b"a."),
        "an integer of a megabyte": torch_zip(
            b"\x80\x02\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6 + b"."
        ),
        "an integer of negative length": torch_zip(b"\x80\x02\x8b" + struct.pack("<i", -5) + b"."),
        "an integer of a million digits": torch_zip(b"I" + b"9" * 1_000_000 + b"\n."),
        "colliding integer keys": torch_zip(b"\x80\x02}(" + ints + b"u."),
        **amplifiers(),
        "an empty stack": torch_zip(b"\x80\x02R."),
        "a mark never set": torch_zip(b"\x80\x02t."),
        "a mark never closed": torch_zip(b"\x80\x02((N."),
        "no end": torch_zip(b"\x80\x02N"),
        "nothing": torch_zip(b""),
        "protocol 200": torch_zip(b"\x80\xc8N."),
        "an unknown instruction": torch_zip(b"\x80\x02\xffN."),
        "a name from the extension registry": torch_zip(b"\x80\x02\x82\x01."),
        "a buffer from outside": torch_zip(b"\x80\x05\x97."),
        "a persistent identifier as text": torch_zip(b"Pstorage\n."),
        "a persistent identifier of its own": torch_zip(b"\x80\x02X\x04\x00\x00\x00evilQ."),
        "text that is not text": torch_zip(b"\x80\x02X\x02\x00\x00\x00\xff\xfe."),
        "appending to a number": torch_zip(b"\x80\x02K\x01K\x02a."),
        "setting the state of a number": torch_zip(b"\x80\x02K\x01}b."),
        "calling a number": torch_zip(b"\x80\x02K\x01)R."),
        "calling with no tuple": torch_zip(b"\x80\x02cvae\nVAE\nK\x01R."),
        "a list as a key": torch_zip(b"\x80\x02}]Ns."),
    }


def amplifiers() -> dict[str, bytes]:
    """A few instructions that would have a reader copy or print a large value over and over."""
    megabyte = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x00"
    pairs = b"](" + b"K\x01N\x86" * 50_000 + b"eq\x00"
    return {
        "texts encoded over and over": torch_zip(
            b"\x80\x02"
            + megabyte
            + b"0"
            + b"c_codecs\nencode\nq\x01("
            + b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R" * 3000
            + b"l."
        ),
        "dictionaries made of one list over and over": torch_zip(
            b"\x80\x02" + pairs + b"0ccollections\nOrderedDict\nq\x01(" + b"h\x01h\x00\x85R" * 3000 + b"l."
        ),
        "names of a megabyte": torch_zip(b"\x80\x04" + megabyte + b"0(" + b"h\x00h\x00\x930" * 1000 + b"l."),
        "keys of a megabyte in tuples": torch_zip(
            b"\x80\x02"
            + megabyte
            + b"0}("
            + b"".join(b"h\x00J" + struct.pack("<i", i) + b"\x86N" for i in range(20_000))
            + b"u."
        ),
        "stand-ins nested 60,000 deep": torch_zip(
            b"\x80\x02cvae\nVAE\nq\x000" + b"h\x00" * 60_000 + b"N" + b"\x85R" * 60_000 + b"."
        ),
    }


def module_tricks() -> dict[str, bytes]:
    """Pickled modules whose parts are shared, or are not what parts of modules are."""
    import foreign_networks as nets

    laughing = nets.make("compact")
    stride: tuple = (1, 1)
    for _ in range(40):
        stride = (stride, stride)
    laughing.encoder.conv1.stride = stride
    doubled = torch.nn.Module()
    for _ in range(30):  # two ways down at each of thirty levels
        above = torch.nn.Module()
        above.a, above.b = doubled, doubled
        doubled = above
    strange = nets.make("compact")
    strange.encoder.__dict__["_buffers"] = [1, 2]
    strange.decoder.__dict__["_parameters"] = {7: torch.zeros(1)}
    many = {
        f"{i}.{anchor}": torch.zeros(1) for i in range(3000) for anchor in ("fc_mu.weight", "fc_var.weight")
    }
    return {
        name: saved(value)
        for name, value in {
            "a stride of 2**40 tuples": laughing,
            "layers reached by 2**30 paths": doubled,
            "a module without proper parts": strange,
            "three thousand networks": many,
        }.items()
    }


def saved(value: object) -> bytes:
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def harmless_names() -> dict[str, bytes]:
    """Names that must be refused although calling them in an unpickler would not act at once."""
    names = {
        "ctypes": ("ctypes", "CDLL"),
        "socket": ("socket", "create_connection"),
        "sys.exit": ("sys", "exit"),
        "os.execv": ("posix", "execv"),
        "cloudpickle": ("cloudpickle.cloudpickle", "_make_function"),
        "dill": ("dill._dill", "_create_code"),
        "pip": ("pip._internal", "main"),
        "torch.jit": ("torch.jit", "load"),
        "torch.package": ("torch.package", "PackageImporter"),
        "torch.fx": ("torch.fx.graph_module", "reduce_graph_module"),
        "torch.utils.cpp_extension": ("torch.utils.cpp_extension", "load_inline"),
        "torch.serialization.load": ("torch.serialization", "load"),
        "torch.utils.data": ("torch.utils.data.datapipes.utils.decoder", "basichandlers"),
        "a wrapper of datapipes": (
            "torch.utils.data.datapipes.datapipe",
            "_IterDataPipeSerializationWrapper",
        ),
        "reduce by way of torch": ("torch.nn.modules.utils", "reduce"),
        "a room of layers": ("torch.nn.modules.module", "_WrappedHook"),
        "torch.nn.utils": ("torch.nn.utils.parametrize", "register_parametrization"),
        "the inside of a class": ("vae", "VAE.__init__.__globals__"),
        "a name with a blank": ("vae", "VAE evil"),
        "a module reached through another": ("torch.nn", "os.system"),
        "pandas": ("pandas.io.pickle", "read_pickle"),
        "the debugger": ("pdb", "Pdb.run"),
    }
    text = {
        k: b"\x8c" + bytes([len(m)]) + m.encode() + b"\x8c" + bytes([len(n)]) + n.encode()
        for k, (m, n) in names.items()
    }
    return {f"the name {k}": torch_zip(b"\x80\x04" + v + b"\x93N\x85R.") for k, v in text.items()}


def zip_tricks(honest: bytes) -> dict[str, bytes]:
    data = pickle.dumps({"a": 1}, 2)
    plain = [("archive/data.pkl", data), ("archive/version", b"3\n")]
    tricks = {
        "zip-slip": stored_zip([*plain, ("../../canary", b"x")]),
        "zip-slip inside": stored_zip([*plain, ("archive/../../canary", b"x")]),
        "zip with an absolute name": stored_zip([*plain, ("/tmp/canary", b"x")]),
        "zip with a Windows name": stored_zip([*plain, ("archive\\..\\canary", b"x")]),
        "zip with a drive": stored_zip([*plain, ("C:/canary", b"x")]),
        "zip with two folders": stored_zip([*plain, ("other/data.pkl", data)]),
        "zip without a folder": stored_zip([("data.pkl", data)]),
        "zip without data.pkl": stored_zip([("archive/version", b"3\n")]),
        "zip with names that differ in case": stored_zip([*plain, ("archive/DATA.pkl", data)]),
        "zip bomb": stored_zip([("archive/data.pkl", bytes(50_000_000))], zipfile.ZIP_DEFLATED),
        "zip with lzma": stored_zip(plain, zipfile.ZIP_LZMA),
        "zip with data before it": b"MZ" + honest,
        "zip with data behind it": honest + b"x" * 64,
        "zip with a part inside another": part_inside_another(data),
        "zip with no members": stored_zip([]),
        "TorchScript": stored_zip(
            [*plain, ("archive/constants.pkl", data), ("archive/code/x.py", b"import os")]
        ),
        "zip with strange byte order": stored_zip([*plain, ("archive/byteorder", b"middle")]),
    }
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tricks["zip with two data.pkl"] = stored_zip([*plain, ("archive/data.pkl", data)])
    whole = stored_zip(plain)
    tricks["zip with a gap before its end"] = whole.replace(_END, b"hidden" + _END)
    tricks |= {name: change(bytearray(stored_zip(plain))) for name, change in _ZIP_EDITS.items()}
    return tricks


def part_inside_another(data: bytes) -> bytes:
    """A third entry in the list of contents, whose part lies in the bytes of the second."""
    inner = stored_zip([("archive/data/1", b"x" * 16)])
    local, listed = inner[: inner.find(_CENTRAL)], inner[inner.find(_CENTRAL) : inner.find(_END)]
    outer = stored_zip([("archive/data.pkl", data), ("archive/data/0", local)])
    start, end = outer.find(_CENTRAL), outer.find(_END)
    listed = listed[:42] + struct.pack("<L", outer.find(local)) + listed[46:]
    index = outer[start:end] + listed
    last = struct.pack("<4s4H2LH", _END, 0, 0, 3, 3, len(index), start, 0)
    return outer[:start] + index + last


def _edit(find: bytes, at: int, form: str, value: int, last: bool = False) -> Callable[[bytearray], bytes]:
    def change(data: bytearray) -> bytes:
        place = (data.rfind(find) if last else data.find(find)) + at
        data[place : place + struct.calcsize(form)] = struct.pack(form, value)
        return bytes(data)

    return change


_CENTRAL, _LOCAL, _END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
_ZIP_EDITS = {
    "encrypted zip": _edit(_CENTRAL, 8, "<H", 1),
    "zip whose local header is encrypted": _edit(_LOCAL, 6, "<H", 1),
    "zip whose sizes lie": _edit(_CENTRAL, 24, "<L", 0x7FFFFFFF),
    "zip whose both sizes lie": lambda d: _edit(_CENTRAL, 20, "<Q", 0x7FFFFFFF_7FFFFFFF)(d),
    "zip whose 64-bit sizes are missing": lambda d: _edit(_CENTRAL, 20, "<Q", 0xFFFFFFFF_FFFFFFFF)(d),
    "zip whose checksum lies": _edit(_CENTRAL, 16, "<L", 12345),
    "zip whose member lies elsewhere": _edit(_CENTRAL, 42, "<L", 0x7FFFFFFF),
    "zip whose members overlap": _edit(_CENTRAL, 42, "<L", 0, last=True),
    "zip whose names disagree": _edit(_LOCAL, 30, "<B", ord("b")),
    "zip with a million members": lambda d: _edit(_END, 8, "<L", 0xFFFF_FFFF)(d),
    "zip whose index is elsewhere": _edit(_END, 16, "<L", 0x7FFFFFFF),
    "zip whose index is long": _edit(_END, 12, "<L", 0x7FFFFFFF),
    "zip on two disks": _edit(_END, 4, "<H", 1),
    "zip with a comment that lies": _edit(_END, 20, "<H", 500),
}


def safetensors_lies() -> dict[str, bytes]:
    def file(header: bytes, numbers: bytes = bytes(16), length: int | None = None) -> bytes:
        return struct.pack("<Q", len(header) if length is None else length) + header + numbers

    def one(dtype="F32", shape="[4]", offsets="[0,16]") -> bytes:
        return file(f'{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}'.encode())

    return {
        "safetensors of a terabyte": one(shape="[1099511627776]", offsets="[0,4398046511104]"),
        "safetensors with a shape that lies": one(shape="[400]"),
        "safetensors with a negative shape": one(shape="[-4]"),
        "safetensors with offsets reversed": one(offsets="[16,0]"),
        "safetensors behind its end": one(offsets="[8,24]"),
        "safetensors of an unknown type": one(dtype="F4"),
        "safetensors with text for sizes": one(shape='["a"]'),
        "safetensors with a list for a tensor": file(b'{"w":[1,2]}'),
        "safetensors with a name twice": file(
            b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
            b'"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
        ),
        "safetensors with a nested header": file(b'{"w":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "safetensors with a header that is no JSON": file(b'{"w":' + b"x" * 20),
        "safetensors with a number of many digits": one(shape="[" + "9" * 10_000 + "]"),
        "safetensors with a header of 100 MB": file(b'{"w":' + b" " * 9_000_000 + b"1}"),
        "safetensors with overflowing sizes": one(shape="[4294967296,4294967296]"),
    }


def other_formats(folder: pathlib.Path) -> dict[str, bytes]:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("pickle", "storages", "tensors"):
            data = pickle.dumps(Call(os.system, f"touch {folder / 'canary'}"), 2)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    old_tar = bytearray(tar.getvalue())
    start = old_tar.find(b"ustar")
    old_tar[start : start + 8] = bytes(8)
    old_tar[start - 109 : start - 101] = b" " * 8
    total = sum(old_tar[:512])
    old_tar[start - 109 : start - 101] = f"{total:06o}\0 ".encode()
    return {
        "tar file of torch 0.1": tar.getvalue(),
        "tar file without a signature": bytes(old_tar),
        "nothing at all": b"",
        "one byte": b"\x80",
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "a web page": b"<!DOCTYPE html><html></html>",
        "Git LFS's pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "text": b"hello, world\n" * 30,
        "text in rot13": codecs.encode("import os", "rot13").encode() * 30,
        "zeros": bytes(4096),
        "before 1.6, without numbers": torch_stream(),
        "before 1.6, another version": torch_stream(pickle.dumps(MAGIC, 2), pickle.dumps(7, 2)),
        "before 1.6, keys of nothing": torch_stream(
            pickle.dumps(MAGIC, 2),
            pickle.dumps(VERSION, 2),
            pickle.dumps({}, 2),
            pickle.dumps({}, 2),
            pickle.dumps(["1"], 2),
        ),
        "before 1.6, a view outside": torch_stream(
            pickle.dumps(MAGIC, 2),
            pickle.dumps(VERSION, 2),
            pickle.dumps({}, 2),
            outside_view(),
            pickle.dumps(["0"], 2),
        )
        + struct.pack("<q", 4)
        + bytes(16),
    }


def outside_view() -> bytes:
    storage = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + pickle_body("0") + pickle_body("cpu") + b"K\x04"
    )
    return b"\x80\x02" + storage + pickle_body(("1", 2, 1000)) + b"tQ."


def damaged(name: str, data: bytes) -> dict[str, bytes]:
    """Cut at several places, and with bits flipped where they are checked or meant."""
    cuts = {f"{name} cut to {part} %": data[: len(data) * part // 100] for part in (1, 10, 50, 90, 99)}
    cuts[f"{name} without its last byte"] = data[:-1]
    if name == "zip":  # a checksum guards every byte of a member
        for place in (40, len(data) // 3, 2 * len(data) // 3):
            flipped = bytearray(data)
            flipped[place] ^= 0x10
            cuts[f"{name} with a bit flipped at {place}"] = bytes(flipped)
    return cuts
