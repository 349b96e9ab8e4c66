"""Laws of choosing the most various: never less than chance, near the best where all choices can be tried."""

from itertools import combinations

import numpy as np
import pytest

from facette.errors import UsageError
from facette.latent.choice import most_various


def _sum_of_distances(ways, chosen) -> float:
    return sum(float(np.linalg.norm(ways[i] - ways[j])) for i, j in combinations(chosen, 2))


@pytest.mark.parametrize("seed", range(6))
def test_it_comes_near_the_best_of_all_choices(seed):
    ways = np.random.default_rng(seed).standard_normal((12, 3))
    best = max(_sum_of_distances(ways, chosen) for chosen in combinations(range(12), 4))
    assert _sum_of_distances(ways, most_various(ways, 4)) >= 0.98 * best


def test_indices_are_ascending_and_different():
    chosen = most_various(np.random.default_rng(1).standard_normal((40, 5)), 10)
    assert (np.diff(chosen) > 0).all()


def test_all_of_the_pool_are_all_of_it():
    assert most_various(np.eye(5), 5).tolist() == [0, 1, 2, 3, 4]


def test_a_smaller_pool_than_the_choice_is_refused():
    with pytest.raises(UsageError, match="a pool of 3 holds no 4"):
        most_various(np.eye(3), 4)
