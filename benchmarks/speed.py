"""How fast Facette trains, beside its peers, in one run: `python benchmarks/speed.py`.

Every comparison runs in turns, A B A B, each in a process of its own, end to end from JPEG files. Figures go to
`results/speed.json` and `results/speed.md`, those of each machine and build of torch beside the others'; a section
that is measured again with `--only` replaces its figures of this machine and leaves the rest. docs/speed.md says what
is measured and how. About a quarter of an hour on two cores; before the first run the pictures are drawn and pythae's
environment is made, both kept in the cache folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import torch
from peer import pythae_python
from sections import SECTIONS, Bench
from table import page
from turns import TurnError

from facette.data.open import cache_folder

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    asked = _arguments()
    chosen = asked.only.split(",") if asked.only else list(SECTIONS)
    if strange := [name for name in chosen if name not in SECTIONS]:
        sys.exit(f"no section {strange[0]!r}; there are {', '.join(SECTIONS)}")
    bench = Bench(asked.cache, asked.data, asked.rounds, asked.peer_seconds, asked.small)
    bench.cache.mkdir(parents=True, exist_ok=True)
    if not asked.small:
        bench.pictures(1920, 256)
    if {"pythae", "faces64"} & set(chosen):
        pythae_python(bench.cache)
    if asked.prepare:
        return
    failed = [name for name in chosen if not _measure(name, bench, asked.results)]
    print(asked.results / "speed.md")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def _measure(name: str, bench: Bench, results: Path) -> bool:
    """One section; what goes wrong in it is said, and the others go on."""
    began = time.monotonic()
    print(f"{name} …", file=sys.stderr, flush=True)
    try:
        figures = SECTIONS[name](bench)
    except TurnError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return False
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    keep(results, name, machine(), {"date": f"{datetime.now(UTC):%Y-%m-%d}", **figures})
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", help=f"sections, with commas: {','.join(SECTIONS)}")
    parser.add_argument(
        "--data", type=Path, help="a folder of at least 2,176 JPEGs; drawn faces when left out"
    )
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side")
    parser.add_argument(
        "--peer-seconds", type=float, default=200.0, help="of pythae's training that faces64 is held against"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--cache", type=Path, default=cache_folder() / "benchmarks")
    parser.add_argument("--prepare", action="store_true", help="only make pictures and environment")
    parser.add_argument(
        "--small", action="store_true", help="tiny sizes: a trial of the benchmark, of no speed"
    )
    return parser.parse_args()


def keep(folder: Path, name: str, where: str, figures: dict) -> None:
    """Put a section's figures of one machine among the others, and write the page anew."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "speed.json"
    results = json.loads(file.read_text("utf-8")) if file.exists() else {}
    results.setdefault(name, {})[where] = figures
    results = {section: results[section] for section in SECTIONS if section in results}
    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (folder / "speed.md").write_text(page(results), "utf-8")


def machine() -> str:
    """The processor, its cores, and torch, in words."""
    cpu = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in cpu.read_text().splitlines()
        if line.startswith("model name")
    ]
    cores = len(os.sched_getaffinity(0))
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {cores} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"


if __name__ == "__main__":
    main()
