"""What a photo does not show is neither encoded nor measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import facette
from facette.data.selection import Selection
from facette.evaluation import evaluate
from facette.evaluation.doctor import examine
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.recipe import load_recipe
from facette.scale import Evaluate, run_job

SIDE, HIDDEN, COUNT = 32, 9, 24  # columns that half of the pictures do not show
SMALL = [
    "input.size=32", "model.side=32", "model.latent=6", "model.encoder.widths=[16,16]", "model.encoder.blocks=[1,1]",
    "model.decoder.widths=[16,16]", "model.decoder.blocks=[1,1]", "train.mixture_components=[]", "sharpen=none",
    "model.likelihood.kind=gaussian", "model.likelihood.sigma=0.1",
]  # fmt: skip


@dataclass(frozen=True)
class Masked:
    """Two folders of the same photos, beside whose edges different things stand."""

    model: TrainedModel
    tidy: Path
    wild: Path


@pytest.fixture(scope="module")
def masked(tmp_path_factory) -> Masked:
    root, draws = tmp_path_factory.mktemp("masked"), np.random.default_rng(5)
    for number in range(COUNT):
        coarse = Image.fromarray(draws.integers(0, 256, (5, 5, 3), np.uint8))
        pixels = np.dstack([np.asarray(coarse.resize((SIDE, SIDE))), np.full((SIDE, SIDE), 255, np.uint8)])
        pixels[:, : HIDDEN * (number % 2), 3] = 0
        for name in ("tidy", "wild"):
            (root / name).mkdir(exist_ok=True)
            if name == "wild":
                pixels[pixels[..., 3] == 0, :3] = draws.integers(0, 256, 3)
            Image.fromarray(pixels).save(root / name / f"{number:03d}.png")
    torch.manual_seed(1)
    recipe = load_recipe("faces128", SMALL)
    return Masked(TrainedModel(build_vae(recipe), recipe), root / "tidy", root / "wild")


def selection(pixels: np.ndarray) -> Selection:
    """Pictures with their masks behind them (N, H, W, 4), to measure on."""
    return Selection(
        lambda rows: pixels[rows][..., :3],
        np.arange(len(pixels)),
        "photos",
        "all",
        read_masked=pixels.__getitem__,
    )


def test_what_stands_there_changes_nothing(masked):
    pixels = facette.open_dataset(masked.tidy, masked.model.input).read_masked(np.arange(COUNT))
    coloured = pixels.copy()
    coloured[pixels[..., 3] == 0, :3] = (9, 99, 200)
    tidy, wild = (
        evaluate(masked.model, selection(each), importance_samples=3) for each in (pixels, coloured)
    )
    np.testing.assert_array_equal(wild.shown.reconstructions, tidy.shown.reconstructions)
    for name in ("distortion", "rate", "elbo", "importance_weighted", "bits_per_dimension"):
        assert getattr(wild.bound, name).value == pytest.approx(getattr(tidy.bound, name).value, rel=1e-6)
    for name in ("mse", "unexplained_variance", "psnr"):
        left, right = (getattr(some.reconstruction, name).value for some in (tidy, wild))
        assert left == pytest.approx(right, rel=1e-9), name


def test_errors_are_those_of_what_is_shown(masked):
    model = masked.model
    store = facette.open_dataset(masked.wild, model.input)
    pixels = store.read_masked(np.arange(COUNT))
    photos, seen = pixels[..., :3] / 255, pixels[..., 3:] == 255
    drawn = model.plain().decode(model.encode(pixels).mean) / 255
    squared = np.where(seen, np.square(photos - drawn), 0).sum(axis=(1, 2, 3))
    found = evaluate(model, masked.wild, split="all").reconstruction
    assert found.mse.value == pytest.approx((squared / (3 * seen.sum(axis=(1, 2, 3)))).mean(), rel=1e-6)
    middle = np.where(seen, photos, 0).sum(axis=0) / seen.sum(axis=0)
    around = np.where(seen, np.square(photos - middle), 0).sum()
    assert found.unexplained_variance.value == pytest.approx(squared.sum() / around, rel=1e-6)


def test_the_doctor_holds_nothing_against_what_is_not_shown(masked):
    pixels = facette.open_dataset(masked.tidy, masked.model.input).read_masked(np.arange(COUNT))
    pixels = np.concatenate([pixels, pixels[:, ::-1]])  # as many as the doctor asks for
    coloured, blind = pixels.copy(), pixels.copy()
    coloured[pixels[..., 3] == 0, :3] = (9, 99, 200)
    blind[..., 3] = 255
    tidy, wild, told = (examine(masked.model, each).findings for each in (pixels, coloured, blind))
    assert [finding.kind for finding in tidy] == [finding.kind for finding in wild]
    assert {"nothing learnt", "KL weight"} <= {finding.kind for finding in tidy}
    for left, right in zip(tidy, wild, strict=True):
        assert left.measured == pytest.approx(right.measured, rel=1e-6), left.kind
    assert [finding.measured for finding in tidy] != [finding.measured for finding in told]


def test_a_collection_is_measured_alike(masked, tmp_path):
    model = facette.checkpoint.native.save_model(masked.model, tmp_path / "model")
    whole = evaluate(masked.model, masked.wild, split="all", seed=3)
    figures = run_job(
        model, masked.wild, Evaluate(seed=3), tmp_path / "out", shard=64, device="cpu"
    ).collected.figures
    for name in ("mse", "unexplained_variance", "psnr"):
        assert figures[f"plain.{name}"].value == pytest.approx(
            getattr(whole.reconstruction, name).value, rel=1e-7
        )
    for name in ("distortion", "bits_per_dimension"):
        assert figures[name].value == pytest.approx(getattr(whole.bound, name).value, rel=1e-7)
