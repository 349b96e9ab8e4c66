"""A job from beginning to end: listed, divided into shards, worked on here or on a cluster, put together.

Enters: a model, a source of pictures, a task, and where the result goes. Leaves: an `Outcome`. To go on with a job
that was stopped, killed or lost its machine, call it again with the same arguments.

    out ending in .parquet or .npz    one table of all latents; the shards lie in OUT.parts until it is there
    any other                         a folder of shards, as `ledger` describes it
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from facette.checkpoint.native import find_model, load_model
from facette.data.aligned import Align
from facette.data.names import NameTable
from facette.data.open import find_pictures
from facette.data.treatment import added
from facette.errors import DataError, UsageError
from facette.files import digest_of, json_of, owned, write_atomically
from facette.progress import Advance, unheard
from facette.scale.cluster import Cluster, check_ray, work_on_cluster
from facette.scale.figures import Collected, collect
from facette.scale.ledger import Job, JobLedger, ShardRecord
from facette.scale.shards import BATCH, LATENTS, SUMS, ShardWorker
from facette.scale.sums import Sums
from facette.scale.tables import NPZ, PARQUET, about_table, check_table, join_tables
from facette.scale.tasks import Encode, Evaluate, Task, Vary
from facette.training.watch import until_signalled

SHARD = {"encode": 4096, "vary": 512, "evaluate": 1024}  # pictures: some ten seconds of one core
EVALUATION = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended, and what is there."""

    out: Path  # the table, or the folder of shards
    pictures: int  # in the collection
    rows: int  # read and done so far
    unreadable: tuple[tuple[str, str], ...]  # name and reason
    shards: int
    shards_done: int
    shards_here: int  # done by this very call
    interrupted: bool
    signal: int = 0  # the number of the one that stopped it
    collected: Collected | None = None  # of an evaluation that is finished
    treated: Mapping[str, int] = field(default_factory=dict)  # what was done to how many, "aligned" among it


@dataclass(frozen=True, slots=True)
class Listener:
    """Told how a job goes on."""

    begun: Callable[[int, int], object] = lambda done, pictures: None
    advanced: Advance = unheard


class _StoppedError(Exception):
    """A signal came while a shard was under way; it is left as it is, and made again the next time."""


def run_job(
    model: str | Path,
    source: str | Path,
    task: Task,
    out: str | Path,
    *,
    cluster: Cluster | None = None,
    shard: int | None = None,
    plain: bool = False,
    device: str = "auto",
    listener: Listener | None = None,
    align: Align = "auto",
) -> Outcome:
    """Do the task for every picture of the source, or go on with it. SIGINT and SIGTERM stop it cleanly.

    `cluster` spreads the shards over Ray's workers; None works in this process. `shard` is how many pictures are
    done and lost at once, a multiple of 64. `align`: as `facette.data.aligned.in_frame` takes it.
    Raises UsageError where `out` holds something else, for another source or model than it was begun with, and for
    models of vectors; MissingExtraError where a library is not installed.
    """
    listener, out = listener or Listener(), Path(out)
    one_table = out.suffix in (PARQUET, NPZ)
    if one_table and isinstance(task, Encode):
        task = replace(task, table="npz" if out.suffix == NPZ else "parquet")
    _check(task, out, one_table, cluster)
    job, names, weights = _plan(model, source, task, plain, shard, align)
    folder = out.with_name(out.name + ".parts") if one_table else out
    if one_table and out.exists():
        return _finished_before(job, out, folder)
    with owned(folder, f"facette {task.kind} into {out}"):
        if one_table and out.exists():  # whoever had the folder until now has just finished
            return _finished_before(job, out, folder)
        return _go_on(
            JobLedger(folder), job, names, weights, out if one_table else None, device, cluster, listener
        )


def _go_on(
    ledger: JobLedger,
    job: Job,
    names: NameTable,
    weights: bytes,
    table: Path | None,
    device: str,
    cluster: Cluster | None,
    listener: Listener,
) -> Outcome:
    """Do what is missing of a job whose folder is ours; put it together when nothing is."""
    ledger.begin(job, names, weights)
    pending = ledger.pending()
    listener.begun(job.pictures - _pictures(job, pending), job.pictures)
    worked, number = _work(ledger, pending, device, cluster, listener)
    accounts = ledger.accounts()
    collected = None
    if not number:
        _complain_if_empty(job, accounts)
        collected = _put_together(ledger, job, table)
    return Outcome(
        out=table or ledger.folder,
        pictures=job.pictures,
        rows=sum(account.rows for account in accounts),
        unreadable=tuple((name, why) for account in accounts for name, why in account.unreadable),
        shards=job.shards,
        shards_done=len(accounts),
        shards_here=worked,
        interrupted=bool(number),
        signal=number,
        collected=collected,
        treated=added(account.treated for account in accounts),
    )


