"""The folder of a job: what is to be done, what is done, and how a shard's files come to be there exactly once.

Enters: a job, and shards as they are finished. Leaves: the numbers of those that are missing. Knows nothing of
models or pixels.

    job.json              what is made of which pictures by which model; another job is refused this folder
    model.safetensors     the model itself, so that all workers use the same
    listing/              the names of all pictures, in order, memory-mapped by the workers
    latents-000012.parquet, pictures-000012/ or .zip, sums-000012.npz    what a shard left, by the task
    done/000012.json      its account; written last: a shard without it is made again

Every name depends on the shard's number alone, every file is renamed into place when it is whole, and what is in it
depends on the job alone. So a shard that is made twice, by a worker thought dead or after a crash, is there once.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facette.data.names import NameTable
from facette.errors import UsageError
from facette.files import (
    LOCK,
    OWNER,
    digest_of_file,
    json_of,
    sealed,
    temporary_beside,
    unsealed,
    write_atomically,
)
from facette.scale.tasks import Task, task_of

FORMAT = 1
JOB, DONE, LISTING, MODEL = "job.json", "done", "listing", "model.safetensors"


@dataclass(frozen=True, slots=True)
class Job:
    """What is made of what. Two jobs are the same when these values are."""

    task: Task
    model: str  # digest of the model file
    plain: bool  # without the model's second stage
    kind: str  # of the collection: folder, zip or synthetic-faces
    source: str  # where it lies
    signature: str  # of its listing
    pictures: int
    shard: int  # pictures of a shard

    @property
    def shards(self) -> int:
        return -(-self.pictures // self.shard)

    def rows(self, number: int) -> tuple[int, int]:
        """First row of a shard, and the row behind its last."""
        return number * self.shard, min(self.pictures, (number + 1) * self.shard)

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self), "task": {"kind": self.task.kind, **asdict(self.task)}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Job:
        settings = dict(data["task"])
        plain = {name: value for name, value in data.items() if name not in ("format", "task")}
        return cls(task=task_of(settings.pop("kind"), settings), **plain)


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """What became of a shard."""

    shard: int
    rows: int  # pictures that were read
    unreadable: list[list[str]]  # name and reason of those that were not
    files: dict[str, int] = field(default_factory=dict)  # name → bytes (of a folder: all files')
    digests: dict[str, str] = field(default_factory=dict)  # name → digest of its content, for tables and sums
    # what was done to how many pictures, "aligned" among it
    treated: dict[str, int] = field(default_factory=dict)


class JobLedger:
    """The folder, opened. `job` is None until one was begun there."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.job = self._read_job()

    def begin(self, job: Job, names: NameTable, model: bytes) -> None:
        """Make the folder that of the job, or go on with it. Raises UsageError where it is another's.

        What all workers read is written anew each time: a disk may have lost a bit of it since.
        """
        if self.job is not None:
            _refuse_another(self.folder, self.job, job)
        elif self.folder.exists() and any(not _is_ours(path.name) for path in self.folder.iterdir()):
            raise UsageError(f"{str(self.folder)!r} holds other files; give an empty or new folder by `out`.")
        (self.folder / DONE).mkdir(parents=True, exist_ok=True)
        (self.folder / LISTING).mkdir(exist_ok=True)
        names.save(self.folder / LISTING)
        write_atomically(self.folder / MODEL, model)
        text = json_of(sealed(job.to_dict()), indent=1)
        write_atomically(self.folder / JOB, text + "\n")
        self.job = job

    def names(self) -> NameTable:
        return NameTable.load(self.folder / LISTING)

    def accounts(self) -> list[ShardRecord]:
        """Of every finished shard, in order."""
        return [account for number in self._numbers() if (account := self._account(number)) is not None]

    def pending(self) -> list[int]:
        """Shards that are to be made: without an account, or with one whose files are not what it says."""
        assert self.job is not None
        done = {account.shard for account in self.accounts() if self._is_whole(account)}
        return [number for number in range(self.job.shards) if number not in done]

    def file(self, stem: str, number: int, suffix: str) -> Path:
        """Where a shard's file goes."""
        return self.folder / f"{stem}-{number:06d}{suffix}"

    def finish(
        self,
        number: int,
        rows: int,
        unreadable: dict[str, str],
        paths: list[Path],
        treated: dict[str, int] | None = None,
    ) -> ShardRecord:
        """Say that a shard is done: its files are in their places."""
        files = {path.name: _bytes_of(path) for path in paths}
        digests = {path.name: digest_of_file(path) for path in paths if _is_read_again(path)}
        account = ShardRecord(
            number, rows, [list(pair) for pair in unreadable.items()], files, digests, treated or {}
        )
        text = json_of(sealed(asdict(account)))
        write_atomically(self._account_path(number), text + "\n")
        return account

    def remove(self) -> None:
        """Take the folder away, in one step, once what it held was joined elsewhere."""
        if self.folder.exists():
            doomed = temporary_beside(self.folder)
            self.folder.rename(doomed)
            shutil.rmtree(doomed)

    def _read_job(self) -> Job | None:
        path = self.folder / JOB
        if not path.is_file():
            return None
        try:
            data = unsealed(json.loads(path.read_bytes()))
            if data["format"] != FORMAT:
                raise UsageError(f"{str(path)!r} has format {data['format']!r}; this Facette reads {FORMAT}.")
            return Job.from_dict(data)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(f"{str(path)!r} is no job of Facette's ({error}); give another `out`.") from None

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in (self.folder / DONE).glob("*.json") if path.stem.isdigit())

    def _account(self, number: int) -> ShardRecord | None:
        try:
            return ShardRecord(**unsealed(json.loads(self._account_path(number).read_bytes())))
        except (
            ValueError,
            TypeError,
            RecursionError,
        ):  # a disk that lost some of it: the shard is made again
            return None

    def _account_path(self, number: int) -> Path:
        return self.folder / DONE / f"{number:06d}.json"

    def _is_whole(self, account: ShardRecord) -> bool:
        paths = {name: self.folder / name for name in account.files}
        sized = all(
            paths[name].exists() and _bytes_of(paths[name]) == size for name, size in account.files.items()
        )
        return sized and all(
            digest_of_file(paths[name]) == digest for name, digest in account.digests.items()
        )


def _is_ours(name: str) -> bool:
    """Whether a job that was killed while it began may have left this."""
    return name in (DONE, LISTING, MODEL, LOCK, OWNER) or name.endswith(".tmp")


def _is_read_again(path: Path) -> bool:
    """Whether the job itself reads it when it is put together; pictures are many bytes and go to people."""
    return path.suffix in (".parquet", ".npz")


def _bytes_of(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size


def _refuse_another(folder: Path, there: Job, wished: Job) -> None:
    before, now = there.to_dict(), wished.to_dict()
    before |= {f"task.{name}": value for name, value in before.pop("task").items()}
    now |= {f"task.{name}": value for name, value in now.pop("task").items()}
    if before == now:
        return
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    reasons = {"signature": "the pictures have changed since", "model": "the model is another"}
    listed = "; ".join(
        reasons.get(name) or f"{name.removeprefix('task.')} was {before.get(name)}, is {now.get(name)}"
        for name in changed
    )
    raise UsageError(f"the job in {str(folder)!r} is another: {listed}; give another folder by `out`.")
