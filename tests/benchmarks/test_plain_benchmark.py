"""The comparison with a plain VAE: its arithmetic, and a tiny run of both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_the_distance_of_points_moved_is_how_far_they_moved():
    from plain_measuring import frechet

    points = torch.randn(200, 5, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    assert frechet(points, points) == pytest.approx(0, abs=1e-6)
    assert frechet(points, points + 2) == pytest.approx(5 * 4, rel=1e-6)
    scaled = frechet(points, points.mean(0) + 3 * (points - points.mean(0)))  # tr(C + 9C − 6C)
    assert scaled == pytest.approx(4 * torch.cov(points.T).trace().item(), rel=1e-6)


def test_the_table_has_what_both_sides_have_run():
    from plain import table

    figures = {"unexplained_variance": 0.1, "frechet": 2.0, "pictures_per_cpu_second": 100.0, "passes": 64}
    cells = {f"digits/60/{seed}/{side}": figures for seed in (0, 1) for side in ("plain", "facette")}
    cells["digits/60/1/facette"] = figures | {"unexplained_variance": 0.05}
    cells["emoji/60/0/plain"] = figures
    rows = [line for line in table(cells).splitlines() if line.startswith(("| digits", "| emoji"))]
    assert rows == ["| digits | 60 | 2 | 0.1000 | 0.0750 | 2.000 | 2.000 | 100 | 100 |"]


@pytest.mark.slow
def test_both_sides_run(tmp_path):
    from plain import SIDES
    from turns import turn

    pictures = tmp_path / "few.npy"
    np.save(pictures, np.random.default_rng(0).integers(0, 256, (300, 16, 16, 3), dtype=np.uint8))
    for script in SIDES.values():
        figures = turn(script, pictures, 4, 0)
        assert figures["passes"] > 0
        assert 3 < figures["cpu_s"] < 8
