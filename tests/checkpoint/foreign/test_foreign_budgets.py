"""Whatever a stranger's file asks for, reading it stays within bounds of memory and work."""

from __future__ import annotations

import pickle
import struct
import tracemalloc

import pytest
import torch
from foreign_malice import stored_zip, torch_zip

from facette.checkpoint.foreign import import_checkpoint, inspect_checkpoint
from facette.checkpoint.foreign.limits import MIB, Limits
from facette.errors import CheckpointError

MODULUS = 2**61 - 1  # of the hash of whole numbers


def refused(path, **answers) -> str:
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(path, **answers)
    with pytest.raises(CheckpointError):
        inspect_checkpoint(path)
    return str(raised.value)


@pytest.mark.parametrize(
    "kind", ["a dictionary", "an ordered dictionary", "broken numbers", "pairs of numbers"]
)
def test_keys_that_collide_cost_little(tmp_path, kind):
    keys = [number * MODULUS for number in range(1, 40_000)]
    if kind == "broken numbers":
        keys = [float(2 ** (number % 900)) * (1 + number) for number in range(40_000)]
    if kind == "pairs of numbers":
        keys = [(key, 0) for key in keys]
    if kind == "an ordered dictionary":
        pairs = b"".join(pickle.dumps(key, 2)[2:-1] + b"N\x86" for key in keys)
        data = b"\x80\x02ccollections\nOrderedDict\n](" + pairs + b"e\x85R."
    else:
        items = b"".join(pickle.dumps(key, 2)[2:-1] + b"N" for key in keys)
        data = b"\x80\x02}(" + items + b"u."
    (tmp_path / "f.pth").write_bytes(torch_zip(data))
    assert "keys that are no text" in refused(tmp_path / "f.pth")


def test_an_honest_optimizer_has_far_fewer_such_keys(tmp_path):
    network = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(300)])
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.zeros(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"model": network.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "f.pth")
    assert len(inspect_checkpoint(tmp_path / "f.pth").tensors) > 600
    assert Limits().plain_keys > 5 * 600


def test_a_byte_order_is_a_word(tmp_path):
    members = [("archive/data.pkl", pickle.dumps({}, 2)), ("archive/byteorder", b"l" * (40 * MIB))]
    (tmp_path / "f.pth").write_bytes(stored_zip(members))
    tracemalloc.start()
    try:
        assert "unknown byte order" in refused(tmp_path / "f.pth")
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_a_stride_that_is_never_taken_may_be_anything(tmp_path):
    """2⁶⁴ does not fit where strides are kept; a dimension of one element takes no step."""
    maker = b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ"
    huge = pickle.dumps(2**64, 2)[2:-1]
    tensor = maker + storage + b"K\x00K\x01\x85" + huge + b"\x85\x89N" + b"tR"
    data = b"\x80\x02}X\x01\x00\x00\x00w" + tensor + b"s."
    (tmp_path / "f.pth").write_bytes(torch_zip(data, {"0": struct.pack("<f", 1.0)}))
    (line,) = inspect_checkpoint(tmp_path / "f.pth").tensors
    assert line.shape == (1,)


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("collide_od_20000.pth", {}),
        ("picture_65536.pth", {"range": "unit", "image_size": 65536}),
        ("size1_stride_2e64.pth", {"range": "unit", "image_size": 65536}),
    ],
)
def test_the_hostile_cases_are_refused_in_one_sentence(shared, name, answers):
    path = shared / "cases" / "hostile" / name
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(path, **answers)
    assert "\n" not in str(raised.value)
