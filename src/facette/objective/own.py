"""Terms of one's own: functions of the caller's code that a recipe names and prices.

Enters: what a step knows of its images. Leaves: one number for each term. A term is called as
`term(batch, **arguments)` with a `TermBatch` and returns its costs in nats, (N,) for each image or () as their mean.

Legend: N images, Z latents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from facette.code import Modules, resolve
from facette.errors import UsageError
from facette.model.posterior import DiagonalGaussian
from facette.recipe import TermSpec


@dataclass(frozen=True, slots=True)
class TermBatch:
    """What a term may look at; of several draws of z the first. Gradients flow through `posterior`, `z` and `mean`."""

    x: Tensor  # (N, C, H, W) as the core sees it, in the recipe's range and without a mask; or (N, D)
    seen: Tensor | None  # (N, 1, H, W), 1 where a pixel is known; None where all are
    posterior: DiagonalGaussian  # (N, Z)
    z: Tensor  # (N, Z)
    mean: Tensor  # shaped as x, the mean of p(x|z)
    labels: Mapping[str, Tensor]  # (N,) each, by name; of attributes 1 yes, −1 no, 0 unknown
    step: int


@dataclass(frozen=True, slots=True)
class OwnTerm:
    """A term that was found in the caller's code."""

    spec: TermSpec
    function: Callable[..., Tensor]

    @classmethod
    def of(cls, spec: TermSpec, code: Modules) -> OwnTerm:
        """Raises UsageError where the name means nothing in this code."""
        return cls(spec, resolve(spec.name, code))

    def cost(self, batch: TermBatch) -> Tensor:
        """The mean over the images, () nats, without the weight. Raises UsageError for anything else than costs."""
        value = self.function(batch, **self.spec.arguments)
        if not isinstance(value, Tensor) or value.shape not in (torch.Size(()), torch.Size((len(batch.x),))):
            shape = f"{tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise UsageError(f"{self.spec.name} gives {shape}: a term is a tensor (), or ({len(batch.x)},)")
        return value.mean()
