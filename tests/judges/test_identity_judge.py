"""The judge of who: where it looks, for what it speaks, and that it knows people."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.data.people import find_people, read_people
from facette.errors import MissingExtraError
from facette.judges import identity
from facette.measures.identity import accept_threshold, pair_distances
from facette.recipe import load_recipe

installed = pytest.mark.skipif(not identity.available(), reason="the extra `identity` is not installed")


def test_it_speaks_for_faces_in_a_known_frame_and_for_nothing_else():
    whole = identity.speaks_for(load_recipe("faces64").input.frame)
    assert whole == identity.FaceBox(0, 0, 1, 1)
    for name in ("celeba150", "celeba64-z50"):
        box = identity.speaks_for(load_recipe(name).input.frame)
        assert box is not None
        assert 0 <= box.left < box.right <= 1
        assert 0 <= box.top < box.bottom <= 1
    assert identity.speaks_for(load_recipe("quick").input.frame) is None


def test_a_frame_that_cuts_the_face_is_not_spoken_for():
    frame = load_recipe("faces64").input.frame
    assert frame is not None
    left, top, right, _ = frame.box
    cut = frame.model_copy(update={"box": (left, top, right, top + 80)})  # no chin
    assert identity.speaks_for(cut) is None


def test_every_frame_shows_the_judge_the_same_square():
    gradient = np.mgrid[0:218, 0:178].transpose(1, 2, 0)  # each pixel says where it is, (218, 178, 2)
    aligned = np.concatenate([gradient, np.zeros((218, 178, 1))], axis=2).astype(np.uint8)
    squares = []
    for name in ("faces64", "celeba150"):
        frame = load_recipe(name).input.frame
        assert frame is not None
        left, top, right, bottom = frame.box
        box = identity.speaks_for(frame)
        assert box is not None
        squares.append(identity.judge_square(aligned[top:bottom, left:right], box))
    assert squares[0].shape == (256, 256, 3)
    assert np.abs(squares[0].astype(int) - squares[1]).max() <= 1


def test_what_lies_outside_of_the_picture_repeats_its_border():
    picture = np.full((40, 40, 3), 90, np.uint8)
    square = identity.judge_square(picture, identity.FaceBox(-0.2, -0.1, 1.1, 1.2))
    assert (square == 90).all()


def test_without_the_extra_the_sentence_names_it(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(identity, "find_spec", lambda name: None if name == "dlib" else real(name))
    assert not identity.available()
    with pytest.raises(MissingExtraError, match=r'needs dlib, .* pip install "facette\[identity\]"'):
        identity.describe(np.zeros((1, 8, 8, 3), np.uint8), identity.FaceBox(0, 0, 1, 1))


@installed
def test_it_knows_people(shared):
    folder = shared / "celeba" / "faces128" / "valid"
    path = find_people(folder)
    assert path is not None
    names = sorted(p.name for p in folder.iterdir())
    people = read_people(path, names)
    several = [person for person in np.unique(people) if (people == person).sum() > 1]
    chosen = [i for person in several[:24] for i in np.flatnonzero(people == person)[:2]]
    pictures = np.stack([_picture(folder / names[i]) for i in chosen])
    box = identity.speaks_for(load_recipe("faces64").input.frame)
    assert box is not None
    faces = identity.describe(pictures, box)
    threshold = accept_threshold(faces, people[chosen])
    assert 0.5 < threshold < 0.75
    assert (pair_distances(faces, people[chosen], same=True) < threshold).mean() > 0.8


def _picture(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
