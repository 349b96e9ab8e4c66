"""What changes along a run, as pure functions of the step, and the noise of a step."""

from __future__ import annotations

import torch
from torch import Tensor

from facette.recipe import CapacitySpec, ObjectiveSpec


def beta_at(spec: ObjectiveSpec, step: int, steps: int) -> float:
    """The KL weight at a step of a run of `steps`.

    constant: β. linear: rises from 0 to β over warmup_steps, or over warmup_share of the run. cyclical: does so at the
    start of each of `cycles` equal parts of the run, over half a cycle when warmup_steps is 0 (arXiv 1903.10145).
    """
    match spec.schedule:
        case "constant":
            return spec.beta
        case "linear":
            return spec.beta * _ramp(step, spec.warmup_steps or round(spec.warmup_share * steps))
        case "cyclical":
            cycle = max(1, steps // spec.cycles)
            return spec.beta * _ramp(step % cycle, spec.warmup_steps or cycle // 2)


def capacity_at(spec: CapacitySpec | None, step: int) -> float | None:
    """The rate in nats that costs nothing at a step: it rises from 0 over the spec's steps (arXiv 1804.03599)."""
    return None if spec is None else spec.nats * _ramp(step, spec.steps)


def _ramp(step: int, length: int) -> float:
    return 1.0 if length <= 0 else min(1.0, step / length)


def draw_noise(count: int, latent: int, generator: torch.Generator) -> Tensor:
    """Standard normal ε (count, latent), drawn on the generator's device."""
    return torch.randn(count, latent, generator=generator, device=generator.device)
