"""Real files, mutated: whatever a reader makes of them, it ends in a model or in our own error, nothing else.

The mutations are drawn from a seed, so that a failure can be had again; the slow run draws many more.
"""

import io
import pickle
import random
import struct
import zipfile
from collections import Counter

import foreign_malice as malice
import foreign_networks as nets
import pytest
import torch
from safetensors.torch import save

from facette.checkpoint.foreign import import_checkpoint, inspect_checkpoint
from facette.checkpoint.foreign.limits import Budget, Limits
from facette.checkpoint.foreign.names import NameLedger
from facette.checkpoint.foreign.pickle_vm import read_pickle
from facette.errors import CheckpointError, FacetteError

QUICK, SLOW = 100, 1500  # mutations of each file

INTERESTING = [0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x28, 0x2E, 0x52, 0x62, 0x63, 0x74, 0x7D]  # ( . R b c t }
NUMBERS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]


def tiny() -> torch.nn.Module:
    """The smallest network of a known family: mutations should hit its structure, not its numbers."""
    return nets.ClassicVAE(size=8, widths=(2, 2), latent=2)


def seeds() -> dict[str, bytes]:
    network = tiny()
    state = network.state_dict()
    files = {}
    for name, content, options in (
        ("state dict", state, {}),
        ("module", network, {}),
        (
            "Lightning",
            {"pytorch-lightning_version": "2.0", "state_dict": {f"model.{n}": v for n, v in state.items()}},
            {},
        ),
        ("state dict before 1.6", state, {"_use_new_zipfile_serialization": False}),
        ("state dict, protocol 4", state, {"pickle_protocol": 4}),
    ):
        out = io.BytesIO()
        torch.save(content, out, **options)
        files[name] = out.getvalue()
    files["safetensors"] = save({n: v.contiguous() for n, v in state.items()})
    files["hostile"] = malice.torch_zip(pickle.dumps({"a": malice.Call(print, "never")}, 2))
    return files


def mutate(data: bytes, draw: random.Random) -> bytes:
    """One to eight small damages of several kinds."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(max(1, len(out)))
        match draw.randrange(7):
            case 0:
                out[place : place + 1] = bytes([out[place] ^ (1 << draw.randrange(8))] if out else [])
            case 1:
                out[place : place + 1] = bytes([draw.choice(INTERESTING)])
            case 2:
                del out[place : place + draw.randint(1, 16)]
            case 3:
                out[place:place] = draw.randbytes(draw.randint(1, 16))
            case 4:
                start = draw.randrange(max(1, len(out)))
                out[place:place] = out[start : start + draw.randint(1, 64)]
            case 5:
                out[place : place + 8] = struct.pack("<Q", draw.choice(NUMBERS))
            case 6:
                del out[place:]
        if not out:
            break
    return bytes(out)


def mutate_inside(data: bytes, draw: random.Random) -> bytes:
    """Damage the pickle of a zip file and seal it again, so that checksums do not stop the mutation."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    members = [(n, mutate(d, draw) if n.endswith(("data.pkl", "byteorder")) else d) for n, d in members]
    return malice.stored_zip(members)


def run(data: bytes, path) -> str:
    """What a reader makes of these bytes: the name of an error of ours, or "model"."""
    path.write_bytes(data)
    try:
        inspect_checkpoint(path)
        import_checkpoint(path, image_size=8)
    except CheckpointError:
        return "CheckpointError"
    except FacetteError as error:
        raise AssertionError(f"an error of another family: {error!r}") from error
    return "model"


def fuzz(name, count, path):
    data = seeds()[name]
    draw = random.Random(f"{name} {count}")
    ends = Counter(run(mutate(data, draw), path) for _ in range(count))
    if zipfile.is_zipfile(io.BytesIO(data)):
        ends += Counter(run(mutate_inside(data, draw), path) for _ in range(count))
    return ends


NAMES = [
    "state dict",
    "module",
    "Lightning",
    "state dict before 1.6",
    "state dict, protocol 4",
    "safetensors",
    "hostile",
]


@pytest.mark.parametrize("name", NAMES)
def test_mutated_files_end_in_a_model_or_in_our_error(name, tmp_path):
    ends = fuzz(name, QUICK, tmp_path / "w.pth")
    assert ends["CheckpointError"] > QUICK / 2
    assert set(ends) <= {"CheckpointError", "model"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_mutated_files(name, tmp_path):
    fuzz(name, SLOW, tmp_path / "w.pth")


def test_the_unmutated_files_are_models(tmp_path):
    """Otherwise the fuzzing would stop at the door."""
    for name, data in seeds().items():
        expected = "CheckpointError" if name == "hostile" else "model"
        assert run(data, tmp_path / "w.pth") == expected, name


@pytest.mark.slow
def test_the_laboratory_checkpoint_mutated(shared, tmp_path):
    path = shared / "checkpoints" / "celeba64_z50_200epochs.pth"
    if not path.is_file():
        pytest.skip(f"the laboratory checkpoint is not at hand: {path}")
    data, draw = path.read_bytes(), random.Random(0)
    ends = Counter(run(mutate(data, draw), tmp_path / "w.pth") for _ in range(100))
    ends += Counter(run(mutate_inside(data, draw), tmp_path / "w.pth") for _ in range(100))
    assert ends["CheckpointError"] > 100


def test_random_instructions_never_escape_the_machine():
    """Streams of nothing but valid opcodes and short arguments: the densest mutations there are."""
    draw = random.Random(7)
    opcodes = b"(.0125FGIJKLMNPQRSTUVX]abcdeghijlopqrstu})\x80\x81\x82\x85\x86\x87\x88\x89"
    opcodes += b"\x8a\x8b\x8c\x8f\x90\x91\x92\x93\x94"
    ends = Counter()
    for _ in range(3000):
        stream = b"".join(
            bytes([draw.choice(opcodes)]) + draw.choice(ARGUMENTS) for _ in range(draw.randint(1, 15))
        )
        try:
            read_pickle(
                stream + b".", 0, NameLedger(strict=False), Budget(Limits(seconds=5)), lambda identifier: None
            )
            ends["value"] += 1
        except CheckpointError:
            ends["CheckpointError"] += 1
    assert ends["CheckpointError"] > 1000
    assert ends["value"] > 10


ARGUMENTS = [
    b"",
    b"",
    b"",
    b"\x00",
    b"\x01",
    b"\x02a",
    b"1\n",
    b"'a'\n",
    b"vae\nVAE\n",
    b"torch\nSize\n",
    bytes(4),
    b"\x01\x00\x00\x00a",
]
