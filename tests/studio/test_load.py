"""Many visitors at once, in short: nothing fails, nobody gets somebody else's, and memory goes back to where it was."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("studio")


@pytest.mark.slow
def test_eight_visitors_get_what_is_theirs(benchmark):
    found = benchmark.measure(clients=8, seconds=6)
    assert (found["errors"], found["mixed"]) == (0, 0), found["first_errors"]
    assert found["preview"]["answers"] >= 24
    assert found["sharp"]["answers"] >= 8
    memory = found["memory_mib"]
    assert memory["after"] <= 1.1 * memory["before"]
