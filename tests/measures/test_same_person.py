"""Laws of the same person: thresholds that strangers set, and shares under them."""

from __future__ import annotations

import numpy as np
import pytest

from facette.errors import UsageError
from facette.measures.identity import (
    accept_threshold,
    distances,
    distinct_people,
    pair_distances,
    partners,
    same_share,
)


def faces(count: int = 90, photos: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Photos of people who differ a hundred times as much as photos of one of them do."""
    draws = np.random.default_rng(seed)
    people = np.repeat(np.arange(count), photos)
    return draws.normal(size=(count, 8))[people] + 0.01 * draws.normal(size=(len(people), 8)), people


def test_pairs_are_counted_once_and_are_those_of_every_two_faces():
    points, people = faces(7, 3)
    own, strangers = (pair_distances(points, people, same) for same in (True, False))
    assert (len(own), len(strangers)) == (7 * 3, 21 * 20 // 2 - 7 * 3)
    i, j = np.triu_indices(21, 1)
    every = np.linalg.norm(points[i] - points[j], axis=1)
    assert np.sort(np.concatenate([own, strangers])) == pytest.approx(np.sort(every), abs=1e-9)


def test_the_threshold_lets_one_stranger_in_a_hundred_pass():
    points, people = faces()
    threshold = accept_threshold(points, people)
    strangers = pair_distances(points, people, same=False)
    assert (strangers < threshold).mean() == pytest.approx(0.01, abs=2 / len(strangers))
    assert accept_threshold(points, people, 0.1) > threshold


def test_a_photo_is_its_own_person_and_others_of_them_are_too():
    points, people = faces()
    threshold = accept_threshold(points, people)
    rows, others = partners(people)
    assert same_share(points, points, threshold).mean() == 1
    assert same_share(points[rows], points[others], threshold).mean() == 1
    assert same_share(points[:80], points[100:], threshold).mean() < 0.1
    assert distances(points, points).max() == 0


def test_partners_are_other_photos_of_the_same_person():
    people = np.array([3, 1, 3, -1, 2, 3, -1, 1])
    rows, others = partners(people)
    assert rows.tolist() == [0, 1, 2, 5, 7]
    assert (people[rows] == people[others]).all()
    assert (rows != others).all()
    assert all(len(side) == 0 for side in partners(np.array([1, 2, -1, -1])))


def test_faces_of_nobody_known_are_people_of_their_own():
    people = distinct_people(np.array([4, -1, 0, -1, 4]))
    assert len(set(people)) == 4
    assert people[[0, 2, 4]].tolist() == [4, 0, 4]
    points, _ = faces(60, 1)
    assert len(pair_distances(points, np.full(60, -1), same=True)) == 0


def test_too_few_strangers_set_no_threshold():
    points, people = faces(10, 2)
    with pytest.raises(UsageError, match="at least 1,000 pairs of different people, there are 180"):
        accept_threshold(points, people)
