"""Which of several ways layers are computed in training on a CPU: measured on the machine at hand, not guessed.

Every way gives the same numbers to rounding; which is quickest depends on caches, vector units and libraries. A
measurement of about a second decides, once for a machine: what it came to is kept in the user's cache and, for a run,
in its state, so that a run that goes on elsewhere computes as it began. Cards have ways of their own and are not
measured.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from facette.errors import UsageError
from facette.files import user_cache, write_atomically
from facette.model.blocks import PictureConv2d, Resize, ToMap, TransposedConv2d
from facette.model.kernels.normed import PART, NormedConv

KEPT = "kernels.json"  # in the cache
MARGIN = 0.08  # by which another way must be quicker than the usual one: less than that is noise
ROUNDS = 9
LIMIT = 3.0  # seconds after which whatever is not measured stays as usual, on a machine too slow or too busy


@dataclass(frozen=True, slots=True)
class KernelChoices:
    """The ways. What stands here was quickest where it was written (docs/speed.md), and holds without measuring."""

    layout: Literal["channels-last", "contiguous"] = "channels-last"
    """Of weights and maps in memory."""
    norm_in_place: bool = True
    """Batch norm and leaky ReLU over the convolution's own output."""
    norm_part: int = PART
    """Numbers that are worked on at once there."""
    bias_apart: bool = True
    """The bias of a transposed convolution in a pass of its own."""
    picture_blocks: bool = True
    """A picture drawn in blocks of 2×2 pixels."""
    resize_products: bool = True
    """Pictures resized by two products of matrices."""
    threads: int | None = None
    """For everything; None leaves them to torch."""

    @classmethod
    def read(cls, values: Mapping[str, Any] | None) -> KernelChoices:
        """Of plain values, such as a state's header has; what is not among them, or unknown here, is as usual."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in (values or {}).items() if name in known})

    def unusual(self) -> dict[str, Any]:
        """What differs from the usual ways."""
        usual = asdict(KernelChoices())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


USUAL = KernelChoices()


def choose_kernels(network: nn.Module, choices: KernelChoices) -> None:
    """Let a network's layers compute in these ways from now on, in training. Threads are the process's: `threads`."""
    last = choices.layout == "channels-last"
    network.to(memory_format=torch.channels_last if last else torch.contiguous_format)  # type: ignore[call-overload]
    for part in network.modules():
        match part:
            case NormedConv():
                part.overwrites, part.part = choices.norm_in_place, choices.norm_part
            case TransposedConv2d():
                part.bias_apart = choices.bias_apart
            case PictureConv2d():
                part.in_blocks = choices.picture_blocks
            case Resize():
                part.by_products = choices.resize_products
            case ToMap():
                part.channels_last = last


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """So many threads inside; None leaves them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ── kept for a machine ───────────────────────────────────────────────────────────────────────────────────


def machine_choices() -> KernelChoices:
    """The choices of this machine: those that are kept, or else measured now and kept.

    The usual ones where measuring fails.
    """
    kept = kept_choices()
    if kept is not None:
        return kept
    try:
        choices = measure_choices()
    except (RuntimeError, MemoryError):
        return USUAL
    with suppress(OSError, UsageError):  # then the next run measures again
        path = user_cache() / KEPT
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(
            path, json.dumps({"machine": _machine(), "choices": asdict(choices)}, indent=1) + "\n"
        )
    return kept_choices() or choices  # another process may have been first to keep its own


