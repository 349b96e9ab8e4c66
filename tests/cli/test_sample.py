"""`facette sample`: pictures, and points of a model of vectors."""

import numpy as np
import pytest
import torch
from PIL import Image

from facette.checkpoint.native import save_model
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.recipe import load_recipe


@pytest.mark.parametrize("prior", ["fitted", "normal"])
def test_it_draws_from_the_asked_prior(run, quick_run, tmp_path, prior):
    said = run("sample", "--prior", prior, "-n", 3, "--temperature", 0.8, "--json", "--model", quick_run).json
    assert (said["prior"], said["count"], said["temperature"]) == (prior, 3, 0.8)
    with Image.open(tmp_path / "samples.png") as sheet:
        assert sheet.width > 200


def test_the_seed_decides_the_file(run, quick_run, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("sample", "-n", 4, "--seed", seed, "--out", f"{name}.png", "--model", quick_run)
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_points_are_written_as_csv(run, tmp_path):
    recipe = load_recipe("mixture3d")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_model(TrainedModel(build_vae(recipe), recipe), tmp_path / "points")
    ended = run("sample", "-n", 6, "--model", tmp_path / "points")
    assert ended.out == "samples.csv\n"
    assert np.loadtxt("samples.csv", delimiter=",", skiprows=1).shape == (6, 3)
