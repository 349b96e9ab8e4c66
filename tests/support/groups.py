"""Which tests go to one process where several test (`pytest -n`), and which groups go first."""

from __future__ import annotations

TOGETHER = ("comparison", "docs", "scale", "studio")  # rooms whose tests share what is costly
BY_THEMSELVES = {  # files of those rooms that use neither their browser nor their reader's folder
    *("tests/docs/test_classics.py", "tests/docs/test_contributing.py", "tests/docs/test_site.py"),
    *("tests/studio/test_apart.py", "tests/studio/test_at_rest.py", "tests/studio/test_compare_page.py"),
    *("tests/studio/test_guard.py", "tests/studio/test_kept.py", "tests/studio/test_load.py"),
    *(
        "tests/studio/test_sharing.py",
        "tests/studio/test_siege_of_studio.py",
        "tests/studio/test_studio_runs.py",
    ),
}
FIRST = (  # they take longest: begun last, they would end alone
    *("studio", "docs", "scale", "comparison"),
    *("tests/studio/test_compare_page.py", "tests/studio/test_studio_runs.py", "tests/dial/test_dial.py"),
    *("tests/evaluation/test_doctor.py", "tests/cli/test_dial_commands.py", "tests/test_watched.py"),
    *("tests/checkpoint/foreign/test_foreign_malice.py", "tests/training/test_distributed.py"),
)


def group_of(nodeid: str) -> str:
    """What is tested in one process: a file, or a room whose tests share what is costly."""
    file = nodeid.partition("::")[0]
    room = file.removeprefix("tests/").partition("/")[0]
    return room if room in TOGETHER and file not in BY_THEMSELVES else file
