"""Ways of making relatives of one photo, brought under one roof: ours, and a diffusion model's.

Enters: a loaded model or pipeline and the photo in its own size. Leaves, for a level of the method's one knob and
some seeds: uint8 pictures, how long they took, and how much memory. Knows nothing of similarity or of matching.

The knob of a VAE is the diversity factor (of σ), that of image-to-image the strength. At 0 each method gives the
reconstruction of its own autoencoder.
"""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from facette.comparison.diffusion import Diffusion
from facette.latent.noise import normal_draws
from facette.latent.points import decode_each, encode_each
from facette.latent.vary import strength_of, varied_latents
from facette.progress import Advance

FARTHEST = 2.0  # a VAE's strongest factor adds noise of so many standard deviations of its prior


@dataclass(frozen=True, slots=True)
class MethodOutput:
    """Pictures of one method at one level."""

    pictures: np.ndarray  # uint8 (N, H, H, 3), H as the method makes them
    withheld: tuple[bool, ...]  # blackened by a safety checker, so nothing can be said of them
    seconds: float  # for each picture, on average
    # bytes: the most that was taken while they were made; None where the system does not tell
    memory: int | None


@dataclass(frozen=True, slots=True)
class Size:
    """How large the networks of a method are."""

    parameters: int
    bytes: int


class Method(Protocol):
    """A way of making relatives of one photo."""

    @property
    def name(self) -> str: ...

    @property
    def knob(self) -> str: ...

    @property
    def strongest(self) -> float:
        """The highest level that is tried."""
        ...

    @property
    def levels(self) -> tuple[float, ...] | None:
        """The only levels there are, ascending; None when any number is one."""
        ...

    def make(self, level: float, seeds: Sequence[int], progress: Advance) -> MethodOutput: ...

    def size(self) -> Size: ...


class VaeMethod:
    """Variations of a Facette model: z = μ + factor · σ · ε."""

    knob = "diversity factor"
    levels = None

    def __init__(self, model: Any, photo: np.ndarray, name: str):
        self.model, self.photo, self.name = model, photo, name
        typical = float(model.encode(photo[None]).scale.mean())  # the mean posterior σ; the prior's is 1
        self.strongest = max(1.0, float(round(FARTHEST / typical)))

    def make(self, level: float, seeds: Sequence[int], progress: Advance) -> MethodOutput:
        """The picture of each seed, as `vary` makes it."""
        with Watch(self.model.device, networks_of(self.model)) as watch:
            mean, scale = encode_each(self.model, self.photo[None])  # (1, Z), (1, Z)
            noise = normal_draws(seeds, mean.shape[1])  # (N, Z)
            pictures = decode_each(self.model, varied_latents(mean, scale, noise, strength_of(level)))
        return MethodOutput(pictures, (False,) * len(seeds), watch.seconds / len(seeds), watch.memory)

    def size(self) -> Size:
        return size_of(networks_of(self.model))


class DiffusionMethod:
    """Image-to-image of a diffusion checkpoint."""

    knob = "strength"
    strongest = 1.0

    def __init__(self, diffusion: Diffusion, photo: np.ndarray):
        self.diffusion, self.photo, self.name = diffusion, photo, diffusion.name
        steps = diffusion.settings.steps
        self.levels = tuple(step / steps for step in range(steps + 1))

    def make(self, level: float, seeds: Sequence[int], progress: Advance) -> MethodOutput:
        """One picture for each seed, one after another, so that each is the same alone as among others."""
        pictures, withheld = [], []
        with Watch(self.diffusion.device, self.diffusion.networks) as watch:
            for seed in seeds:
                drawn = self.diffusion.draw(self.photo, level, seed, lambda: progress(1))
                pictures.append(drawn.pictures[0])
                withheld.append(drawn.withheld[0])
        return MethodOutput(np.stack(pictures), tuple(withheld), watch.seconds / len(pictures), watch.memory)

    def size(self) -> Size:
        return size_of(self.diffusion.networks)


class Watch:
    """Seconds of a block, and the memory that some networks needed in it; both are there once it has ended.

    Memory is the networks' weights on the device and the most that was taken on top of what was in use before: on
    CUDA as torch allocated it, on Linux as the process held it. Other systems do not tell it for a part of a run.
    """

    seconds: float
    memory: int | None

    def __init__(self, device: torch.device, networks: dict[str, nn.Module]):
        self.device = device
        here = [
            p for network in networks.values() for p in network.parameters() if p.device.type == device.type
        ]
        self._weights = sum(p.numel() * p.element_size() for p in here)

    def __enter__(self) -> Watch:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before: int | None = torch.cuda.memory_allocated(self.device)
        else:
            self._before = _reset_peak()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds = time.perf_counter() - self._began
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else _peak()
        told = peak is not None and self._before is not None
        self.memory = self._weights + max(0, peak - self._before) if told else None  # type: ignore[operator]


def networks_of(model: Any) -> dict[str, nn.Module]:
    """The networks that a Facette model encodes and decodes with."""
    parts = {"vae": model.vae, "sharpener": getattr(model, "sharpener", None)}
    return {name: part for name, part in parts.items() if isinstance(part, nn.Module)}


def size_of(networks: dict[str, nn.Module]) -> Size:
    """Learned numbers and their bytes, as they lie in memory."""
    every = {id(p): p for network in networks.values() for p in network.parameters()}.values()
    return Size(sum(p.numel() for p in every), sum(p.numel() * p.element_size() for p in every))


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # man 5 proc: sets the peak of the resident size to the present one


def _reset_peak() -> int | None:
    """Forget the peak so far; returns what the process holds now, in bytes."""
    _give_back()
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return None
    return _peak()


def _give_back() -> None:
    """Memory that was freed and that the C library keeps for later would hide what is taken next."""
    with contextlib.suppress(OSError, AttributeError):  # a C library without it keeps what it keeps
        ctypes.CDLL(None).malloc_trim(0)


def _peak() -> int | None:
    """The peak resident size of this process in bytes."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
