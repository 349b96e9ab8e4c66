"""Lists of people and of groups beside pictures."""

from __future__ import annotations

import numpy as np
import pytest

from facette.data.people import UNKNOWN, find_groups, find_people, read_groups, read_people, set_apart
from facette.errors import DataError


def test_people_are_joined_by_stem_and_normal_form(tmp_path):
    (tmp_path / "faces_people.csv").write_text("image_id,person\nada.jpg,7\nMüller.jpg,20\n", "utf-8")
    (tmp_path / "faces").mkdir()
    path = find_people(tmp_path / "faces")
    assert path is not None
    people = read_people(path, ["sub/ada.png", "Mu\u0308ller.png", "nobody.png"])
    assert people.tolist() == [7, 20, UNKNOWN]
    assert set_apart(people).tolist() == [False, True, False]  # nobody's picture is not set apart


def test_a_list_inside_the_folder_is_seen_where_none_lies_beside(tmp_path):
    (tmp_path / "people.csv").write_text("image_id,person\n1.jpg,1\n")
    assert find_people(tmp_path) == tmp_path / "people.csv"
    assert find_groups(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image_id,who\n1.jpg,1\n", "no column 'person'"),
        ("image_id,person\n1.jpg,Ada\n", "not 'Ada'"),
        ("image_id,person\n9.jpg,3\n", "names none"),
    ],
)
def test_a_list_that_says_nothing_of_people_is_refused(tmp_path, text, words):
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_people(path, ["1.png"])


def test_every_picture_with_an_age_is_in_one_age_group(tmp_path):
    path = tmp_path / "labels.csv"
    rows = [("a", 0, 1), ("b", 12, 1), ("c", 13, 0), ("d", 29.5, 0), ("e", 60, 0), ("f", "", 3)]
    path.write_text("image_id,age,race\n" + "".join(f"{n}.jpg,{a},{r}\n" for n, a, r in rows))
    groups = read_groups(path, [f"{name}.png" for name in "abcdefg"])
    ages = np.sum([members for label, members in groups.items() if label.startswith("age")], axis=0)
    assert ages.tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert groups["age 0 to 12"].tolist() == [True, True, False, False, False, False, False]
    assert groups["origin 0"].sum() == 3
    assert groups["origin 3"].tolist()[5]
    assert "age 30 to 59" not in groups


def test_the_official_split_shares_no_person(shared):
    faces = shared / "celeba" / "faces128"
    names = {part: sorted(p.name for p in (faces / part).iterdir()) for part in ("train", "valid")}
    people = {}
    for part in names:
        path = find_people(faces / part)
        assert path is not None
        people[part] = read_people(path, names[part])
    assert (people["train"] >= 0).all()
    assert not set(people["train"]) & set(people["valid"])
    assert 0.08 < set_apart(people["train"]).mean() < 0.12
