"""Work in a process of its own: what it returns, says and fails with comes back, and it ends when it is told to."""

from __future__ import annotations

import multiprocessing
import os

import apart_work
import pytest

from facette.errors import UsageError
from facette.studio.apart import work_apart
from facette.studio.events import StoppedError


@pytest.fixture
def told():
    return []


@pytest.fixture
def tell(told):
    return lambda words, share=None: told.append((words, share))


@pytest.fixture(autouse=True)
def _nobody_is_left():
    yield
    assert multiprocessing.active_children() == []


def test_what_it_returns_and_says_comes_back_from_another_process(tell, told):
    result, process = work_apart(apart_work.doubled, 21, tell)
    assert result == 42
    assert process != os.getpid()
    assert ("doubling", 0.5) in told


def test_a_mistake_stays_the_mistake_it_was(tell):
    with pytest.raises(UsageError, match=r"^seven cannot be used\.$"):
        work_apart(apart_work.mistaken, "seven", tell)


def test_a_fault_says_where_it_was(tell):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        work_apart(apart_work.broken, 0, tell)


def test_a_process_that_dies_is_noticed(tell):
    with pytest.raises(RuntimeError, match="ended with code 3"):
        work_apart(apart_work.gone, 3, tell)


def test_it_ends_when_somebody_has_had_enough():
    def tell(words, share=None):
        if words == "at it":
            raise StoppedError

    with pytest.raises(StoppedError):
        work_apart(apart_work.endless, 600, tell)
