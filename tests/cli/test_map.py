"""`facette map`: a picture, a saved projection, and what neighbourhoods survived."""

import numpy as np
import pytest
from PIL import Image

from facette.latent.project import Projection


@pytest.mark.parametrize("more", [[], ["--color", "Smiling"], ["--thumbnails", "--color", "Eyeglasses"]])
def test_a_map_is_drawn_and_kept(run, quick_run, tmp_path, more):
    ended = run("map", quick_run, "synthetic-faces:256", "--count", "80", "--method", "pca", "--json", *more)
    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "map.png") as image:
        assert min(image.size) > 500
    kept = Projection.load(tmp_path / "map.npz")
    assert kept.points.shape == (80, 2)
    assert len(set(kept.names)) == 80
    assert 0.5 < ended.json["trustworthiness"] <= 1
    assert ("purity_on_the_map" in ended.json) == ("--color" in more)


def test_the_same_seed_is_the_same_map(run, quick_run, tmp_path):
    for name in ("a.png", "b.png"):
        assert run("map", quick_run, "synthetic-faces:256", "-n", "60", "--out", name).code == 0
    a, b = (Projection.load(tmp_path / f"{n}.npz") for n in "ab")
    assert np.array_equal(a.points, b.points)
    assert a.names == b.names


def test_a_map_that_cannot_be_written_is_refused_before_the_work(run, quick_run):
    ended = run("map", quick_run, "synthetic-faces:256", "--out", "map.txt")
    assert ended.code == 2
    assert "map.txt" in ended.err
    assert "projecting" not in ended.err


def test_an_unknown_attribute_names_those_there_are(run, quick_run):
    ended = run("map", quick_run, "synthetic-faces:256", "--color", "Wings")
    assert ended.code == 2
    assert "Smiling" in ended.err
