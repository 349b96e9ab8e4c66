"""Which tests go to one process where several test (`pytest -n`), and which groups go first."""

from __future__ import annotations

TOGETHER = ("comparison", "docs", "scale", "studio")  # rooms whose tests share what is costly
FIRST = (  # they take longest: begun last, they would end alone
    *("studio", "docs", "scale", "comparison"),
    *("tests/evaluation/test_doctor.py", "tests/dial/test_dial.py", "tests/cli/test_dial_commands.py"),
    *("tests/checkpoint/foreign/test_foreign_malice.py", "tests/test_watched.py"),
)


def group_of(nodeid: str) -> str:
    """What is tested in one process: a file, or a room whose tests share what is costly."""
    file = nodeid.partition("::")[0]
    room = file.removeprefix("tests/").partition("/")[0]
    return room if room in TOGETHER else file
