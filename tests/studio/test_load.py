"""Many visitors at once, in short: nothing fails, nobody gets somebody else's, and memory goes back to where it was."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import pytest
from studio_siege import Besiegers, besieged

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


QUIET, SIEGE = 30.0, 60.0  # seconds


@pytest.mark.slow
def test_two_honest_visitors_are_served_while_hundreds_hold_on(benchmark):
    """No error for them, at most twice the time of 95 in 100, and the memory comes back."""
    cases = benchmark.make_cases()[:2]
    with benchmark.studio() as (process, door):
        benchmark.wave(process.pid, door, cases, 2, QUIET / 2, benchmark.Tally())
        abandoner = benchmark.Client(door, cases[0], "abandoner")
        quiet, under = benchmark.Tally(), benchmark.Tally()
        benchmark.wave(process.pid, door, cases, 2, QUIET, quiet)
        time.sleep(benchmark.SETTLING)
        before = benchmark.resident(process.pid)
        with besieged(door, abandoner, Besiegers()) as siege:
            highest = benchmark.wave(process.pid, door, cases, 2, SIEGE, under)
        time.sleep(2 * benchmark.SETTLING)
        after = benchmark.resident(process.pid)
    figures = {
        "besiegers": siege.counts,
        "held_bytes": siege.sent,
        "quiet": {kind: benchmark.percentiles(times) for kind, times in quiet.seconds.items()},
        "under siege": {kind: benchmark.percentiles(times) for kind, times in under.seconds.items()},
        "memory_mib": (before, highest, after),
    }
    print(figures)
    assert (quiet.errors, quiet.mixed, under.errors, under.mixed) == ([], 0, [], 0), figures
    assert siege.counts["headers"] >= 300
    assert siege.counts["uploads"] >= 40
    assert siege.counts["events"] >= 250
    assert after <= 1.1 * before, figures
    for kind in ("preview", "sharp"):
        assert figures["under siege"][kind]["p95_ms"] <= 2 * figures["quiet"][kind]["p95_ms"], figures
