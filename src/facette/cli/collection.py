"""What the commands share that work through a whole collection: where they work, and how they tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.failures import leave_if_interrupted
from facette.cli.output import emit, progress, remark

if TYPE_CHECKING:
    from collections.abc import Callable

    from facette.scale import Outcome
    from facette.scale.cluster import Cluster

Collection = Annotated[
    str,
    typer.Argument(
        help="A folder or zip of pictures, nested or flat, a CelebA folder, or synthetic-faces[:COUNT]."
    ),
]
Engine = Annotated[
    Literal["here", "ray"],
    typer.Option("--engine", help="here: this process. ray: workers of Ray Data, here or on a cluster."),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="How many processes, with --engine ray.")]
Address = Annotated[
    str | None,
    typer.Option("--address", help="A Ray cluster that exists (auto: the one this machine is part of)."),
]
Gpus = Annotated[float, typer.Option("--gpus", min=0, help="GPUs of one Ray worker; halves share one.")]
Shard = Annotated[
    int | None,
    typer.Option("--shard", metavar="N", help="Pictures that are done, and lost by a crash, at once."),
]


def cluster_of(engine: str, workers: int, address: str | None, gpus: float) -> Cluster | None:
    """Where a job works; None is this process. Raises UsageError for a wish that this process cannot fulfil."""
    from facette.errors import UsageError
    from facette.scale.cluster import Cluster

    if engine == "ray":
        return Cluster(workers, address, gpus)
    if address is not None or workers != 1 or gpus:
        raise UsageError("--workers, --address and --gpus go with --engine ray.")
    return None


def work_through(kind: str, run: Callable[..., Outcome], as_json: bool) -> None:
    """Run a job, which takes a `listener`, with a bar that shows rate and time left, and say what came of it."""
    from facette.cli.data import remark_left_out
    from facette.scale.run import Listener

    with progress(None, kind, "pictures") as bar:

        def begun(done: int, pictures: int) -> None:
            bar.total(pictures)
            bar.advance(done)

        ended = run(listener=Listener(begun, bar.advance))
    for sentence in _taken_in(ended):
        remark(sentence)
    remark_left_out(ended.unreadable, "--json")
    emit(_account(ended), _spoken(ended), as_json)
    leave_if_interrupted(ended.interrupted, ended.signal)


def _taken_in(ended: Outcome) -> list[str]:
    from facette.cli.data import account_in_words
    from facette.data.treatment import in_words

    aligned = ended.treated.get("aligned", 0)
    sentences = [
        account_in_words(aligned, ended.rows - aligned, len(ended.unreadable)),
        in_words(ended.treated, ended.rows),
    ]
    return [sentence for sentence in sentences if sentence]


def _account(ended: Outcome) -> dict[str, Any]:
    account: dict[str, Any] = {
        "out": str(ended.out),
        "pictures": ended.pictures,
        "rows": ended.rows,
        "unreadable": [{"name": name, "reason": why} for name, why in ended.unreadable],
        "treated": dict(ended.treated),
        "shards": ended.shards,
        "shards_done": ended.shards_done,
        "shards_here": ended.shards_here,
        "interrupted": ended.interrupted,
    }
    return account | ({"evaluation": ended.collected.to_dict()} if ended.collected else {})


def _spoken(ended: Outcome) -> str:
    if ended.interrupted:
        return (
            f"stopped with {ended.shards_done:,} of {ended.shards:,} shards done; run the same command to go on: "
            f"{ended.out}"
        )
    if ended.collected is None:
        return f"{ended.out}"
    lines = [f"{ended.collected.pictures:,} pictures: {ended.out}"]
    for name, figure in ended.collected.figures.items():
        between = "" if figure.low is None else f"  ({figure.low:.6g} to {figure.high:.6g})"
        lines.append(f"{name:32} {figure.value:.6g}{between}")
    lines.append(f"{'active units':32} {ended.collected.active} of {len(ended.collected.activity)}")
    return "\n".join(lines)