def kept_choices() -> KernelChoices | None:
    """What was measured on this machine with this torch before; None for nothing."""
    try:
        kept = json.loads((user_cache() / KEPT).read_text("utf-8"))
        return KernelChoices.read(kept["choices"]) if kept["machine"] == _machine() else None
    except (OSError, UsageError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _machine() -> dict[str, Any]:
    """What the choices depend on."""
    return {"processor": _processor(), "threads": torch.get_num_threads(), "torch": version("torch")}


def _processor() -> str:
    with suppress(OSError, IndexError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(iter([line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]))
    return f"{platform.processor()} {platform.machine()}".strip()


# ── measured ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to the machine: what a field's values come to in the work that depends on it; the usual one first."""

    field: str
    values: tuple[Any, ...]
    work: Callable[[KernelChoices], Callable[[], object]]


def measure_choices(
    probes: Sequence[Probe] | None = None, clock: Callable[[], float] = time.perf_counter
) -> KernelChoices:
    """Time every probe's values in turns, and take what is clearly quicker than the usual way."""
    choices, began = USUAL, clock()
    for probe in probes_here() if probes is None else probes:
        works = {value: probe.work(replace(choices, **{probe.field: value})) for value in probe.values}
        times: dict[Hashable, list[float]] = {value: [] for value in works}
        for turn in range(1 + ROUNDS):
            for value, work in works.items():
                before = clock()
                work()
                if turn:  # the first chooses kernels and fills the heap
                    times[value].append(clock() - before)
            if clock() - began > LIMIT:
                return choices
        choices = replace(choices, **{probe.field: decide(times, probe.values[0])})
    return choices


def decide(times: Mapping[Any, Sequence[float]], usual: Any) -> Any:
    """The value with the shortest of its times (seconds, turn by turn), where that is shorter than the usual one's by
    the margin and it was quicker in every turn but one at most: a machine that others disturb computes as usual."""

    def clearly(value: Any) -> bool:
        lost = sum(mine >= theirs for mine, theirs in zip(times[value], times[usual], strict=True))
        return lost <= 1 and min(times[value]) < (1 - MARGIN) * min(times[usual])

    return min(filter(clearly, times), key=lambda value: min(times[value]), default=usual)


def probes_here() -> list[Probe]:
    """A tenth of a second or two for each; threads last, with what was chosen before."""
    return [
        Probe("layout", ("channels-last", "contiguous"), _convolutions),
        Probe("norm_in_place", (True, False), _norm),
        Probe("norm_part", (PART, PART // 4, PART * 4), _norm),
        Probe("bias_apart", (True, False), _transposed),
        Probe("picture_blocks", (True, False), _picture),
        Probe("resize_products", (True, False), _resize),
        Probe(
            "threads", _thread_counts(), lambda choices: _threaded(choices.threads, _convolutions(choices))
        ),
    ]


def _thread_counts() -> tuple[int | None, ...]:
    """As torch has it, half as many, and one for each core that may be used; only the first where the user has said."""
    usual = torch.get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else usual
    if "OMP_NUM_THREADS" in os.environ or cores == 1:
        return (None,)
    return (None, *sorted({max(1, usual // 2), cores} - {usual}))


def _threaded(count: int | None, work: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        with threads(count):
            work()

    return run


def _trained(network: nn.Module, choices: KernelChoices, *shape: int) -> Callable[[], object]:
    """Forward and backward of a layer on a map of its shape."""
    network.train()
    choose_kernels(network, choices)
    last = choices.layout == "channels-last"
    x = torch.rand(shape).contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)

    def run() -> None:
        entering: Tensor = x.detach().requires_grad_()
        network(entering * 1.0).sum().backward()

    return run


def _convolutions(choices: KernelChoices) -> Callable[[], object]:
    layers = nn.Sequential(
        nn.Conv2d(64, 64, 3, padding=1), nn.GroupNorm(4, 64), nn.SiLU(), nn.Conv2d(64, 64, 3, padding=1)
    )
    return _trained(layers, choices, 8, 64, 16, 16)


def _norm(choices: KernelChoices) -> Callable[[], object]:
    layer = NormedConv(nn.Conv2d(4, 32, 1), nn.BatchNorm2d(32), nn.LeakyReLU(0.01, inplace=True))
    return _trained(layer, choices, 8, 4, 80, 80)


def _transposed(choices: KernelChoices) -> Callable[[], object]:
    return _trained(TransposedConv2d(32, 32, 3, 2, 1, 1), choices, 4, 32, 40, 40)


def _picture(choices: KernelChoices) -> Callable[[], object]:
    return _trained(PictureConv2d(32, 3, 3, padding=1), choices, 4, 32, 80, 80)


def _resize(choices: KernelChoices) -> Callable[[], object]:
    return _trained(Resize((75, 75)), choices, 8, 3, 80, 80)
