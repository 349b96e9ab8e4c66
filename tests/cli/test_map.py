"""`facette map`: a picture, a saved projection, and what neighbourhoods survived."""

import sys
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from facette.latent.project import Projection


@pytest.mark.parametrize("more", [[], ["--color", "Smiling"], ["--thumbnails", "--color", "Eyeglasses"]])
def test_a_map_is_drawn_and_kept(run, quick_run, tmp_path, more):
    ended = run("map", quick_run, "synthetic-faces:256", "--count", "80", "--method", "pca", "--json", *more)
    assert ended.code == 0, ended.err
    assert ended.json["files"] == ["map.png", "map.html"]
    assert "default-src 'none'" in unescape((tmp_path / "map.html").read_text("utf-8"))
    with Image.open(tmp_path / "map.png") as image:
        assert min(image.size) > 500
    kept = Projection.load(tmp_path / "map.npz")
    assert kept.points.shape == (80, 2)
    assert len(set(kept.names)) == 80
    assert 0.5 < ended.json["trustworthiness"] <= 1
    assert ("purity_on_the_map" in ended.json) == ("--color" in more)
    assert "Trustworthiness" in ended.err
    assert ("by chance" in ended.err) == ("--color" in more)


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


def test_photos_are_placed_on_the_map_and_on_the_saved_one(run, quick_run, photo_files, tmp_path):
    of = ("map", quick_run, "synthetic-faces:256", "--method", "pca", "--json")
    more = [word for path in photo_files for word in ("--place", path)]
    first = run(*of, "-n", "90", "--out", "a.svg", *more)
    assert first.code == 0, first.err
    assert set(first.json["placed"]) == {path.name for path in photo_files}
    assert first.json["projection"] == "a.npz"
    again = run(*of, "-n", "30", "--out", "b.svg", "--onto", "a.npz", *more)
    assert again.code == 0, again.err
    assert again.json["placed"] == first.json["placed"]  # other data of the set do not move the map
    assert again.json["projection"] == "a.npz"
    assert not (tmp_path / "b.npz").exists()
    for path in photo_files:
        assert path.name in (tmp_path / "a.svg").read_text("utf-8")


def test_a_map_of_another_model_is_refused(run, quick_run, tmp_path):
    assert (
        run("map", quick_run, "synthetic-faces:256", "-n", "20", "--method", "pca", "-o", "a.png").code == 0
    )
    kept = Projection.load(tmp_path / "a.npz")
    replace(kept, encoder="0" * 16).save(tmp_path / "other.npz")
    replace(kept, model="else").save(tmp_path / "else.npz")
    for name, said in (("other", "another version"), ("else", "'else'")):
        ended = run("map", quick_run, "synthetic-faces:256", "-o", "b.png", "--onto", f"{name}.npz")
        assert ended.code == 2
        assert said in ended.err


def test_without_bokeh_the_figure_is_still_drawn(run, quick_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh", None)
    of = ("map", quick_run, "synthetic-faces:256", "-n", "20", "--method", "pca")
    ended = run(*of)
    assert ended.code == 2
    assert 'pip install "facette[map]"' in ended.err
    assert "encoding" not in ended.err  # said before the work
    assert run(*of, "--out", "map.png").code == 0


def test_an_unknown_attribute_names_those_there_are(run, quick_run):
    ended = run("map", quick_run, "synthetic-faces:256", "--color", "Wings")
    assert ended.code == 2
    assert "Smiling" in ended.err