def _check(task: Task, out: Path, one_table: bool, cluster: Cluster | None) -> None:
    """What can be refused before anything is listed or loaded."""
    if cluster is not None:
        check_ray()
    if one_table and not isinstance(task, Encode):
        raise UsageError(f"{out.name!r} would be one table, but this makes many files: name a folder.")
    if not one_table and out.suffix:
        raise UsageError(f"cannot write {out.name!r}: end it in .parquet or .npz, or name a folder.")
    if isinstance(task, Encode | Vary):
        check_table(f".{task.table}")


def _plan(
    model: str | Path, source: str | Path, task: Task, plain: bool, shard: int | None, align: Align
) -> tuple[Job, NameTable, bytes]:
    """The job, the pictures' names, and the bytes of the model's file."""
    size = SHARD[task.kind] if shard is None else shard
    if size < BATCH or size % BATCH:
        raise UsageError(
            f"a shard holds a multiple of {BATCH} pictures, got {size}: try {-(-size // BATCH) * BATCH or BATCH}."
        )
    path = find_model(model)
    opened = load_model(path)
    if opened.input.kind != "image":
        raise UsageError(f"{opened.name!r} is a model of {opened.input.kind}s: this needs one of pictures.")
    task = task.for_model(opened) if isinstance(task, Vary) else task
    weights = path.read_bytes()
    pictures = find_pictures(source, opened.input, align)
    if not len(pictures.names):
        raise DataError(f"there are no pictures in {pictures.location!r}.")
    job = Job(
        task=task,
        model=digest_of(weights),
        plain=plain,
        kind=pictures.kind,
        source=pictures.location,
        signature=pictures.signature(),
        pictures=len(pictures.names),
        shard=size,
    )
    return job, pictures.names, weights


def _work(
    ledger: JobLedger, pending: list[int], device: str, cluster: Cluster | None, listener: Listener
) -> tuple[int, int]:
    """Do what is pending; how many shards were done, and the signal that stopped it, 0 for none."""
    assert ledger.job is not None
    worked = 0
    if not pending:
        return worked, 0
    with until_signalled() as stopping:

        def advance(pictures: int) -> None:
            listener.advanced(pictures)
            if stopping.is_set():
                raise _StoppedError

        accounts: Generator[ShardRecord]
        if cluster is None:
            accounts = _work_here(ledger.folder, pending, device, advance)
        else:
            accounts = work_on_cluster(ledger.folder, pending, device, cluster)
        try:
            with closing(accounts):
                for account in accounts:
                    worked += 1
                    if cluster is not None:
                        advance(_pictures(ledger.job, [account.shard]))
        except _StoppedError:
            return worked, stopping.number if worked < len(pending) else 0
    return worked, 0


def _pictures(job: Job, numbers: list[int]) -> int:
    """How many pictures of the collection lie in these shards."""
    return sum(last - first for first, last in map(job.rows, numbers))


def _put_together(ledger: JobLedger, job: Job, table: Path | None) -> Collected | None:
    """The one table that was asked for, or the figures that follow from all sums."""
    if isinstance(job.task, Evaluate):
        sums = (Sums.load(ledger.file(SUMS, number, ".npz")) for number in range(job.shards))
        collected = collect(sums, job.shards)
        report = {"job": job.to_dict(), **collected.to_dict()}
        write_atomically(ledger.folder / EVALUATION, json_of(report, indent=1) + "\n")
        return collected
    if table is not None:
        assert isinstance(job.task, Encode)
        parts = [ledger.file(LATENTS, number, f".{job.task.table}") for number in range(job.shards)]
        unreadable = [pair for account in ledger.accounts() for pair in account.unreadable]
        rows = sum(account.rows for account in ledger.accounts())
        treated = added(account.treated for account in ledger.accounts())
        about = {"job": job.to_dict(), "rows": rows, "unreadable": unreadable, "treated": treated}
        join_tables(parts, table, about)
        ledger.remove()
    return None


def _finished_before(job: Job, out: Path, parts: Path) -> Outcome:
    """The account of a table that is there already. Raises UsageError where it is another job's."""
    about = about_table(out)
    if about is None or about.get("job") != job.to_dict():
        raise UsageError(
            f"{str(out)!r} is there and is damaged or was made of something else: delete it, or give another `out`."
        )
    JobLedger(parts).remove()  # of a process that was killed before it could
    unreadable = tuple((name, why) for name, why in about["unreadable"])
    return Outcome(
        out=out,
        pictures=job.pictures,
        rows=about["rows"],
        unreadable=unreadable,
        shards=job.shards,
        shards_done=job.shards,
        shards_here=0,
        interrupted=False,
        treated=about.get("treated", {}),
    )


def _complain_if_empty(job: Job, accounts: list[ShardRecord]) -> None:
    if not sum(account.rows for account in accounts):
        name, why = accounts[0].unreadable[0]
        raise DataError(
            f"none of the {job.pictures} pictures in {job.source!r} can be read; the first: {name} {why}"
        )


def _work_here(folder: Path, numbers: list[int], device: str, advance: Advance) -> Generator[ShardRecord]:
    """Do these shards one after another in this process; `advance` is told of every batch of pictures."""
    worker = ShardWorker(folder, device, threads=os.cpu_count() or 1)  # which decode pictures ahead
    for number in numbers:
        yield worker.make(number, advance)
