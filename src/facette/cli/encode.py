"""`facette encode`: the latents of a whole collection, one table or a folder of shards."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from facette.cli.collection import Address, Collection, Engine, Gpus, Shard, Workers, cluster_of, work_through
from facette.cli.model import ModelArgument
from facette.cli.output import AlignAll, Device, Json


def encode(
    model: ModelArgument,
    source: Collection,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="latents.parquet, latents.npz, or a folder for Parquet shards."),
    ] = Path("latents.parquet"),
    half: Annotated[bool, typer.Option("--half", help="float16: half the bytes, three digits.")] = False,
    align: AlignAll = True,
    engine: Engine = "here",
    workers: Workers = 1,
    address: Address = None,
    gpus: Gpus = 0.0,
    shard: Shard = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Write mean and σ of every picture, with its name. Run the same command again to go on where it stopped."""
    from facette.scale import Encode, run_job

    run = partial(
        run_job,
        model,
        source,
        Encode(half=half),
        out,
        cluster=cluster_of(engine, workers, address, gpus),
        shard=shard,
        device=device,
        align="auto" if align else "never",
    )
    work_through(Encode.kind, run, as_json)
