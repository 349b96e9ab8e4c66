"""Devices, seeds and the place among processes."""

from __future__ import annotations

import ast
import platform
import subprocess
import sys

import pytest
import torch

from facette.errors import UsageError
from facette.runtime import Rank, autocast_dtype, choose_device, derive_seed, generator, wide
from test_layers import SOURCE


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


def test_apples_device_is_taken_by_name_and_auto_stays_where_it_was_tried(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("mps") == torch.device("mps")
    assert choose_device("auto") == torch.device("cpu")


class OnApple:
    """A tensor on a device that has no float64."""

    device = torch.device("mps")

    def cpu(self):
        return torch.ones(3)

    def double(self):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")


def test_long_sums_are_taken_where_there_are_doubles():
    assert wide(OnApple()).dtype == torch.float64
    assert wide(torch.ones(3)).dtype == torch.float64


def test_nothing_that_runs_on_any_device_makes_doubles_there():
    """Apple's devices have none: what may lie on one goes through `wide`, or to the CPU first."""
    for room in ("model", "objective", "training", "evaluation"):
        for path in [SOURCE / f"{room}.py", *(SOURCE / room).rglob("*.py")]:
            for call in ast.walk(ast.parse(path.read_text("utf-8"))) if path.exists() else ():
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                    before = ast.unparse(call.func.value)
                    place = f"{path.name}, line {call.lineno}: {ast.unparse(call)}"
                    assert call.func.attr != "double" or before.endswith(".cpu()"), place
                    there = call.func.attr.startswith("new_") or "device=" in place
                    assert not (there and "float64" in place), place


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
import resource
import torch
from facette.runtime import keep_freed_memory

def faults(warm):
    for _ in range(warm):
        torch.ones(24 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(24 << 20)  # 96 MB, more than glibc keeps of itself or as a reserve
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(1))
print(faults(16) if keep_freed_memory() else "refused")
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library has no mallopt")
def test_what_was_freed_is_used_again_instead_of_faulted_in_anew():
    ran = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    returned, kept = map(int, ran.stdout.split())
    assert returned > 4  # of pages of 4 KB 98,304; fewer where pages are huge
    assert kept < returned / 5
