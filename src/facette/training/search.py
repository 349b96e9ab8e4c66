"""A search over fields of a recipe: trials one after the other, the poor ones ended early, the best recipe at the end.

Enters: how a recipe is made with changes, how its data are opened, what is tried, a folder. Leaves: in that folder

    search.json       what is searched, so that nobody goes on with another search by mistake
    optuna.journal    every trial, as Optuna keeps it      trials/N/    its run, as `train` leaves it
    best.toml         the recipe of the best trial so far, which `train` takes

To go on, call it again with the same arguments: a trial that was stopped goes on where it was. What the next trial
tries is a function of the seed, its number and the trials before it. A trial ends early where it is worse at a
validation than half of the others were there. Trials train the first stage alone and fit no mixture.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from facette.errors import RecipeError, TrainingError, UsageError, import_extra
from facette.files import owned, write_atomically
from facette.recipe import Recipe
from facette.runtime import derive_seed
from facette.training.batches import Store
from facette.training.journal import read_journal
from facette.training.ranges import Range, every_choice
from facette.training.run import train
from facette.training.watch import Attended, Finished

Aim = Literal["elbo", "unexplained_variance", "score"]
RISES = {"elbo": True, "unexplained_variance": False, "score": True}  # whether more of it is better
State = Literal["complete", "pruned", "refused"]
UNPRUNED = 4  # trials that come to their end before any is ended early
ABOUT, TRIALS, BEST = "search.json", "trials", "best.toml"
_RUN, _WHY = "run", "why"  # what Optuna's journal keeps of a trial beside its values


@dataclass(frozen=True, slots=True)
class Attempt:
    """A recipe that was tried."""

    number: int
    values: dict[str, Any]  # by key
    state: State
    best: float | None  # of its validations
    curve: tuple[tuple[int, float], ...]  # (step, value) of each validation
    run: Path
    why: str = ""  # it was refused


@dataclass(frozen=True, slots=True)
class Search:
    """How a search stands."""

    folder: Path
    by: Aim
    keys: tuple[str, ...]
    trials: tuple[Attempt, ...]
    best: Attempt | None
    recipe: Path | None  # the best trial's, to train
    interrupted: bool = False
    signal: int = 0


def search(
    make: Callable[[list[str]], Recipe],
    open_store: Callable[[Recipe], Store],
    over: Sequence[Range],
    folder: str | Path,
    *,
    trials: int = 20,
    minutes: float | None = None,
    by: Aim = "elbo",
    prune: bool = True,
    seed: int = 0,
    device: str = "auto",
    watcher: object | None = None,
    after: Callable[[Search], object] = lambda search: None,
) -> Search:
    """Try recipes until there are so many trials in the folder, or this call has taken so many minutes.

    `make(changes)` gives a recipe with `section.key=value` changes, `open_store(recipe)` its pictures. `by`: which
    figure of a validation is searched for, the bound (β = 1, nats), unexplained variance, or minus the recipe's own
    sum, whose trials are comparable only while its weights are not searched. `watcher` is told of every trial's steps;
    `after` of how the search stands, before the first trial and after each. SIGINT and SIGTERM save and return with
    `interrupted`.

    Raises UsageError for a folder of another search and for values that no recipe takes, MissingExtraError without
    Optuna, TrainingError where no trial could be trained.
    """
    optuna = import_extra("optuna", "search", "searching recipes")
    folder = Path(folder)
    for each in over:  # a mistake in the last choice is told before hours of trials, not after
        for change in each.extremes:
            make([change])
    with owned(folder, "facette search"):
        _same_search(folder, make([]), over, by, seed)
        study = _study(optuna, folder, by)
        work = _Work(make, open_store, tuple(over), folder, by, prune, seed, device, Attended(watcher), study)
        until = None if minutes is None else time.monotonic() + 60 * minutes
        ended: Finished | None = None
        work.take_up()
        after(standing := work.standing())
        while len(standing.trials) < trials and (until is None or time.monotonic() < until):
            ended = work.try_next(trials - len(standing.trials), until)
            after(standing := work.standing())
            if ended is not None and ended.interrupted:
                break
        return _ended(standing, ended)


def _ended(standing: Search, ended: Finished | None) -> Search:
    """The search as it is handed back. Raises TrainingError where every trial was refused."""
    if standing.trials and all(trial.state == "refused" for trial in standing.trials):
        raise TrainingError(
            f"none of {len(standing.trials)} recipes could be trained; the last: {standing.trials[-1].why}"
        )
    number = 0 if ended is None else ended.signal  # 0 too where the time was up
    return replace(standing, interrupted=number > 0, signal=number)


def _same_search(folder: Path, base: Recipe, over: Sequence[Range], by: Aim, seed: int) -> None:
    """Raises UsageError where the folder holds another search; says in it what is searched."""
    about = {
        "recipe": base.model_dump(mode="json", exclude_none=True),
        "over": [str(each) for each in over],
        "by": by,
        "seed": seed,
    }
    path = folder / ABOUT
    if path.exists():
        try:
            before = json.loads(path.read_text("utf-8"))
        except ValueError:
            raise UsageError(f"{str(path)!r} is damaged: give another folder by `out`.") from None
        if different := [name for name in about if before.get(name) != about[name]]:
            raise UsageError(
                f"the search in {str(folder)!r} is another one: it has another {', '.join(different)}; give another "
                "folder by `out`."
            )
        return
    write_atomically(path, json.dumps(about, indent=2) + "\n")


def _study(optuna: Any, folder: Path, by: Aim) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / "optuna.journal")))
    direction = "maximize" if RISES[by] else "minimize"
    pruner = optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED)
    return optuna.create_study(
        storage=storage, study_name="search", direction=direction, pruner=pruner, load_if_exists=True
    )


class _Judge:
    """A watcher of one trial: tells Optuna of its validations, and ends it where it is poor or the time is up."""

    def __init__(self, trial: Any, run: Path, by: Aim, prune: bool, until: float | None):
        self._trial, self._run, self._by, self._prune, self._until = trial, run, by, prune, until
        self.pruned = False

    def started(self, step: int, steps: int) -> None:
        for row in read_journal(self._run):  # of the time before it was stopped
            if row["step"] <= step:
                self.measured(row)

    def measured(self, row: dict[str, Any]) -> None:
        if row["event"] == "validation":
            self._trial.report(row[self._by], row["step"])
            self.pruned = self._prune and self._trial.should_prune()

    def stops(self) -> bool:
        return self.pruned or (self._until is not None and time.monotonic() >= self._until)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the trials of a search share."""

    make: Callable[[list[str]], Recipe]
    open_store: Callable[[Recipe], Store]
    over: tuple[Range, ...]
    folder: Path
    by: Aim
    prune: bool
    seed: int
    device: str
    told: Attended
    study: Any

    def take_up(self) -> None:
        """Have trials that were stopped go on: as the next ones, with the same values, in the same folders."""
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state.name == "RUNNING":
                self.study.enqueue_trial(trial.params, user_attrs={_RUN: self._run_of(trial).name})
                self.study.tell(trial.number, state=_optuna_state("FAIL"))

    def try_next(self, left: int, until: float | None) -> Finished | None:
        """Train one recipe, to its end or to where it is ended; None for one that was refused."""
        self._enqueue_choices(left)
        trial = self._asked()
        values = {each.key: each.ask(trial) for each in self.over}
        run = self._run_of(trial)
        judge = _Judge(trial, run, self.by, self.prune, until)
        try:
            recipe = self.make([each.change(values[each.key]) for each in self.over])
            short = recipe.train.model_copy(update={"mixture_components": ()})
            recipe = recipe.model_copy(update={"train": short, "sharpen": None})
            store, watcher = self.open_store(recipe), Attended(self.told, judge)
            ended = train(recipe, store, run, device=self.device, watcher=watcher)
        except (RecipeError, TrainingError) as error:  # one recipe that does not go: others may
            trial.set_user_attr(_WHY, str(error))
            self.study.tell(trial, state=_optuna_state("FAIL"))
            return None
        if judge.pruned and ended.interrupted:
            self.study.tell(trial, state=_optuna_state("PRUNED"))
            return None
        if not ended.interrupted:
            self.study.tell(trial, _best(self.by, [value for _, value in _curve(run, self.by)]))
        return ended

    def standing(self) -> Search:
        """All trials that are over, so far."""
        trials = []
        for each in self._latest():
            state = _STATES.get(each.state.name)
            if state is None:
                continue
            run = self._run_of(each)
            curve = _curve(run, self.by)
            best = _best(self.by, [value for _, value in curve]) if curve else None
            why = str(each.user_attrs.get(_WHY, ""))
            trials.append(Attempt(each.number, dict(each.params), state, best, tuple(curve), run, why))
        finished = [trial for trial in trials if trial.state == "complete" and trial.best is not None]
        best = _best_of(self.by, finished)
        keys = tuple(each.key for each in self.over)
        return Search(self.folder, self.by, keys, tuple(trials), best, self._write(best))

    def _write(self, best: Attempt | None) -> Path | None:
        """Keep the recipe of the best trial."""
        if best is None:
            return None
        recipe = self.make([each.change(best.values[each.key]) for each in self.over])
        path = self.folder / BEST
        text = recipe.to_toml()
        if not path.exists() or path.read_text("utf-8") != text:
            write_atomically(path, text)
        return path

    def _asked(self) -> Any:
        from optuna.samplers import TPESampler

        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = TPESampler(seed=derive_seed(self.seed, "search", number) % 2**32)
        return self.study.ask()

    def _enqueue_choices(self, left: int) -> None:
        """Where all that can be tried is no more than the trials to come, each is tried, and none twice."""
        known = self._latest()
        if any(trial.state.name == "WAITING" for trial in known):
            return
        tried = [trial.params for trial in known]
        for values in every_choice(self.over, left + len(tried)):
            if values not in tried:
                self.study.enqueue_trial(values)
                return

    def _latest(self) -> list[Any]:
        """Optuna's trials; of those that share a run, since it was stopped and taken up again, the last."""
        trials = self.study.get_trials(deepcopy=False)
        return list({self._run_of(trial): trial for trial in trials}.values())

    def _run_of(self, trial: Any) -> Path:
        return self.folder / TRIALS / str(trial.user_attrs.get(_RUN, f"{trial.number:03d}"))


_STATES: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "refused"}


def _optuna_state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def _curve(run: Path, by: Aim) -> list[tuple[int, float]]:
    rows = [row for row in read_journal(run) if row["event"] == "validation" and by in row]
    return [(row["step"], float(row[by])) for row in rows]


def _best(by: Aim, values: list[float]) -> float:
    return max(values) if RISES[by] else min(values)


def _best_of(by: Aim, trials: list[Attempt]) -> Attempt | None:
    return max(trials, key=lambda trial: (trial.best or 0) * (1 if RISES[by] else -1), default=None)
