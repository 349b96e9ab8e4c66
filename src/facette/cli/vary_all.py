"""`facette vary-all`: relatives of every picture of a collection, as files and as latents."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.collection import Address, Collection, Engine, Gpus, Shard, Workers, cluster_of, work_through
from facette.cli.model import ModelArgument, Plain
from facette.cli.output import AlignAll, Device, Json, Seed
from facette.cli.photo import Details
from facette.cli.vary import Diversity, NoiseKind, parse_diversity


def vary_all(
    model: ModelArgument,
    source: Collection,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", file_okay=False, help="A folder for pictures and latents, in shards."),
    ],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Variations of each picture.")] = 10,
    diversity: Diversity = None,
    noise: NoiseKind = None,
    details: Details = "photo",
    format: Annotated[Literal["jpg", "png"], typer.Option("--format")] = "jpg",
    zipped: Annotated[
        bool, typer.Option("--zip", help="One archive a shard instead of a folder of files.")
    ] = False,
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
    """Make relatives of every picture, at the model's size. The table beside them has the seed of each, for
    `facette vary --pick`. Run the same command again to go on where it stopped."""
    from facette.scale import Vary, run_job

    run = partial(
        run_job,
        model,
        source,
        Vary(
            count=count,
            diversity=parse_diversity(diversity),
            noise=noise,
            details=details,
            seed=seed,
            format=format,
            zipped=zipped,
        ),
        out,
        cluster=cluster_of(engine, workers, address, gpus),
        shard=shard,
        plain=plain,
        device=device,
        align="auto" if align else "never",
    )
    work_through(Vary.kind, run, as_json)
