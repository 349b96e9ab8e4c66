"""The shards of a job, spread over the workers of Ray Data: a cluster of this machine alone, or one that exists.

Enters: the folder of a job, which every worker must see under the same path, and the numbers of shards. Leaves: their
accounts, as they are finished. Ray starts a worker anew that was killed and gives its shard to another; since a
shard's files depend on its number alone and appear whole, it does not matter how often one is begun.

Nothing is reported to anybody: usage statistics and the dashboard are off, and a cluster of our own listens on this
machine's loopback only.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facette.errors import FacetteError, UsageError, import_extra
from facette.scale.ledger import ShardRecord

STORE_BYTES = 128 * 2**20  # of shared memory: shard numbers and accounts are all that travels


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to work and with how much."""

    workers: int = 1
    address: str | None = None  # of a cluster that exists, "auto" for the one this machine belongs to
    gpus: float = 0.0  # of one worker

    def __post_init__(self) -> None:
        if self.workers < 1 or self.gpus < 0:
            raise UsageError(
                f"a cluster has at least one worker, got {self.workers} with {self.gpus:g} GPUs each."
            )


def check_ray() -> None:
    """Raises MissingExtraError where Ray is not installed."""
    import_extra("ray", "scale", "Working on a cluster (`engine='ray'`)")


def work_on_cluster(
    folder: Path, numbers: list[int], device: str, cluster: Cluster
) -> Generator[ShardRecord]:
    """Do these shards on the cluster; they come back in the order they are finished in."""
    check_ray()
    with _connected(cluster):
        import ray.data

        logging.getLogger("ray.data").setLevel(logging.ERROR)  # which the import set to INFO
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        shards = ray.data.from_items(
            [{"shard": number} for number in numbers], override_num_blocks=min(len(numbers), 1000)
        )
        done = shards.map_batches(
            Worker,
            fn_constructor_args=(str(folder.resolve()), device),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(cluster.workers, len(numbers))),
            num_cpus=1,
            num_gpus=cluster.gpus,
        )
        for row in done.iter_rows():
            if row["error"]:
                raise UsageError(f"a worker could not do its part: {row['error']}")
            yield ShardRecord(**_account(row["account"]))


class Worker:
    """One process of the cluster: opens the job once, then does the shards it is given."""

    def __init__(self, folder: str, device: str):
        self.folder, self.device = folder, device
        self.worker: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import json

        accounts, errors = [], []
        for number in batch["shard"]:
            try:
                accounts.append(json.dumps(asdict(self._open().make(int(number)))))
                errors.append("")
            except FacetteError as error:  # a fault of the user's, said once by whoever started the job
                accounts.append("")
                errors.append(str(error))
        return {"shard": batch["shard"], "account": accounts, "error": errors}

    def _open(self) -> Any:
        if self.worker is None:
            from facette.scale.shards import ShardWorker

            self.worker = ShardWorker(self.folder, self.device)
        return self.worker


def _account(text: str) -> dict[str, Any]:
    import json

    return json.loads(text)


@contextmanager
def _connected(cluster: Cluster) -> Iterator[None]:
    """Join the cluster, or start one that ends with the block."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    # What Ray says of a worker that died goes to stdout, where results belong.
    with redirect_stdout(sys.stderr):
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if cluster.address is not None:
                ray.init(address=cluster.address, **quiet)
            else:
                ray.init(
                    address="local",  # and not what somebody else started on this machine, or a killed job left
                    num_cpus=cluster.workers,
                    include_dashboard=False,
                    object_store_memory=STORE_BYTES,
                    _node_ip_address="127.0.0.1",
                    **quiet,
                )
        except Exception as error:  # Ray has no family of its own for a start that fails or times out
            raise UsageError(f"no cluster at {cluster.address or 'this machine'}: {error}") from None
        try:
            yield
        finally:
            ray.shutdown()
