"""`facette import`: the model folder it writes, what it says, and that every command takes the model."""

import foreign_networks as nets
import numpy as np
import pytest
import torch
from PIL import Image

import facette


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Foreign checkpoints: the classic network pickled whole, and the compact one as a state dict."""
    folder = tmp_path_factory.mktemp("foreign")
    with nets.living_in("vae", nets.ClassicVAE):
        torch.save(nets.make("classic"), folder / "classic.pth")
    torch.save({"model": nets.make("compact").state_dict()}, folder / "compact.pt")
    return folder


@pytest.fixture(scope="module")
def imported(files, tmp_path_factory):
    """The same as model folders."""
    folder = tmp_path_factory.mktemp("imported")
    facette.import_checkpoint(files / "classic.pth", folder / "classic", image_size=150)
    facette.import_checkpoint(files / "compact.pt", folder / "compact")
    return folder


def test_it_writes_a_model_that_loads_and_says_what_it_did(run, files, tmp_path):
    ended = run("import", files / "compact.pt", "--out", "mine")
    assert ended.code == 0
    assert ended.out.startswith("mine: celeba64-z50, 64×64, symmetric range, latent 50\n")
    assert "none of its code was run" in ended.out
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert facette.load(tmp_path / "mine").latent == 50


def test_json_holds_recipe_and_provenance(run, files):
    told = run("import", files / "classic.pth", "--out", "mine", "--image-size", 140, "--json").json
    assert told["recipe"]["input"]["size"] == 140
    assert told["provenance"]["pickled_class"] == "vae.ClassicVAE"


def test_info_tells_what_was_kept_and_what_was_fixed(run, imported):
    said = run("info", imported / "classic").out
    assert "resizes that to 150×150" in said
    assert "kept as it is" in said
    assert "BatchNorm uses the statistics stored in the file" in said
    assert "fixed here" in said


def test_what_is_ambiguous_is_one_sentence_and_code_2(run, files, tmp_path):
    ended = run("import", files / "classic.pth", "--out", "mine")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("facette: 'classic.pth'")
    assert ended.err.count("\n") == 1
    assert "--image-size" in ended.err
    assert not (tmp_path / "mine").exists()


def test_nothing_is_written_over_unless_told(run, files, imported, tmp_path):
    assert run("import", files / "compact.pt", "--out", "mine").code == 0
    before = (tmp_path / "mine" / "model.safetensors").read_bytes()
    ended = run("import", files / "classic.pth", "--image-size", 150, "--out", "mine")
    assert ended.code == 2
    assert "--force" in ended.err
    assert (tmp_path / "mine" / "model.safetensors").read_bytes() == before
    assert run("import", files / "classic.pth", "--image-size", 150, "--out", "mine", "--force").code == 0
    assert facette.load(tmp_path / "mine").recipe.input.size == 150
    (tmp_path / "file").write_text("x")
    assert "is a file" in run("import", files / "compact.pt", "--out", "file").err


def test_a_model_of_ours_is_not_imported_again(run, imported):
    ended = run("import", imported / "compact" / "model.safetensors", "--out", "mine")
    assert ended.code == 2
    assert "is a model of Facette already" in ended.err


@pytest.mark.parametrize("name", ["classic", "compact"])
def test_every_command_takes_an_imported_model(run, imported, photo_files, name, tmp_path):
    """Like a native one: the files are there, and the Python call makes the same pictures."""
    path, (anna, bert) = imported / name, photo_files
    model = facette.load(path)
    size = model.recipe.input.size
    for command in (
        ("reconstruct", anna, bert, "--each", "re", "--out", "re.png"),
        ("vary", anna, "-n", 3, "-d", 0, "--details", "model", "--each", "va", "--out", "va.png"),
        ("sweep", anna, "--rows", 2, "-n", 2, "--out", "sw.png"),
        ("interpolate", anna, bert, "--steps", 3, "--out", "in.png"),
        ("sample", "-n", 3, "--each", "sa", "--out", "sa.png"),
    ):
        ended = run(*command, "--model", path, *(["--no-align"] if command[0] != "sample" else []))
        assert ended.code == 0, f"{command[0]}: {ended.err}"
        with Image.open(tmp_path / ended.out.strip().splitlines()[-1]) as sheet:
            assert min(sheet.size) >= size
    reconstructions = [np.asarray(Image.open(p)) for p in sorted((tmp_path / "re").iterdir())]
    assert reconstructions[0].shape == (size, size, 3)
    for variation in sorted((tmp_path / "va").iterdir()):  # diversity 0 is the reconstruction
        assert (np.asarray(Image.open(variation)) == reconstructions[0]).all()
    drawn = model.decode(model.sample_latents(3, seed=0))
    assert (np.asarray(Image.open(sorted((tmp_path / "sa").iterdir())[0])) == drawn[0]).all()


def test_an_imported_model_is_evaluated(run, imported):
    told = run("evaluate", imported / "compact", "synthetic-faces:16", "-n", 8, "--json")
    assert told.code == 0, told.err
    assert "unexplained" in told.out


def test_an_imported_model_is_mapped(run, imported, tmp_path):
    ended = run("map", imported / "compact", "synthetic-faces:16", "-n", 16, "--method", "pca")
    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "map.png") as image:
        assert min(image.size) > 500


def test_help_tells_every_option(run):
    said = run("import", "--help").out
    for option in (
        "--out",
        "--recipe",
        "--range",
        "--image-size",
        "--output",
        "--weights",
        "--drop",
        "--json",
    ):
        assert option in said
