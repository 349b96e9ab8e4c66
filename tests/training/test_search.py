"""Laws of a search: what ranges mean, that it goes on as if it had never stopped, and what it leaves."""

from __future__ import annotations

import json
import signal

import pytest

import facette
from facette.data import open_dataset
from facette.errors import TrainingError, UsageError
from facette.recipe import load_recipe
from facette.training.ranges import Choices, Span, every_choice, parse_ranges
from training.test_stop_rules import SMALL


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("objective.beta=0.5..8", Span("objective.beta", 0.5, 8, False)),
        ("objective.beta=0.5..8.5", Span("objective.beta", 0.5, 8.5, False)),
        ("train.lr=1e-4..3e-3", Span("train.lr", 1e-4, 3e-3, False)),
        ("model.latent = 16 .. 64", Span("model.latent", 16, 64, True)),
        ("model.latent=16,32", Choices("model.latent", ("16", "32"))),
        ("model.prior.kind=normal, vamp", Choices("model.prior.kind", ("normal", "vamp"))),
        ("model.encoder.widths=[8,16],[16,32]", Choices("model.encoder.widths", ("[8, 16]", "[16, 32]"))),
        ("input.flip=true,false", Choices("input.flip", ("true", "false"))),
    ],
)
def test_what_a_range_means(text, meant):
    assert parse_ranges([text]) == (meant,)
    for change in meant.extremes:
        assert change.partition("=")[0] == meant.key


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "nothing to search"),
        (["objective.beta"], "is no range"),
        (["objective.beta=3"], "leaves nothing to choose"),
        (["objective.beta=8..0.5"], "the first must be the smaller"),
        (["a.b=1..2", "a.b=3,4"], "more than once"),
    ],
)
def test_ranges_that_cannot_be_meant(texts, message):
    with pytest.raises(UsageError, match=message):
        parse_ranges(texts)


def test_all_choices_are_listed_where_they_are_few():
    ranges = parse_ranges(["a=1,2", "b=x,y"])
    assert every_choice(ranges, 4) == [{"a": a, "b": b} for a in ("1", "2") for b in ("x", "y")]
    assert every_choice(ranges, 3) == []
    assert every_choice(parse_ranges(["a=1,2", "b=1..2"]), 100) == []


# ── the search itself ────────────────────────────────────────────────────────────────────────────────────

OVER = ["objective.beta=0.5..8", "model.latent=2,4"]


@pytest.fixture
def tried(tmp_path):
    """Search in a folder below, with a small recipe."""
    optuna = pytest.importorskip("optuna", reason="the extra search is not installed")
    from facette.training.search import search

    store = open_dataset("synthetic-faces:40", load_recipe("quick", SMALL).input)

    def call(name="search", over=OVER, **options):
        folder = tmp_path / name
        return search(
            lambda changes: load_recipe("quick", [*SMALL, *changes]),
            lambda recipe: store,
            parse_ranges(over),
            folder,
            device="cpu",
            **{"trials": 3, **options},
        )

    call.optuna = optuna
    return call


def account(search):
    return [(trial.number, trial.values, trial.state, trial.curve) for trial in search.trials]


def test_it_leaves_the_best_recipe_and_goes_on_as_if_it_had_never_stopped(tried):
    whole = tried("whole")
    assert [trial.state for trial in whole.trials] == ["complete"] * 3
    assert whole.best is not None
    assert whole.best.best == max(trial.best for trial in whole.trials)
    recipe = facette.load_recipe(whole.recipe)
    assert recipe.objective.beta == whole.best.values["objective.beta"]
    assert recipe.model.latent == int(whole.best.values["model.latent"])
    assert recipe.sharpen == load_recipe("quick", SMALL).sharpen

    first = tried("parts", trials=2)
    assert account(first) == account(whole)[:2]
    assert account(tried("parts")) == account(whole)
    assert account(tried("parts")) == account(whole)  # nothing is left to do


class Stopper:
    """A watcher that sends a signal at a step of a trial."""

    def __init__(self, trial: int, step: int):
        self._trial, self._step, self._begun = trial, step, 0

    def started(self, step, steps):
        self._begun += 1

    def stepped(self, step, images):
        if (self._begun, step) == (self._trial, self._step):
            signal.raise_signal(signal.SIGINT)


