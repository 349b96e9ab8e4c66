"""The file that tensors are written to: what the format's own library writes, byte for byte, without its copies."""

from __future__ import annotations

import json
import tracemalloc

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from facette.checkpoint.tensors import HEADER, read_tensors, write_tensors


def some() -> dict[str, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    return {
        "b.weight": torch.randn(4, 3, 2, 2, generator=draws).to(memory_format=torch.channels_last),
        "a.half": torch.randn(7, generator=draws).half(),
        "counts": torch.arange(5),
        "single": torch.tensor(2.5),
        "brain": torch.randn(3, generator=draws).bfloat16(),
        "flags": torch.tensor([True, False]),
        "none": torch.zeros(0, 3),
        "strided": torch.randn(6, 6, generator=draws)[::2, 1:],
    }


def test_a_file_is_byte_for_byte_that_of_the_library(tmp_path):
    write_tensors(tmp_path / "mine.safetensors", some(), {"name": "Zoë “β”\n"})
    plain = {name: t.contiguous() for name, t in some().items()}
    with safe_open(tmp_path / "mine.safetensors", framework="pt") as file:
        metadata = file.metadata()  # the header, and a digest of the tensors
    assert metadata[HEADER] == '{"name": "Zoë “β”\\n"}'
    library = save(plain, metadata)  # which writes its metadata in any order
    start = 8 + int.from_bytes(library[:8], "little")
    written = (tmp_path / "mine.safetensors").read_bytes()
    assert len(written) == len(library)
    assert written[start:] == library[start:]
    assert json.loads(written[8:start]) == json.loads(library[8:start])


def test_what_was_written_is_read_back(tmp_path):
    write_tensors(tmp_path / "mine.safetensors", some(), {"kind": "trial"})
    tensors, header = read_tensors(tmp_path / "mine.safetensors")
    assert header == {"kind": "trial"}
    assert tensors.keys() == some().keys() == load_file(tmp_path / "mine.safetensors").keys()
    for name, tensor in some().items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_writing_takes_no_copy_of_the_whole(tmp_path):
    tensors = {f"part{i}": torch.zeros(1 << 18) for i in range(16)}  # 16 MiB
    tracemalloc.start()
    write_tensors(tmp_path / "mine.safetensors", tensors, {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_what_json_cannot_hold_is_refused_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    write_tensors(path, some(), {})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_tensors(path, some(), {"elbo": float("nan")})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mine.safetensors"]
