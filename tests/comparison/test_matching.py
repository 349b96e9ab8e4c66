"""Laws of the search for an equal similarity: it comes as near as can be, and never asks twice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facette.comparison.matching import common_range, match_similarity


def counted(function):
    """The function, and the levels it was asked at."""
    asked = []

    def ask(level):
        assert level not in asked, "a level is measured once"
        asked.append(level)
        return function(level)

    return ask, asked


@given(st.floats(0.06, 0.99))
def test_a_knob_that_turns_freely_reaches_any_similarity_between_its_ends(wished):
    ask, asked = counted(lambda level: math.exp(-level / 10))
    found = match_similarity(ask, {0.0: 1.0, 30.0: math.exp(-3)}, wished, tolerance=0.01)
    assert found.reached
    assert found.similarity == math.exp(-found.level / 10)
    assert abs(found.similarity - wished) <= 0.01
    assert len(asked) <= 12


@given(st.integers(2, 60), st.floats(-0.2, 1.2), st.randoms(use_true_random=False))
def test_of_levels_that_are_counted_the_nearest_is_found(steps, wished, random):
    """Whatever a falling curve looks like: no level of all there are is nearer than the one that is found."""
    falling = sorted((random.random() for _ in range(steps + 1)), reverse=True)
    levels = [step / steps for step in range(steps + 1)]
    true = dict(zip(levels, falling, strict=True))
    ask, _ = counted(true.__getitem__)
    found = match_similarity(ask, {0.0: true[0.0], 1.0: true[1.0]}, wished, tolerance=1e-9, levels=levels)
    best = min(abs(similarity - wished) for similarity in falling)
    assert abs(found.similarity - wished) == pytest.approx(best)
    assert found.reached is (best <= 1e-9)


@pytest.mark.parametrize(("wished", "level"), [(0.99, 0.0), (0.1, 1.0)])
def test_beyond_its_ends_the_nearer_end_is_given_and_said_not_to_do(wished, level):
    found = match_similarity(lambda _: pytest.fail("nothing lies there"), {0.0: 0.8, 1.0: 0.3}, wished, 0.01)
    assert (found.level, found.reached) == (level, False)


def test_what_is_known_already_is_not_measured_again():
    found = match_similarity(
        lambda _: pytest.fail("it is known"), {0.0: 0.9, 0.5: 0.504, 1.0: 0.1}, 0.5, 0.01
    )
    assert found == (found.__class__)(0.5, 0.504, True)


def test_a_curve_that_rises_on_its_way_is_still_matched():
    """Measured on ten pictures, a similarity does not fall at every level."""
    found = match_similarity(
        lambda level: 0.9 - 0.8 * level + 0.05 * math.sin(40 * level), {0.0: 0.9, 1.0: 0.1}, 0.4, 0.01
    )
    assert found.reached


def test_the_common_range_is_what_every_curve_reaches():
    assert common_range([{0: 0.9, 1: 0.2}, {0: 0.7, 1: -0.1}]) == (0.2, 0.7)
    assert common_range([{0: 0.9, 1: 0.5}, {0: 0.4, 1: 0.0}]) is None
