"""The order of pictures is a pure function of (seed, step)."""

from __future__ import annotations

import numpy as np
import pytest

from facette.runtime import Rank
from facette.training.batches import Order, rank_slice, read_ahead

ALONE = Rank()


class Rows:
    """A store whose data are its row numbers."""

    fingerprint = "rows"

    def __init__(self, count: int):
        self.count = count

    def __len__(self) -> int:
        return self.count

    def indices(self, partition: str = "all") -> np.ndarray:
        return np.arange(self.count)

    def read(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(indices, np.float32)[:, None]


def test_an_epoch_sees_every_picture_once_and_the_next_one_another_order():
    order = Order(np.arange(100, 160), 20, seed=1)
    first, second = (np.concatenate([order.at(e * 3 + i, ALONE) for i in range(3)]) for e in (0, 1))
    assert sorted(first) == sorted(second) == list(range(100, 160))
    assert list(first) != list(second)


def test_any_step_can_be_asked_for_alone():
    order = Order(np.arange(50), 8, seed=3)
    forwards = [order.at(s, ALONE).tolist() for s in range(20)]
    assert [Order(np.arange(50), 8, seed=3).at(s, ALONE).tolist() for s in reversed(range(20))] == forwards[
        ::-1
    ]
    assert Order(np.arange(50), 8, seed=4).at(0, ALONE).tolist() != forwards[0]


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_the_batch_of_one(world):
    order = Order(np.arange(64), 16, seed=0)
    parts = [order.at(5, Rank(rank, world, rank)) for rank in range(world)]
    assert np.array_equal(np.concatenate(parts), order.at(5, ALONE))
    assert rank_slice(16, Rank(1, 4)) == slice(4, 8)


def test_reading_ahead_gives_the_same_batches_and_ends():
    order = Order(np.arange(30), 7, seed=0)
    seen = list(read_ahead(Rows(30).read, order, 3, 9, ALONE))
    assert [b.indices.tolist() for b in seen] == [order.at(s, ALONE).tolist() for s in range(3, 9)]
    assert all(np.array_equal(b.data[:, 0], b.indices) for b in seen)
    assert list(read_ahead(Rows(30).read, order, 9, 9, ALONE)) == []


def test_a_set_smaller_than_a_batch_is_one_batch():
    order = Order(np.arange(5), 32, seed=0)
    assert sorted(order.at(0, ALONE)) == [0, 1, 2, 3, 4]
    assert sorted(order.at(7, ALONE)) == [0, 1, 2, 3, 4]
