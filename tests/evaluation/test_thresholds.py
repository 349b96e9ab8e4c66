"""One table of judgement, and the verdict on units that three rooms pass alike."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import facette
from facette.evaluation import thresholds
from facette.evaluation.thresholds import Threshold, judge_units

TABLE = [value for value in vars(thresholds).values() if isinstance(value, Threshold)]
ROOMS = ("evaluation/doctor.py", "reports/findings.py", "training/validate.py")


def test_every_threshold_has_its_reason():
    assert TABLE
    assert len({(threshold.name, threshold.of) for threshold in TABLE}) == len(TABLE)
    assert all(threshold.reason and threshold.of for threshold in TABLE)


@pytest.mark.parametrize("path", ROOMS)
def test_no_room_has_a_limit_of_its_own(path):
    """Whoever judges compares with a limit from the table: no number but 0 and 1 stands beside a comparison."""
    tree = ast.parse((Path(facette.__file__).parent / path).read_text("utf-8"))
    numbers = {
        part.value
        for comparison in ast.walk(tree)
        if isinstance(comparison, ast.Compare)
        for part in (comparison.left, *comparison.comparators)
        if isinstance(part, ast.Constant) and isinstance(part.value, float)
    }
    assert not numbers - {0.0, 1.0}


@pytest.mark.parametrize(
    ("rates", "kind", "unused"),
    [
        ([2.0] * 16, "alive", 0),
        ([2.0] * 39 + [0.0], "alive", 1),
        ([2.0] * 15 + [0.0], "unused units", 1),
        ([2.0] * 2 + [0.0] * 18, "posterior collapse", 18),
        ([0.02] * 16, "posterior collapse", 0),
    ],
)
def test_units_are_judged_by_how_many_are_idle_and_by_what_all_say(rates, kind, unused):
    verdict = judge_units(rates)
    assert (verdict.kind, len(verdict.unused)) == (kind, unused)
    assert verdict.rate == pytest.approx(sum(rates))


def test_the_page_has_the_table():
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8")
    for threshold in TABLE:
        assert f"| {threshold.name} | {threshold.of} {threshold.limit:g} | {threshold.reason} |" in page
