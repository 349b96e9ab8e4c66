"""The curve of growth: a training gives its figures, points are kept, and the page says what they are of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TINY = ["train.batch=8", "train.validate_count=8", "train.preview_count=2", "input.size=32", "model.latent=8"]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_a_training_gives_its_figures():
    from growth import widths
    from growth_point import trained
    from measuring import Clock

    figures = []
    for width in (16, 32):
        clock = Clock(0.0)
        figures.append(trained("synthetic-faces:48", 24, [*TINY, *widths(width)], clock))
        assert len(clock.ends) == 3
    small, large = figures
    assert small["passes"] == large["passes"] == 24
    assert large["parameters"] > 3 * small["parameters"]
    assert large["gflop_per_picture"] > 3 * small["gflop_per_picture"]
    assert all(side["images_per_second"] > 0 and side["unexplained_variance"] > 0 for side in figures)


def results() -> dict:
    """What a benchmark that was stopped after two points has kept."""
    point = {"parameters": 7_500_000, "gflop_per_picture": 0.5, "images_per_second": 20.0, "rate": 30.0}
    point |= {"peak_anonymous_mb": 405.0, "unexplained_variance": 0.25}
    return {
        "settings": {
            "source": "synthetic-faces:8",
            "passes": 64,
            "base": ["train.batch=8"],
            "machine": "a machine",
        },
        "date": "2026-11-30",
        "beside": "Taken beside other work.",
        "axes": {
            "width": {"unit": "channels", "points": {"16": point, "32": point | {"images_per_second": 10.0}}},
            "latent": {"unit": "latents", "points": {"8": point}},
        },
    }


def test_a_stopped_benchmark_goes_on_with_what_is_missing():
    from growth import axes_of, missing

    axes = axes_of({"width": (16, 32), "latent": (8, 16), "pictures": (4,), "size": (32,)})
    assert [(axis.name, value) for axis, value, _ in missing(results(), axes)] == [
        ("latent", 16),
        ("pictures", 4),
        ("size", 32),
    ]


def test_the_page_says_what_was_measured_and_beside_what(tmp_path):
    from growth import draw, page

    text = page(results())
    assert "| 32 | 7.50 | 0.5 | 10.0 | 405.0 | 0.25 |" in text
    assert "with `train.batch=8`" in text
    assert "64 pictures of synthetic-faces:8" in text
    assert "**Taken beside other work.**" in text
    draw(results(), tmp_path / "growth.svg")
    assert (tmp_path / "growth.svg").stat().st_size > 10_000


@pytest.mark.slow
def test_a_point_in_a_process_of_its_own(tmp_path):
    from growth import Axis, measured

    settings = {"source": "synthetic-faces:48", "passes": 16, "base": TINY, "machine": "a machine"}
    measured(tmp_path, settings, [Axis("latent", "latents", {8: ("model.latent=8",)})])
    point = json.loads((tmp_path / "growth.json").read_text("utf-8"))["axes"]["latent"]["points"]["8"]
    assert point["peak_anonymous_mb"] > 50
    assert point["passes"] == 16
