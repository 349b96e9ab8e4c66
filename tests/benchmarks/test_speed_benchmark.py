"""The benchmark measures what it says: a tiny run of it, its arithmetic, and the memory it generates its store for."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from facette.data.packed import ImageStore
from facette.recipe import load_recipe
from facette.runtime import Rank
from facette.training.batches import Order
from facette.training.schedule import training_rows

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_names_rows_and_shuffles_take_a_few_bytes_of_memory_for_a_picture(tmp_path):
    from flat_memory import generate

    peaks = []
    for count in (1_000, 100_000):
        generate(tmp_path / str(count), count)
        tracemalloc.start()
        store = ImageStore(tmp_path / str(count), np.zeros(count, np.int8))
        order = Order(training_rows(store), 8, seed=0)
        for step in (0, order.per_epoch, 2 * order.per_epoch):  # three epochs' orders
            assert not store.read(order.at(step, Rank())).any()  # a sparse file is black
        assert store.names[count - 1] == f"{count - 1:012d}"
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A name of twelve letters and its end, 20 bytes; rows, this shuffle and the one before.
    assert peaks[1] - peaks[0] < 32 * 99_000


@pytest.mark.slow
def test_a_tiny_run_writes_figures_of_both_sides(tmp_path):
    options = (
        "--small",
        "--rounds",
        "1",
        "--only",
        "vanilla64",
        "--results",
        tmp_path,
        "--cache",
        tmp_path / "c",
    )
    command = [sys.executable, BENCHMARKS / "speed.py", *options]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    (found,) = json.loads((tmp_path / "speed.json").read_text("utf-8"))["vanilla64"].values()
    for side in ("textbook", "facette"):
        assert 0 < found[side]["first_step_s"] < found[side]["process_s"]
        assert found[side]["steady_images_per_second"] > 0
        assert found[side]["peak_anonymous_mb"] > 50
    assert found["curves"]["squared_error_apart"] < 0.2  # the same network, weights and pictures
    assert "times as fast" in (tmp_path / "speed.md").read_text("utf-8")


def test_machines_stand_side_by_side(tmp_path):
    from speed import keep

    shares = {name: {"batch": 1, "images_per_second": 2.0, "gflop_per_picture": 3.0, "gflops": 6.0,
                     "convolution_peak_gflops": 12.0, "share_of_convolution_peak": 0.5}
              for name in ("core", "second stage")}  # fmt: skip
    for machine in ("one, torch 2", "one, torch 3", "one, torch 2"):
        keep(tmp_path, "stages", machine, {"date": "2026-12-01", **shares})
    keep(
        tmp_path,
        "memory",
        "another",
        {"date": "2026-12-02", "pictures": [1], "peak_anonymous_mb": [5], "grown": 0.0},
    )
    page = (tmp_path / "speed.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].strip("| ") for row in rows[2:5]] == [
        "one, torch 2",
        "one, torch 3",
        "another",
    ]
    assert rows[2].count("50%") == 2
    assert page.count("*one, torch 2, 2026-12-01*") == 1


@pytest.mark.slow
def test_both_stages_are_measured_beside_the_peak():
    from turns import turn

    for figures in turn("stages.py", "faces128", "--seconds", 1).values():
        assert (
            0
            < figures["gflops"]
            == pytest.approx(figures["images_per_second"] * figures["gflop_per_picture"], rel=0.1)
        )
        assert 0 < figures["share_of_convolution_peak"] < 1.5


def test_the_textbooks_network_begins_as_facettes(tmp_path):
    import torch
    from train_textbook import network_of

    from facette.training.state import fresh_state

    recipe = load_recipe(BENCHMARKS / "recipes" / "vanilla64.toml", ["train.batch=4"])
    theirs, mine = network_of(recipe).eval(), fresh_state(recipe, torch.device("cpu")).vae.eval()
    x = torch.rand(4, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        _, mean, log_variance = theirs(x)
        posterior = mine.encode(x)
        torch.testing.assert_close(mean, posterior.mean, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close((0.5 * log_variance).exp(), posterior.scale, rtol=1e-3, atol=1e-4)
        drawn = theirs.head(theirs.decoder(theirs.enter(mean).view(-1, 512, 2, 2)))
        torch.testing.assert_close(drawn, mine.decode(mean), rtol=1e-3, atol=1e-4)


def test_pythaes_layout_as_a_recipe_has_its_size():
    """34.7 million weights and 16.9 GFLOP of a picture's training step, as pythae's own network has them."""
    from peak import flops_per_picture

    from facette.model.vae import build_vae, count_parameters

    recipe = load_recipe(BENCHMARKS / "recipes" / "pythae64.toml")
    expected = _pythae_parameters()
    assert count_parameters(build_vae(recipe)) == expected
    assert flops_per_picture(recipe) == pytest.approx(16.9e9, rel=0.02)


def _pythae_parameters() -> int:
    """Weights and biases of its layers, and two numbers a channel for each norm, by hand."""
    down, up = (3, 128, 256, 512, 1024), (1024, 512, 256, 128)
    encoder = sum(a * b * 16 + b + 2 * b for a, b in pairwise(down)) + 2 * 64 * (1024 * 16 + 1)
    decoder = sum(a * b * 25 + b + 2 * b for a, b in pairwise(up)) + 128 * 3 * 25 + 3
    return encoder + decoder + 65 * 1024 * 64


def test_curves_are_compared_in_the_same_unit():
    from sections import _squared

    recipe = load_recipe("celeba150")
    sigma, values = recipe.model.likelihood.sigma, 3 * 150**2
    squared = np.array([0.05, 0.02])
    nats = values * (squared / (2 * sigma**2) + np.log(sigma) + 0.5 * np.log(2 * np.pi))
    figures = {"train": [{"distortion": d} for d in nats]}
    np.testing.assert_allclose(_squared(figures, "celeba150"), squared, rtol=1e-9)
