"""`facette vary` on photos of people: every face, a closer likeness, back into the photo."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.recipe import load_recipe


@pytest.fixture(scope="module")
def face_model(quick_model, tmp_path_factory) -> Path:
    """The small model with a frame and with what typicality compares with, as a model file."""
    import facette
    from facette.latent.typicality import measure_typicality
    from facette.model.trained import TrainedModel

    seen = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input).read(np.arange(60))
    framed = quick_model.recipe.input.model_copy(update={"frame": load_recipe("faces64").input.frame})
    recipe = quick_model.recipe.model_copy(update={"input": framed})
    model = TrainedModel(quick_model.vae, recipe, extras=measure_typicality(quick_model, seen))
    return facette.save(model, tmp_path_factory.mktemp("model") / "framed")


@pytest.fixture(scope="module")
def couple(tmp_path_factory) -> Path:
    skimage = pytest.importorskip("skimage")
    import matplotlib

    with Image.open(Path(skimage.__path__[0]) / "data" / "astronaut.png") as astronaut:
        left = astronaut.convert("RGB").crop((60, 0, 380, 300))
    with Image.open(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg") as hopper:
        right = hopper.resize((180, 211))
    both = Image.new("RGB", (580, 300), (70, 90, 110))
    both.paste(left, (260, 0))
    both.paste(right, (20, 40))
    path = tmp_path_factory.mktemp("couple") / "couple.png"
    both.save(path)
    return path


def test_every_face_gets_its_sheet(run, face_model, couple, tmp_path):
    ended = run("vary", couple, "--model", face_model, "-n", 2, "--all-faces", "--json")
    assert ended.code == 0
    faces = ended.json["faces"]
    assert [one["sheet"] for one in faces] == ["couple-variations.png", "couple-variations-face2.png"]
    assert [one["photo"]["face"] for one in faces] == [1, 2]
    assert all((tmp_path / one["sheet"]).exists() for one in faces)


def test_a_variation_goes_back_where_its_face_was(run, face_model, couple, tmp_path):
    said = run("vary", couple, "--model", face_model, "-n", 2, "--paste", "--face", 2, "--json").json
    assert len(said["pasted"]) == 2
    before = np.asarray(Image.open(couple).convert("RGB"))
    with Image.open(tmp_path / said["pasted"][0]) as pasted:
        after = np.asarray(pasted)
    rows, columns = np.nonzero((before != after).any(axis=-1))
    corners = np.array(said["photo"]["corners"])
    assert after.shape == before.shape
    assert len(rows) > 2000
    assert columns.max() <= corners[:, 0].max() + 1
    assert rows.min() >= corners[:, 1].min() - 1
    assert columns.max() < 260  # the other person is left alone


def test_pasting_says_which_files_it_wrote(run, face_model, couple, tmp_path):
    before = set(tmp_path.iterdir())
    ended = run("vary", couple, "--model", face_model, "-n", 2, "--paste")
    files = [f"couple-variations-photo-{number:02d}.png" for number in (1, 2)]
    assert ended.out.split() == ["couple-variations.png"]
    assert f"into the photo: {', '.join(files)}" in ended.err.splitlines()
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {"couple-variations.png", *files}


def test_a_closer_likeness_says_what_it_gained(run, face_model, couple):
    ended = run("vary", couple, "--model", face_model, "-n", 1, "--refine", 20, "--json")
    assert ended.json["elbo_after"] > ended.json["elbo_before"]
    assert ended.json["refine"] == 20
    assert "ELBO" in ended.err


def test_the_report_says_how_typical_the_face_is(run, face_model, couple):
    ended = run("vary", couple, "--model", face_model, "-n", 1, "--json")
    typicality = ended.json["photo"]["typicality"]
    assert 0 <= typicality["norm_percentile"] <= 100
    # A model that has only seen drawn faces has seen nothing like a photo, and says so.
    assert "has not seen anything like this" in typicality["warning"]
    assert typicality["warning"] in ended.err


def test_contradicting_options_are_refused(run, face_model, couple):
    ended = run("vary", couple, "--model", face_model, "--all-faces", "--no-align")
    assert ended.code == 2
    assert "--all-faces" in ended.err


def test_what_was_done_to_the_photo_stands_on_every_sheet(quick_model, couple):
    from dataclasses import replace

    import facette

    pictures = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input).read(np.array([3, 9]))
    results = [
        facette.vary(quick_model, pictures[0], count=2),
        facette.sweep(quick_model, pictures[0], [0.0, 1.0], count=2),
        facette.reconstruct(quick_model, pictures),
        facette.interpolate(quick_model, *pictures, steps=3),
    ]
    for result in results:
        plain, told = (replace(result, remark=text).sheet().image for text in ("", "turned by 3°"))
        assert told.tobytes() != plain.tobytes(), type(result).__name__


def test_everybody_changes_in_one_file_and_everything_else_stays(run, face_model, couple, tmp_path):
    said = run("vary", couple, "--model", face_model, "-n", 1, "--paste", "--all-faces", "--json").json
    assert said["pasted"] == ["couple-variations-photo-01.png"]
    before = np.asarray(Image.open(couple).convert("RGB"))
    after = np.asarray(Image.open(tmp_path / said["pasted"][0]))
    changed = (before != after).any(axis=-1)
    boxes = np.zeros_like(changed)
    for face in said["faces"]:
        corners = np.array(face["photo"]["corners"])
        left, top = np.clip(corners.min(0), 0, None).astype(int)
        right, bottom = np.ceil(corners.max(0)).astype(int) + 1
        assert changed[top:bottom, left:right].mean() > 0.2
        boxes[top:bottom, left:right] = True
    assert not changed[~boxes].any()
