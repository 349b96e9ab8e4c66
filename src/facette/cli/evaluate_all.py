"""`facette evaluate-all`: the measures of a collection that is too large to be held at once."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from facette.cli.collection import Address, Collection, Engine, Gpus, Shard, Workers, cluster_of, work_through
from facette.cli.model import ModelArgument, Plain
from facette.cli.output import AlignAll, Device, Json, Seed


def evaluate_all(
    model: ModelArgument,
    source: Collection,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", file_okay=False, help="A folder for the shards' sums and the figures."),
    ],
    plain: Plain = False,
    seed: Seed = 0,
    align: AlignAll = True,
    engine: Engine = "here",
    workers: Workers = 1,
    address: Address = None,
    gpus: Gpus = 0.0,
    shard: Shard = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure reconstructions, bound and latents of a whole collection from sums of its shards. Run the same command
    again to go on where it stopped."""
    from facette.scale import Evaluate, run_job

    run = partial(
        run_job,
        model,
        source,
        Evaluate(seed=seed),
        out,
        cluster=cluster_of(engine, workers, address, gpus),
        shard=shard,
        plain=plain,
        device=device,
        align="auto" if align else "never",
    )
    work_through(Evaluate.kind, run, as_json)
