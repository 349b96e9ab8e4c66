"""How sure it is that two pictures show one person: distances of descriptors, and the threshold that strangers set.

In: descriptors (N, D) of faces, and whose they are. Out: thresholds and shares. Knows no network and no pictures.

The threshold is measured anew on the faces at hand: 1 % of all pairs of different people lie below it. A network finds
some kinds of people more alike than others (children, for one), so that a share within a group takes the threshold of
that group's own pairs. Legend: N faces, D numbers of a descriptor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

FALSE_ACCEPTS = 0.01  # of pairs of different people
FEWEST_PAIRS = 1_000  # of different people, so that ten lie below the threshold
ROWS = 512  # of a matrix of distances, at once

Descriptors = NDArray[np.floating]


def distances(some: Descriptors, others: Descriptors) -> NDArray[np.float64]:
    """Euclidean distance of each face (N, D) to its partner (N, D): (N,), in units of the descriptors."""
    return np.linalg.norm(np.asarray(some, np.float64) - np.asarray(others, np.float64), axis=1)


def accept_threshold(
    faces: Descriptors, people: NDArray[np.integer], false_accepts: float = FALSE_ACCEPTS
) -> float:
    """The distance that `false_accepts` of all pairs of different people are below.

    `people`: (N,) numbers; faces of one number are of one person, and a negative number is a person of its own.
    Raises UsageError for fewer than 1,000 pairs of different people.
    """
    strangers = pair_distances(faces, people, same=False)
    if len(strangers) < FEWEST_PAIRS:
        raise UsageError(
            f"a threshold of who is who takes at least {FEWEST_PAIRS:,} pairs of different people, "
            f"there are {len(strangers):,}: measure more faces."
        )
    return float(np.quantile(strangers, false_accepts))


def same_share(some: Descriptors, others: Descriptors, threshold: float) -> NDArray[np.float64]:
    """1 for each pair of faces (N, D) closer than the threshold, else 0: (N,); the mean is a share in [0, 1]."""
    return (distances(some, others) < threshold).astype(np.float64)


def pair_distances(faces: Descriptors, people: NDArray[np.integer], same: bool) -> NDArray[np.float64]:
    """Distances of all pairs of faces of one person, or of different people, each pair once, in no order."""
    faces, people = np.asarray(faces, np.float64), distinct_people(people)
    squares = np.square(faces).sum(axis=1)
    parts = [np.zeros(0)]
    for start in range(0, len(faces), ROWS):
        rows = np.arange(start, min(start + ROWS, len(faces)))
        table = squares[rows, None] + squares - 2 * faces[rows] @ faces.T  # (n, N)
        wanted = (people[rows, None] == people) == same
        wanted &= np.arange(len(faces)) > rows[:, None]
        parts.append(np.sqrt(np.maximum(table[wanted], 0)))
    return np.concatenate(parts)


def partners(people: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each face of which there is another photo of the same person: its row, and the row of that photo.

    The other photo is the next one of that person, and of the last one the first.
    """
    people = distinct_people(people)
    order = np.argsort(people, kind="stable")
    rows, others = [], []
    for members in np.split(order, np.flatnonzero(np.diff(people[order])) + 1):
        if len(members) > 1:
            rows.append(members)
            others.append(np.roll(members, -1))
    if not rows:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    joined = np.concatenate(rows)
    ascending = np.argsort(joined)
    return joined[ascending], np.concatenate(others)[ascending]


def distinct_people(people: NDArray[np.integer]) -> NDArray[np.int64]:
    """The same numbers, with one of its own for every face whose number is negative (nobody knows whose it is)."""
    people = np.asarray(people, np.int64).copy()
    unknown = people < 0
    people[unknown] = people.max(initial=0) + 1 + np.arange(unknown.sum())
    return people
