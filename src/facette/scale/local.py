"""The shards of a job, one after another in this process: pictures are decoded ahead by threads of their own."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

from facette.progress import Advance
from facette.scale.ledger import Account
from facette.scale.shards import Bench


def work_here(folder: Path, numbers: list[int], device: str, advance: Advance) -> Generator[Account]:
    """Do these shards; `advance` is told of every batch of pictures."""
    bench = Bench(folder, device, threads=os.cpu_count() or 1)
    for number in numbers:
        yield bench.make(number, advance)
