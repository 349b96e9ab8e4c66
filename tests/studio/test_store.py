"""One store for all that is kept for visitors: its bounds hold whatever comes, and in whatever order."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from facette.studio.store import BoundedStore

KEYS = st.integers(0, 5)
ACTS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.integers(0, 12)),
    st.tuples(st.just("find"), KEYS, st.just(0)),
    st.tuples(st.just("retire"), KEYS, st.integers(0, 9)),
    st.tuples(st.just("drop"), KEYS, st.just(0)),
    st.tuples(st.just("wait"), st.just(0), st.integers(0, 9)),
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(ACTS, max_size=40), st.booleans())
def test_bounds_hold_and_what_is_found_is_what_was_put_last(acts, renewed):
    clock, last, weights = Clock(), {}, {}
    store = BoundedStore[int, int](3, most_bytes=10, kept_seconds=8, clock=clock, renewed=renewed)
    for number, (act, key, amount) in enumerate(acts):
        match act:
            case "put":
                store.put(key, number, amount)
                last[key], weights[key] = number, amount
                assert (store.find(key) == number) == (
                    amount <= 10
                )  # what is new is there, if it fits at all
            case "find":
                assert store.find(key) in (None, last.get(key))
            case "retire":
                store.retire(key, amount)
            case "drop":
                store.drop(key)
                assert store.find(key) is None
            case "wait":
                clock.now += amount
        kept = dict(store.items())
        assert len(kept) <= len(store) <= 3
        assert sum(weights[key] for key in kept) <= store.weight <= 10
        assert all(last[key] == value for key, value in kept.items())


def test_what_was_retired_goes_first_and_then_what_was_used_longest_ago():
    store = BoundedStore[str, str](3)
    for name in "abc":
        store.put(name, name)
    store.find("a")
    store.retire("c", 60)
    store.put("d", "d")
    assert [key for key, _ in store.items()] == ["b", "a", "d"]
    store.put("e", "e")
    assert [key for key, _ in store.items()] == ["a", "d", "e"]


def test_use_makes_a_value_stay_where_that_is_asked_for():
    clock = Clock()
    still, renewed = (
        BoundedStore[str, int](3, kept_seconds=10, clock=clock, renewed=way) for way in (False, True)
    )
    for store in (still, renewed):
        store.put("a", 1)
    clock.now = 9
    assert (still.find("a"), renewed.find("a")) == (1, 1)
    clock.now = 11
    assert (still.find("a"), renewed.find("a")) == (None, 1)
    assert (still.weight, len(still)) == (0, 0)


def test_many_threads_leave_it_whole():
    store = BoundedStore[int, int](20, most_bytes=100)

    def work(start: int) -> None:
        for number in range(2000):
            store.put((start + number) % 40, number, number % 9)
            store.find(number % 40)
            store.retire((start * number) % 40, 1.0)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key in range(40):
        store.drop(key)
    assert (store.weight, len(store)) == (0, 0)
