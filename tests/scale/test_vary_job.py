"""Relatives of a whole collection: each the one that `vary` makes of that photo by that seed."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from facette.cli.model import open_model
from facette.errors import UsageError
from facette.latent import vary
from facette.latent.levels import choose_setting
from facette.scale import Vary, run_job
from facette.scale.shards import ShardWorker
from facette.scale.tables import read_table

SHARD = 64


def job(quick_run, collection, out, **settings):
    return run_job(quick_run, collection, Vary(count=3, **settings), out, shard=SHARD, device="cpu")


@pytest.fixture(scope="module")
def varied(collection, quick_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("varied") / "relatives"
    ended = job(quick_run, collection, out, format="png", seed=4, diversity=2.5)
    assert (ended.rows, ended.shards_done) == (149, 3)
    return out


def table_of(out) -> dict[str, np.ndarray]:
    parts = [read_table(path) for path in sorted(out.glob("latents-*"))]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_a_variation_is_what_vary_makes_of_that_photo_by_that_seed(varied, store, quick_model):
    table = table_of(varied)
    for place in (0, 1, 2, 200, 446):
        photo = store.read(np.array([store.names.index(table["name"][place])]))[0]
        one = vary(quick_model, photo, count=1, diversity=2.5, seed=int(table["seed"][place]))
        np.testing.assert_allclose(table["latent"][place], one.latents[0], atol=1e-4)
        found = next(varied.glob(f"pictures-*/{table['file'][place]}"))
        with Image.open(found) as image:
            assert np.abs(np.asarray(image).astype(int) - one.pictures[0]).max() <= 1


def test_the_model_draws_by_itself_where_it_is_asked_to(
    varied, store, collection, quick_run, quick_model, tmp_path
):
    few = tmp_path / "few" / "3"
    few.mkdir(parents=True)
    (few / "125.png").hardlink_to(collection / "3" / "125.png")
    out = tmp_path / "out"
    job(quick_run, few.parent, out, format="png", seed=4, diversity=2.5, details="model")
    table = table_of(out)
    photo = store.read(np.array([store.names.index("3/125.png")]))[0]
    relatives = vary(quick_model, photo, 1, 2.5, seed=int(table["seed"][1]), details="model")
    with Image.open(next(out.glob(f"pictures-*/{table['file'][1]}"))) as image:
        assert np.abs(np.asarray(image).astype(int) - relatives.pictures[0]).max() <= 1


def test_a_level_comes_to_what_it_means_for_the_model():
    light = open_model("faces128", "auto", light=True)
    auto, share = Vary().for_model(light), Vary(diversity=0.7, noise="people").for_model(light)
    setting = choose_setting(light, "auto")
    assert (auto.noise, auto.diversity) == ("people", setting.strength)
    assert (share.noise, share.diversity) == ("people", 0.7)
    assert auto.for_model(light) == auto  # a job that goes on
    with pytest.raises(UsageError, match="one of subtle, medium, auto, bold"):
        Vary(diversity="wild").for_model(light)


def test_every_picture_has_its_own_variations_each_once(varied):
    table = table_of(varied)
    assert len(set(table["seed"])) == len(table["seed"]) == 149 * 3
    assert sorted(zip(table["row"].tolist(), table["variation"].tolist(), strict=True)) == [
        (row, place) for row in range(150) if row != 70 for place in (1, 2, 3)
    ]
    files = [path.name for path in varied.glob("pictures-*/*")]
    assert sorted(files) == sorted(table["file"])


def test_a_picture_keeps_its_variations_when_others_come(varied, collection, quick_run, tmp_path):
    few = tmp_path / "few" / "3"
    few.mkdir(parents=True)
    (few / "125.png").hardlink_to(collection / "3" / "125.png")
    job(quick_run, few.parent, tmp_path / "out", format="png", seed=4, diversity=2.5)
    alone, among = table_of(tmp_path / "out"), table_of(varied)
    there = among["name"] == "3/125.png"
    assert alone["seed"].tolist() == among["seed"][there].tolist()
    np.testing.assert_allclose(alone["latent"], among["latent"][there], atol=1e-5)
    other = tmp_path / "other"
    job(quick_run, few.parent, other, format="png", seed=5, diversity=2.5)
    assert not set(table_of(other)["seed"]) & set(alone["seed"])


def test_archives_hold_the_same_files_and_the_same_bytes_twice(varied, collection, quick_run, tmp_path):
    out = tmp_path / "zipped"
    job(quick_run, collection, out, format="png", seed=4, diversity=2.5, zipped=True)
    for archive in sorted(out.glob("pictures-*.zip")):
        with zipfile.ZipFile(archive) as file:
            assert {name: file.read(name) for name in file.namelist()} == {
                path.name: path.read_bytes() for path in (varied / archive.stem).iterdir()
            }
    before = (out / "pictures-000001.zip").read_bytes()
    ShardWorker(out).make(1)
    assert (out / "pictures-000001.zip").read_bytes() == before


def test_a_shard_begun_twice_leaves_one_folder(varied):
    before = {path: path.read_bytes() for path in varied.rglob("*") if path.is_file()}
    (varied / "pictures-000001" / "of-a-killed-worker.png").write_bytes(b"half")
    ShardWorker(varied).make(1)
    assert {path: path.read_bytes() for path in varied.rglob("*") if path.is_file()} == before


def test_jpegs_are_pictures_of_the_models_size(run, quick_run, collection, tmp_path):
    ended = run("vary-all", quick_run, collection, "--out", "r", "-n", 1, "--shard", 128, "--zip", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["rows"] == 149
    with zipfile.ZipFile(tmp_path / "r" / "pictures-000000.zip") as file:
        picture = io.BytesIO(file.read(file.namelist()[5]))
    with Image.open(picture) as image:
        assert (image.format, image.size) == ("JPEG", (32, 32))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"diversity": -1.0}, {"diversity": float("inf")}])
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(UsageError, match="at least"):
        Vary(**wrong)


def test_one_table_cannot_hold_pictures(collection, quick_run, tmp_path):
    with pytest.raises(UsageError, match="name a folder"):
        job(quick_run, collection, tmp_path / "all.parquet")
