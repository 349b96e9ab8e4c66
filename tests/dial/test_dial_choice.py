"""Laws of choosing the few that differ most."""

from itertools import combinations

import numpy as np
import pytest

from facette.dial.choice import best_spread
from facette.errors import UsageError
from facette.judges.likeness import place_spread


@pytest.fixture
def pool():
    """60 places around a photo, which is the first axis, and their likeness to it; all lean to one side."""
    draws = np.random.default_rng(4)
    aside = draws.normal(size=(60, 4)) * draws.uniform(0.2, 1, (60, 1)) + [0.7, 0, 0, 0]
    places = np.concatenate([np.full((60, 1), 1.5), aside], axis=1)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    return places, places[:, 0]


def test_the_chosen_spread_more_at_no_less_likeness(pool):
    places, like = pool
    chosen = best_spread(places, like, 10, float(like.mean()))
    assert len(set(chosen)) == 10
    assert like[chosen].mean() >= like.mean()
    random = np.mean(
        [place_spread(places[np.random.default_rng(i).choice(60, 10, replace=False)]) for i in range(50)]
    )
    assert place_spread(places[chosen]) > 1.25 * random


def test_without_a_bound_they_spread_farther_still(pool):
    places, like = pool
    free = best_spread(places, like, 10, -1.0)
    bound = best_spread(places, like, 10, float(like.mean()))
    assert place_spread(places[free]) > place_spread(places[bound])
    assert like[free].mean() < like[bound].mean()


def test_it_comes_near_the_best_of_all_choices(pool):
    reached = []
    for start in range(0, 60, 15):
        places, like = pool[0][start : start + 15], pool[1][start : start + 15]
        least = float(like.mean())
        choices = [list(c) for c in combinations(range(15), 5) if like[list(c)].mean() >= least]
        best = max(place_spread(places[c]) for c in choices)
        found = best_spread(places, like, 5, least)
        assert like[found].mean() >= least
        reached.append(place_spread(places[found]) / best)
    assert min(reached) > 0.94
    assert np.mean(reached) > 0.97


def test_a_likeness_that_none_reach_takes_the_most_like(pool):
    places, like = pool
    assert set(best_spread(places, like, 5, 2.0)) == set(np.argsort(-like)[:5])


def test_the_order_of_the_pool_does_not_matter(pool):
    places, like = pool
    mixed = np.random.default_rng(0).permutation(60)
    chosen = best_spread(places, like, 10, float(like.mean()))
    again = mixed[best_spread(places[mixed], like[mixed], 10, float(like.mean()))]
    assert set(chosen) == set(again)


def test_a_pool_smaller_than_the_choice_is_refused(pool):
    with pytest.raises(UsageError, match="pool of 60 holds no 61"):
        best_spread(*pool, 61, 0.0)
