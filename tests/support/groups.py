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
    *("tests/training/test_run.py", "tests/checkpoint/test_onnx_drawing.py", "tests/test_surroundings.py"),
    *(
        "tests/checkpoint/test_export.py",
        "tests/judges/test_attributes_network.py",
        "tests/data/test_packed.py",
    ),
    *("tests/benchmarks/test_gpu_benchmark.py", "tests/checkpoint/foreign/test_foreign_roundtrip.py"),
    *("tests/test_forms.py", "tests/test_own_code.py", "tests/test_light.py", "tests/data/test_aligned.py"),
    *("tests/training/test_search.py", "tests/training/test_sharpen.py", "tests/training/test_update.py"),
)


def group_of(nodeid: str) -> str:
    """What is tested in one process: a file, or a room whose tests share what is costly."""
    file = nodeid.partition("::")[0]
    room = file.removeprefix("tests/").partition("/")[0]
    return room if room in TOGETHER and file not in BY_THEMSELVES else file
