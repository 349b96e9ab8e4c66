"""Where and how numbers are computed: device, precision, seeds, and which of several processes this is.

Enters: what the user asked for. Leaves: torch devices, dtypes, generators, and seeds, which need no torch. Knows
nothing of models or data.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facette.errors import UsageError

if TYPE_CHECKING:
    import torch


def choose_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA when there is one, else the CPU. Raises UsageError for a device that is not there."""
    import torch

    if name == "auto":
        return (
            torch.device("cuda", Rank.current().local) if torch.cuda.is_available() else torch.device("cpu")
        )
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device is called {name!r}: use auto, cpu, cuda or cuda:N") from None
    if not _is_there(device):
        raise UsageError(f"device {name!r} was asked for, but torch sees none of it here: use `device='cpu'`")
    return device


def _is_there(device: torch.device) -> bool:
    import torch

    match device.type:
        case "cpu":
            return True
        case "cuda":
            return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
        case "mps":
            return torch.backends.mps.is_available()
        case "xpu":
            return torch.xpu.is_available()
    return False  # devices on which nothing is computed (meta), or for which torch was not built


def wide(numbers: torch.Tensor) -> torch.Tensor:
    """The numbers in float64, for long sums: where they lie, or on the CPU where their device has none (Apple's)."""
    return (numbers.cpu() if numbers.device.type == "mps" else numbers).double()


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The autocast type for a recipe's precision; None computes in float32.

    `auto` means bf16 on CUDA hardware that has it and float32 on CPUs, where bf16 convolutions were measured
    at 0.6 of the float32 rate even with AVX512-BF16.
    """
    import torch

    if precision == "bf16":
        return torch.bfloat16
    if precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return None


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed for the next step, where it is glibc; returns whether it agreed.

    By default glibc gives every block of more than a few MB back to the system and takes a new one from it, page by
    page: 78,000 page faults in a step of the classic network, a fifth of its time. Memory that a step once needed
    then stays with the process, so call it where the same sizes come again and again: in training.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # old versions: 32 MiB at most
    agreed = [bool(mallopt(_MMAP_THRESHOLD, size)) for size in (32 << 20, 1 << 30)]
    return any(agreed) and bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1)) and bool(mallopt(_TOP_PAD, 64 << 20))


def spare_memory() -> bool:
    """Let the C library give large blocks back to the system when they are freed, where it is glibc; whether it agreed.

    The opposite of `keep_freed_memory`, where memory is short and not time. By default glibc raises the size of what it
    keeps to what was freed last: 170 MB of nothing beside the 850 that a step of pythae's network needs.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    agreed = [bool(mallopt(what, _LARGE)) for what in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)]
    return all(agreed)


def give_back_freed_memory() -> bool:
    """Give what is free in the C library's heaps back to the system, where it is glibc; returns whether any was.

    For a process that has done much at once and may now wait for hours.
    """
    return platform.libc_ver()[0] == "glibc" and bool(ctypes.CDLL(None).malloc_trim(0))


YIELDING = 10  # of niceness: a tenth of a busy core beside a thread without


def yield_to_others() -> None:
    """Let this thread compute when others have no need of its core, where threads have such ranks: on Linux."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(YIELDING, os.getpriority(os.PRIO_PROCESS, thread)))


# bytes: maps of large networks; to hand out those of small ones anew costs more than they take
_LARGE = 4 << 20
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h


def generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator that is a pure function of its parts, e.g. (seed, "noise", step)."""
    import torch

    return torch.Generator(device).manual_seed(derive_seed(*parts))


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed that is a pure function of its parts; different parts give unrelated streams."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@dataclass(frozen=True, slots=True)
class Rank:
    """This process among the processes of a run, as `torchrun` sets it."""

    index: int = 0
    world: int = 1
    local: int = 0  # on its own machine

    @classmethod
    def current(cls) -> Rank:
        env = os.environ
        return cls(int(env.get("RANK", 0)), int(env.get("WORLD_SIZE", 1)), int(env.get("LOCAL_RANK", 0)))

    @property
    def leads(self) -> bool:
        return self.index == 0