def test_a_stopped_trial_goes_on_where_it_was(tried):
    whole = tried("whole", trials=2)
    stopped = tried("parts", trials=2, watcher=Stopper(2, 5))
    assert (stopped.interrupted, stopped.signal, len(stopped.trials)) == (True, signal.SIGINT, 1)
    again = tried("parts", trials=2)
    assert not again.interrupted
    assert [(trial.values, trial.curve) for trial in again.trials] == [
        (trial.values, trial.curve) for trial in whole.trials
    ]
    assert sorted(path.name for path in (again.folder / "trials").iterdir()) == ["000", "001"]


def test_the_time_ends_it_without_a_trial_being_lost(tried):
    short = tried(minutes=1e-9)
    assert (len(short.trials), short.interrupted) == (0, False)
    soon = tried(minutes=0.01)
    assert not soon.interrupted
    assert len(tried(trials=1).trials) == max(1, len(soon.trials))  # a quick machine ends some in that time


def test_few_choices_are_each_tried_once(tried):
    ended = tried(over=["model.latent=2,3,4"])
    assert sorted(trial.values["model.latent"] for trial in ended.trials) == ["2", "3", "4"]


def test_poor_trials_are_ended_early(tried):
    """Learning rates that move ever less: the fifth is worse than half of those before it."""
    over = ["train.lr=1e-2,3e-3,1e-3,1e-4,1e-6"]
    ended = tried(over=over, trials=5, by="unexplained_variance")
    assert [trial.state for trial in ended.trials] == ["complete"] * 4 + ["pruned"]
    assert len(ended.trials[-1].curve) < len(ended.trials[0].curve)
    assert ended.best.best == min(trial.best for trial in ended.trials)


def test_mistakes_are_told_before_the_first_trial_and_another_search_is_refused(tried, tmp_path):
    with pytest.raises(facette.FacetteError, match=r"model\.latent is -1"):
        tried("wrong", over=["model.latent=4,-1"])
    assert not (tmp_path / "wrong" / "trials").exists()
    tried(trials=1)
    with pytest.raises(UsageError, match="it has another over, seed"):
        tried(over=["model.latent=2,4"], seed=3)


def test_a_recipe_that_cannot_be_trained_costs_itself(tried, monkeypatch):
    from facette.training import search as module

    train = module.train

    def fragile(recipe, *arguments, **options):
        if recipe.model.latent < 4:
            raise TrainingError("the loss is not finite")
        return train(recipe, *arguments, **options)

    monkeypatch.setattr(module, "train", fragile)
    ended = tried(over=["model.latent=2,4"], trials=2)
    assert sorted(trial.state for trial in ended.trials) == ["complete", "refused"]
    with pytest.raises(
        TrainingError, match="none of 1 recipes could be trained; the last: the loss is not finite"
    ):
        tried("none", over=["model.latent=2,3"], trials=1)


def test_the_command_writes_recipe_and_page_and_goes_on(run, tmp_path):
    pytest.importorskip("optuna", reason="the extra search is not installed")
    settings = [word for change in SMALL for word in ("--set", change)]
    words = [
        "search",
        "quick",
        "synthetic-faces:40",
        "--over",
        "model.latent=2,4",
        "--out",
        str(tmp_path / "s"),
    ]
    ended = run(*words, *settings, "--trials", "2", "--json")
    assert ended.code == 0, ended.err
    assert "trial 1: elbo" in ended.err
    assert len(ended.json["trials"]) == 2
    page = (tmp_path / "s" / "search.html").read_text("utf-8")
    assert "Best: evidence lower bound" in page
    assert page.count("<img") == 2
    again = run(*words, *settings, "--trials", "2", "--json")
    assert json.loads(again.out)["trials"] == ended.json["trials"]
    trained = run(
        "train", str(tmp_path / "s" / "best.toml"), "synthetic-faces:40", "--out", str(tmp_path / "run")
    )
    assert trained.code == 0, trained.err
    assert run(*words, *settings, "--over", "train.batch=4,8").code == 2  # another search
