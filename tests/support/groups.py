"""Which tests go to one process where several test (`pytest -n`), and which groups go first."""

from __future__ import annotations

TOGETHER = ("comparison", "docs", "scale")  # rooms whose tests share what is costly
BY_THEMSELVES = {  # files of those rooms that do not use the reader's folder
    *("tests/docs/test_classics.py", "tests/docs/test_contributing.py", "tests/docs/test_site.py"),
}
FORKED = {  # files whose commands are forked from one process, which takes seconds to begin
    *("tests/training/test_distributed.py", "tests/training/test_run.py", "tests/test_own_code.py"),
    *("tests/test_siege_kills.py", "tests/test_siege_pairs.py"),
}
FIRST = (  # they take longest: begun last, they would end alone
    *("tests/studio/test_access.py", "tests/studio/test_studio_pages.py", "docs", "forked"),
    *("tests/studio/test_studio_map.py", "tests/studio/test_studio_mistakes.py"),
    *("tests/studio/test_studio_blend.py", "tests/studio/test_studio_reports.py", "scale", "comparison"),
    *("tests/studio/test_leaving.py", "tests/dial/test_dial.py", "tests/studio/test_streams.py"),
    *("tests/studio/test_by_keyboard.py", "tests/studio/test_studio_edit.py", "tests/studio/test_words.py"),
    *("tests/studio/test_compare_page.py", "tests/studio/test_studio_runs.py"),
    *("tests/checkpoint/test_onnx_drawing.py", "tests/test_surroundings.py", "tests/test_light.py"),
    *("tests/data/test_packed.py", "tests/cli/test_vary_light.py", "tests/benchmarks/test_gpu_benchmark.py"),
    *("tests/checkpoint/foreign/test_foreign_malice.py", "tests/evaluation/test_doctor.py"),
    *("tests/checkpoint/foreign/test_foreign_roundtrip.py", "tests/checkpoint/test_export.py"),
    *("tests/test_watched.py", "tests/plots/test_interactive_map.py", "tests/cli/test_dial_commands.py"),
    *("tests/training/test_search.py", "tests/training/test_kernels_of_a_run.py", "tests/cli/test_places.py"),
    *("tests/training/test_sharpen.py", "tests/judges/test_attributes_network.py", "tests/test_forms.py"),
    *("tests/data/test_aligned.py", "tests/training/test_update.py", "tests/test_house.py"),
)


def waits(group: str) -> bool:
    """Whether its tests wait for a browser half of their time."""
    return group.startswith("tests/studio/")


def group_of(nodeid: str) -> str:
    """What is tested in one process: a file, or files whose tests share what is costly."""
    file = nodeid.partition("::")[0]
    room = file.removeprefix("tests/").partition("/")[0]
    if file in FORKED:
        return "forked"
    return room if room in TOGETHER and file not in BY_THEMSELVES else file
