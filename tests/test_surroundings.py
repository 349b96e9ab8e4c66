"""In other people's surroundings a command works or says in one sentence why not; never a traceback.

Every command in every surrounding is a slow proof; the light ones run in the ordinary suite.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import surroundings

from facette.cli import COMMANDS

# One serves until it is stopped, one speaks to a hub; both have tests of their own.
UNTRIED = {"studio", "push"}
QUICK = {  # a tenth of all
    "no home": ("vary", "prepare", "train", "map"),  # as in containers that run as a user whom nobody entered
    "read-only": ("vary", "align", "prepare"),
    "full disk": ("vary", "align", "prepare", "info"),
    "names": ("reconstruct", "align", "inspect"),
    "terminal": ("recipes", "align", "info"),
}


@pytest.fixture
def place(tmp_path) -> Path:
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    return tmp_path / "x"


def test_every_command_is_tried():
    assert set(surroundings.COMMANDS) | UNTRIED == set(COMMANDS)
    tried = sum(map(len, QUICK.values()))
    assert 10 * tried >= len(surroundings.COMMANDS) * len(surroundings.SURROUNDINGS)


def test_the_page_has_every_command_and_every_surrounding():
    text = (Path(__file__).parents[1] / "docs" / "surroundings.md").read_text("utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert [row[0].strip("|` ") for row in rows] == list(surroundings.COMMANDS)
    assert {len(row) for row in rows} == {len(surroundings.SURROUNDINGS) + 1}
    assert all(name in text for name in surroundings.SURROUNDINGS.values())


@pytest.mark.skipif(sys.platform != "linux", reason="limits and capabilities of Linux")
@pytest.mark.parametrize("surrounding", QUICK)
def test_light_commands_work_or_say_why(place, surrounding):
    cells = surroundings.run(surrounding, place, QUICK[surrounding])
    assert [cell for cell in cells if cell.fault] == []
    refused = {cell.command: cell.sentence for cell in cells if cell.code}
    if surrounding in ("no home", "terminal"):
        assert refused == {}
    if surrounding == "read-only":
        assert refused.keys() >= {"vary", "align"}
    if surrounding == "full disk":
        assert set(refused) == {"vary", "align", "prepare"}
        assert all(".png" in sentence or "store" in sentence for sentence in refused.values()), (
            "a place is named"
        )
        left = [path.name for path in (place / "place").rglob("*") if path.is_file()]
        assert sorted(left) == ["0.png", "1.png", "2.png", "3.png", "me.png"], "nothing is left half written"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits and capabilities of Linux")
@pytest.mark.parametrize("surrounding", surroundings.SURROUNDINGS)
def test_every_command_works_or_says_why(place, surrounding):
    cells = surroundings.run(surrounding, place)
    assert [(cell.command, cell.fault) for cell in cells if cell.fault] == []
    if surrounding in ("no home", "names", "terminal"):  # there only what cannot be used is refused
        refused = {cell.command for cell in cells if cell.code}
        allowed = {"compare", "inspect", "import", "sharpen", "calibrate", "attributes", "evaluate"}
        assert refused <= allowed
    if surrounding == "read-only" and os.getuid():
        assert {cell.command for cell in cells if cell.code} >= {"vary", "align", "train", "encode", "export"}
