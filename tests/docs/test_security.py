"""Each promise of SECURITY.md names the tests that hold it, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    line
    for line in (ROOT / "SECURITY.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| promise", "| ---"))
]


def test_there_are_promises():
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:60])
def test_a_promise_names_tests_that_are_there(row):
    promise, held_by = row.strip("| ").rsplit(" | ", 1)
    assert promise.endswith(".")
    names = re.findall(r"`(tests/[^`]+)`", held_by)
    assert names, promise
    for name in names:
        assert "def test_" in (ROOT / name).read_text("utf-8"), name
