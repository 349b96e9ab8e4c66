"""`facette encode`: the latents of a whole collection, one table or a folder of shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facette.cli.collection import Address, Collection, Engine, Gpus, Shard, Workers, work_through
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
    from facette.scale import Encode

    work_through(
        model,
        source,
        Encode(half=half),
        out,
        engine=engine,
        workers=workers,
        address=address,
        gpus=gpus,
        shard=shard,
        plain=False,
        device=device,
        align=align,
        as_json=as_json,
    )
