"""`facette doctor --system`: what of Facette is installed here, where it computes, and what it keeps.

Enters: the metadata of the installed packages and this machine. Leaves: a report as a dictionary and as lines. Which
library belongs to which extra stands in pyproject.toml alone; here it is read from the installed package.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import Any

from facette.version import VERSION

CORE = ""  # the name under which what every install brings is listed


def examine_system() -> dict[str, Any]:
    """What is there: packages by extra, device and threads, caches."""
    return {
        "facette": VERSION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "environment": sys.prefix,
        "extras": installed_extras(requires("facette") or []),
        "compute": _compute(),
        "cache": _cache(),
    }


def installed_extras(requirements: list[str]) -> dict[str, dict[str, str | None]]:
    """Each extra's libraries with their installed versions, None for what is missing.

    `requirements` as package metadata has them, e.g. `gradio<7,>=6.16; extra == 'studio'`. An extra that only names
    others (`facette[all]`) is not listed.
    """
    extras: dict[str, dict[str, str | None]] = {}
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", requirement)
        if name is None or name[0] == "facette":
            continue
        extras.setdefault(extra[1] if extra else CORE, {})[name[0]] = _version(name[0])
    return extras


def lines(report: dict[str, Any]) -> list[str]:
    """The report for people: what is there, then what is missing and the line that brings it."""
    from facette.cli.cache import size

    compute, cache = report["compute"], report["cache"]
    rows = [
        f"facette {report['facette']}, Python {report['python']}, {report['system']}",
        f"in {report['environment']}",
        "",
        f"draws with   {compute['draws'] or 'nothing: onnxruntime is missing'}",
        f"learns with  {compute['learns'] or 'nothing here: torch is missing'}",
        f"threads      {compute['threads']}",
        f"layers       {_ways(compute['kernels'])}",
        f"cache        {size(cache['size'])} in {cache['folder']} (facette cache clear empties it)",
        "",
    ]
    for extra, libraries in report["extras"].items():
        missing = [name for name, installed in libraries.items() if installed is None]
        more = f" and {len(missing) - 3} more" if len(missing) > 4 else ""
        state = f"misses {', '.join(missing[:3] if more else missing)}{more}" if missing else "complete"
        remedy = f'  pip install "facette[{extra}]"' if extra else "  pip install --force-reinstall facette"
        rows.append(f"{extra or 'core':<10} {state}{remedy if missing else ''}")
    return rows


def _ways(kernels: dict[str, Any] | None) -> str:
    """How layers compute on the CPU, as far as it was measured."""
    if kernels is None:
        return "not measured here yet: the first training on the CPU does"
    differing = ", ".join(f"{name} {value}" for name, value in kernels.items())
    return f"measured: {differing or 'the usual ways are the quickest here'}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _compute() -> dict[str, Any]:
    """Where networks are computed; torch is imported to ask for its device, for a reader waits for nothing else."""
    threads = f"{_cores()} cores"
    if limit := os.environ.get("OMP_NUM_THREADS"):
        threads += f", OMP_NUM_THREADS={limit}"
    draws = learns = kernels = None
    if find_spec("onnxruntime"):
        draws = f"onnxruntime {_version('onnxruntime')} on the CPU"
    if find_spec("torch"):
        import torch

        cards = [torch.cuda.get_device_name(card) for card in range(torch.cuda.device_count())]
        learns = f"torch {torch.__version__} on {', '.join(cards) or 'the CPU: it sees no CUDA device'}"
        from facette.model.kernels.choices import kept_choices

        choices = kept_choices()
        kernels = None if choices is None else choices.unusual()
        threads += f", torch uses {torch.get_num_threads()}"
    return {"draws": draws, "learns": learns, "threads": threads, "kernels": kernels}


def _cores() -> int:
    """The cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cache() -> dict[str, Any]:
    from facette.data.cache import list_cache
    from facette.data.open import cache_folder

    folder = cache_folder()
    entries = list_cache(folder)
    return {"folder": str(folder), "size": sum(entry.size for entry in entries), "entries": len(entries)}
