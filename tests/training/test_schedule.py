"""Length and pace of a run."""

from __future__ import annotations

from itertools import pairwise

import pytest

from facette.recipe import TrainSpec, load_recipe
from facette.training.schedule import ema_decay_at, lr_at, steps_of


def spec(*overrides: str):
    return load_recipe("quick", list(overrides)).train


def test_epochs_are_whole_batches():
    assert steps_of(spec("train.epochs=3", "train.batch=10"), 105) == 30
    assert steps_of(spec("train.epochs=3", "train.batch=10"), 4) == 3
    assert steps_of(spec("train.steps=7"), 10**6) == 7


def test_the_rate_rises_and_falls():
    cosine = spec(
        "train.lr=1.0", "train.lr_warmup_steps=10", "train.lr_final=0.1", "train.lr_schedule=cosine"
    )
    values = [lr_at(cosine, s, 110) for s in range(111)]
    assert values[0] == pytest.approx(0.1)
    assert max(values) == pytest.approx(1.0)
    assert values[110] == pytest.approx(0.1)
    assert all(a >= b for a, b in pairwise(values[10:]))
    constant = spec("train.lr=0.5", "train.lr_warmup_steps=0", "train.lr_schedule=constant")
    assert {lr_at(constant, s, 100) for s in (0, 50, 100)} == {0.5}


def test_the_average_forgets_its_beginning():
    decays = [ema_decay_at(0.999, s) for s in range(20_000)]
    assert decays[1] < 0.2
    assert decays[-1] == 0.999
    assert decays == sorted(decays)


def test_a_share_of_the_run_is_so_many_steps():
    counted, shared = TrainSpec(steps=200, lr_warmup_steps=50), TrainSpec(steps=200, lr_warmup_share=0.25)
    assert [lr_at(counted, s, 200) for s in range(200)] == [lr_at(shared, s, 200) for s in range(200)]
    assert lr_at(shared, 99, 400) == shared.lr
