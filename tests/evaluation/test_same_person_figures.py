"""Whether drawings stay the same person: measured where the judge is installed and somebody says who it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

import facette
from facette.data.people import find_people, read_people
from facette.data.selection import choose_data
from facette.errors import MissingExtraError
from facette.evaluation import evaluate
from facette.evaluation.identity import (
    ANOTHER_PHOTO,
    AT_MODEL_SIZE,
    FEWEST_OF_GROUP,
    _drawings,
    _groups,
    _rows,
    _varied,
    speaks_for,
)
from facette.judges import identity as judge
from facette.latent.levels import Setting
from facette.measures.identity import accept_threshold

installed = pytest.mark.skipif(not judge.available(), reason="the extra `identity` is not installed")
PEOPLE, PHOTOS = 42, 2


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """Two photos of each of some people, with lists of who they are and of ages, in a folder of links."""
    valid = shared / "celeba" / "faces128" / "valid"
    names = sorted(path.name for path in valid.iterdir())
    listed = find_people(valid)
    assert listed is not None
    people = read_people(listed, names)
    root = tmp_path_factory.mktemp("people")
    (root / "faces").mkdir()
    several = [person for person in np.unique(people) if (people == person).sum() >= PHOTOS][:PEOPLE]
    rows = [(names[i], person) for person in several for i in np.flatnonzero(people == person)[:PHOTOS]]
    for name, _ in rows:
        (root / "faces" / name).symlink_to(valid / name)
    lines = "".join(f"{name},{person}\n" for name, person in rows)
    (root / "faces_people.csv").write_text(f"image_id,person\n{lines}")
    ages = "".join(f"{name},{20 + 5 * (i % 2)}\n" for i, (name, _) in enumerate(rows))
    (root / "faces_labels.csv").write_text(f"image_id,age\n{ages}")
    return root / "faces"


@pytest.mark.slow
@installed
def test_floors_and_drawings_stand_in_their_order(folder):
    model = facette.load("faces128").to("cpu")
    figures = evaluate(model, folder, training_most=0).identity
    rows = {row.of: row for row in figures.rows}
    kept, own = "variations, the photo's details", "variations, the model's own drawing"
    assert list(rows) == [
        ANOTHER_PHOTO,
        AT_MODEL_SIZE,
        "reconstructions",
        "reconstructions, plain",
        kept,
        own,
    ]
    assert rows[kept].same_person.value > 0.9 > rows[own].same_person.value
    assert rows[kept].identity_distance.value < rows[own].identity_distance.value
    assert figures.people_known
    assert 0.5 < figures.threshold < 0.75
    assert rows[AT_MODEL_SIZE].same_person.value > 0.97
    assert rows[ANOTHER_PHOTO].same_person.value > 0.85
    assert rows[AT_MODEL_SIZE].identity_distance.value < 0.25 < rows[ANOTHER_PHOTO].identity_distance.value
    assert rows["reconstructions"].same_person.value < rows[AT_MODEL_SIZE].same_person.value
    (group,) = figures.groups
    assert (group.name, group.pictures) == ("age 13 to 29", PEOPLE * PHOTOS)
    assert group.pictures >= FEWEST_OF_GROUP
    assert group.threshold == figures.threshold, "the group is everybody here"
    assert group.rows == figures.rows


def test_a_group_is_judged_by_its_own_strangers():
    """Descriptors of a group whose people are more alike: everybody's threshold lets too much of it pass."""
    draws = np.random.default_rng(0)
    people = np.arange(240)
    photos = draws.normal(size=(240, 16))
    young = people < FEWEST_OF_GROUP
    photos[young] *= 0.2
    drawn = photos + 0.2 * draws.normal(size=photos.shape)
    threshold = accept_threshold(photos, people)
    (group,) = _groups(photos, {"drawn": drawn}, people, {"young": young, "few": people > 200}, 0)
    (everybody,) = _rows(photos, {"drawn": drawn}, people, young, threshold, 0)
    assert (group.name, group.pictures) == ("young", FEWEST_OF_GROUP)
    assert group.threshold < threshold
    assert group.rows[0].same_person.value < everybody.same_person.value
    assert group.rows[0].identity_distance == everybody.identity_distance


def test_no_change_keeps_the_photo_and_a_change_is_drawn_from_its_own_seed(folder):
    """What the variations' rows are about: at strength 0 the sum is the photo, and photos do not share a draw."""
    model = facette.load("faces128").to("cpu")
    chosen = choose_data(model, folder, count=4)
    posterior = model.encode(chosen.read(chosen.indices))
    drawings = dict(_drawings(model, chosen, posterior, Setting("posterior", 0.0), 0))
    photos = chosen.at_side(model.input, judge.SIDE).read(chosen.indices)
    assert (drawings["variations, the photo's details"](0) == photos).all()
    assert (drawings["variations, the model's own drawing"](0) == drawings["reconstructions"](0)).all()
    steps = _varied(model, posterior, Setting("posterior", 1.0), 0) - posterior.mean.numpy()
    scaled = steps / posterior.scale.numpy()
    assert np.abs(np.corrcoef(scaled)[np.triu_indices(4, 1)]).max() < 0.4
    assert scaled.std() == pytest.approx(1, abs=0.1)


def test_nobody_is_asked_where_nobody_says_who_it_is_or_the_frame_is_not_known(folder, quick_model):
    model = facette.load("faces128").to("cpu")
    assert not speaks_for(model, choose_data(model, folder, count=5, people="none"))
    assert not speaks_for(model, choose_data(model, np.zeros((4, 64, 64, 3), np.uint8)))
    assert not speaks_for(quick_model, choose_data(quick_model, folder, count=5))


def test_photos_are_read_from_their_own_files_at_the_size_asked_for(folder):
    model = facette.load("faces128").to("cpu")
    chosen = choose_data(model, folder, count=7, seed=3)
    smaller = chosen.at_side(model.input, 64)
    (_, small), (_, large) = next(smaller.batches(7)), next(chosen.batches(7))
    assert (small.shape, large.shape) == ((7, 64, 64, 3), (7, 128, 128, 3))
    halved = large.reshape(7, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    assert np.abs(halved - small).mean() < 3


@pytest.mark.slow
@installed
def test_the_command_says_it(run, folder):
    ended = run("evaluate", "faces128", folder, "--count", 60, "--json")
    figures = ended.json["identity"]
    assert [row["of"] for row in figures["rows"]][:2] == [ANOTHER_PHOTO, AT_MODEL_SIZE]
    assert json.dumps(figures, allow_nan=False)


def test_a_list_named_without_the_extra_is_refused_before_the_work(run, folder, monkeypatch):
    monkeypatch.setattr(judge, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError):
        judge.require()
    ended = run("evaluate", "faces128", folder, "--people", folder.parent / "faces_people.csv")
    assert ended.code == 2
    assert "facette[identity]" in ended.err
