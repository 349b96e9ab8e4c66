"""The benchmark of a card, on a CPU at tiny size: its parts run, its page is written, and without a card it says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def tiny():
    from gpu_checks import Extent

    return Extent(CPU, pictures=24, batch=4, steps=3, backend="eager")


def plan(**more):
    from gpu import Plan
    from gpu_rates import RateExtent

    short = [
        f"train.{key}=2" for key in ("steps", "log_every", "validate_every", "preview_every", "save_every")
    ]
    few = ["train.batch=4", "train.validate_count=4", "train.preview_count=2", "train.mixture_components=[1]"]
    small = ["input.size=32", "model.side=16", "model.latent=8", "sharpen.epochs=none", "sharpen.steps=2"]
    second = [
        "sharpen.batch=4",
        "sharpen.log_every=1",
        "sharpen.validate_every=2",
        "sharpen.validate_count=4",
    ]
    return Plan(
        checks=tiny(),
        rates=RateExtent(CPU, {32: 4}, seconds=0.0, shapes=((8, 8, 2),), matrix=32, compiled=False),
        overrides=tuple(short + few + small + second),
        drawn=24,
        least=0.0,
        **more,
    )


def test_without_a_card_one_sentence_says_so():
    if torch.cuda.is_available():
        pytest.skip("here is a card")
    ran = subprocess.run([sys.executable, BENCHMARKS / "gpu.py"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "benchmarks/gpu.py measures an NVIDIA card, and torch sees none here.\n"


def test_ways_to_compute_are_compared_by_their_losses():
    from gpu_checks import same_losses

    losses = same_losses(tiny())
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["bf16_compiled"] == pytest.approx(losses["bf16"], rel=0.05)
    assert losses["other_seed"] != losses["float32"]


@pytest.mark.parametrize("name", ["sharded", "sparing"])
def test_what_holds_on_a_cpu_too_is_seen_to_hold(name, recwarn):
    import gpu_checks

    figures = getattr(gpu_checks, name)(tiny())
    assert figures["holds"] is True, figures
    assert figures["loss_apart"] < 1e-3


def test_what_only_a_card_has_is_not_claimed_elsewhere(recwarn):
    from gpu_checks import graphs, nothing_waits, synchronised_norms

    assert graphs(tiny())["holds"] is None
    assert synchronised_norms(tiny()) == {"holds": None, "norms": 2}
    waits = nothing_waits(tiny())
    assert waits["holds"] is None
    assert waits["events"]["aten::_local_scalar_dense"] > 0  # on a CPU looking costs nothing, and is done


def test_a_check_that_fails_leaves_the_others(monkeypatch):
    import gpu_checks

    def broken(_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(gpu_checks, "CHECKS", {"broken": broken, "whole": lambda _: {"holds": True}})
    results = gpu_checks.checked(tiny(), lambda: 1.0)
    assert results["broken"] == {"holds": False, "why": "RuntimeError: out of memory"}
    assert results["whole"]["holds"]
    assert gpu_checks.checked(tiny(), lambda: 0.0)["whole"]["holds"] is None


@pytest.mark.slow
def test_a_tiny_pipeline_draws():
    from gpu_checks import half_pipeline

    pytest.importorskip("diffusers")
    figures = half_pipeline(tiny())
    assert figures == {"holds": True, "precision": "float32"}


def test_everything_is_written_as_one_page(tmp_path, monkeypatch, recwarn):
    import gpu_checks
    from gpu import measured, write

    monkeypatch.setattr(gpu_checks, "CHECKS", {"recomputed": gpu_checks.sparing, "graphs": gpu_checks.graphs})
    written = write(tmp_path, measured(plan()))
    figures = json.loads((tmp_path / "gpu.json").read_text("utf-8"))
    rate = figures["rates"]["32 px, plain"]
    assert rate["tflops"] == pytest.approx(
        rate["images_per_second"] * rate["gflop_per_picture"] / 1e3, rel=0.1, abs=2e-3
    )
    assert figures["peaks"]["float32"]["matrix_tflops"] > 0
    assert figures["training"]["first"]["steps"] == 2
    assert figures["training"]["second"]["image_passes"] == 8
    assert figures["training"]["first"]["unexplained_variance"] > 0
    assert figures["training"]["second"]["sharpness_of_samples"] > 0
    page = written.read_text("utf-8")
    assert "| recomputed | yes |" in page
    assert "| graphs | not measured |" in page
    assert "| 32 px, plain | 4 |" in page


def test_without_time_nothing_is_measured_and_the_page_says_it(tmp_path):
    from gpu import measured, page

    figures = measured(plan(total=0.0))
    assert all(rate["why"] == "there was no time left" for rate in figures["rates"].values())
    assert "there was no time left" in page(figures)
