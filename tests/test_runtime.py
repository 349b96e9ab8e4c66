"""Devices, seeds and the place among processes."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from facette.errors import UsageError
from facette.runtime import Rank, autocast_dtype, choose_device, derive_seed, generator


def test_a_seed_is_a_pure_function_of_its_parts():
    assert derive_seed(1, "noise", 2) == derive_seed(1, "noise", 2)
    seeds = {
        derive_seed(*p)
        for p in [(1, "noise", 2), (1, "noise", 3), (2, "noise", 2), (1, "order", 2), (12,), (1, 2)]
    }
    assert len(seeds) == 6
    assert all(0 <= s < 2**63 for s in seeds)


def test_generators_of_the_same_parts_draw_the_same():
    a, b, c = (torch.randn(5, generator=generator(*p)) for p in [(3, "x"), (3, "x"), (4, "x")])
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_a_device_that_is_not_there_is_a_sentence():
    with pytest.raises(UsageError, match="no device is called 'abacus'"):
        choose_device("abacus")
    assert choose_device("cpu").type == "cpu"


def test_cpus_compute_in_float32_unless_told_otherwise():
    cpu = torch.device("cpu")
    assert autocast_dtype("auto", cpu) is None
    assert autocast_dtype("float32", cpu) is None
    assert autocast_dtype("bf16", cpu) is torch.bfloat16


def test_the_place_is_read_from_torchrun(monkeypatch):
    assert Rank.current() == Rank(0, 1, 0)
    for name, value in {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert Rank.current() == Rank(3, 4, 1)
    assert not Rank.current().leads


FAULTS = """
import resource, sys
import torch
from facette.runtime import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    print("refused")
    raise SystemExit
for _ in range(16):
    torch.ones(24 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    torch.ones(24 << 20)  # 96 MB, more than glibc keeps of itself or as a reserve
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library has no mallopt")
def test_what_was_freed_is_used_again_instead_of_faulted_in_anew():
    counts = {}
    for way in ("keep", "return"):
        ran = subprocess.run([sys.executable, "-c", FAULTS, way], check=True, capture_output=True, text=True)
        counts[way] = int(ran.stdout)
    assert counts["return"] > 4  # of pages of 4 KB 98,304; fewer where pages are huge
    assert counts["keep"] < counts["return"] / 5
