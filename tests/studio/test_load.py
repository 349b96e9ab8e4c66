"""Many visitors at once, in short: nothing fails, nobody gets somebody else's, and memory goes back to where it was."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "studio.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("studio_load", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their own names
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
def test_eight_visitors_get_what_is_theirs(benchmark):
    found = benchmark.measure(clients=8, seconds=6)
    assert (found["errors"], found["mixed"]) == (0, 0), found["first_errors"]
    assert found["preview"]["answers"] >= 24
    assert found["sharp"]["answers"] >= 8
    memory = found["memory_mib"]
    assert memory["after"] <= 1.1 * memory["before"]
