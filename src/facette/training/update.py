"""How weights move: all at the end of the backward pass, or each as soon as its gradient is there.

Enters: weights with gradients. Leaves: moved weights and moments; what is not finite moves nothing. Knows nothing of
losses and batches.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Adam (arXiv 1412.6980) by torch's fused kernel, step for step what `torch.optim.Adam(fused=True)` computes.

    That one imports torch's compiler the first time it is used: 1.2 s and 80 MB that a training has no use for.
    """

    def __init__(self, weights: Iterable[Tensor], lr: float, betas: tuple[float, float], eps: float = 1e-8):
        self.weights = [weight for weight in weights if weight.requires_grad]
        self.lr, self.betas, self.eps = lr, betas, eps
        self.state: dict[
            Tensor, dict[str, Tensor]
        ] = {}  # of a weight: step (), exp_avg and exp_avg_sq like it

    @torch.no_grad()
    def step(self, lr: float, ok: Tensor, weights: list[Tensor] | None = None) -> None:
        """Move the weights that have gradients unless `ok` () is false; on CUDA the kernel looks itself, without a
        synchronisation. `weights` are some of them; all when left out."""
        on_card = ok.device.type == "cuda"
        if not on_card and not ok:
            return
        moving = [weight for weight in weights or self.weights if weight.grad is not None]
        moments = [self.state.setdefault(weight, {}) or self._fresh(weight) for weight in moving]
        adam(
            moving,
            [weight.grad for weight in moving if weight.grad is not None],
            [moment["exp_avg"] for moment in moments],
            [moment["exp_avg_sq"] for moment in moments],
            [],
            [moment["step"] for moment in moments],
            fused=True,
            found_inf=(~ok).float() if on_card else None,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=lr,
            weight_decay=0.0,
            eps=self.eps,
            maximize=False,
        )

    def drop_gradients(self) -> None:
        for weight in self.weights:
            weight.grad = None

    def _fresh(self, weight: Tensor) -> dict[str, Tensor]:
        moments = self.state[weight]
        moments["step"] = torch.zeros((), device=weight.device)
        for name in ("exp_avg", "exp_avg_sq"):
            moments[name] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        return moments


class FusedUpdate:
    """Each weight moved within the backward pass, and its gradient dropped (Lv et al. 2023, arXiv 2306.09782).

    The step is the optimizer's own, since Adam looks at each number alone. What is known only after the last gradient
    cannot be used: a gradient that is not finite keeps its own weight from moving and no other.
    """

    def __init__(self, optimizer: Adam):
        self._optimizer, self._lr = optimizer, optimizer.lr
        self._sound = torch.ones((), dtype=torch.bool)
        self._norms: dict[Tensor, Tensor] = {}
        mine = weakref.ref(self)  # no circle of weights and hooks: a run's end gives its memory back at once

        def arrived(weight: Tensor) -> None:
            if (update := mine()) is not None:
                update._move(weight)

        for weight in optimizer.weights:
            weight.register_post_accumulate_grad_hook(arrived)

    def expect(self, loss: Tensor, lr: float) -> None:
        """The backward pass of this loss () comes next, at this learning rate; of one not finite nothing moves."""
        self._lr, self._sound, self._norms = lr, torch.isfinite(loss.detach()), {}

    def norm(self) -> Tensor:
        """() of all gradients of the last backward pass."""
        norms = [self._norms[weight] for weight in self._optimizer.weights if weight in self._norms]
        return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())

    def _move(self, weight: Tensor) -> None:
        assert weight.grad is not None
        self._norms[weight] = norm = torch.linalg.vector_norm(weight.grad)
        self._optimizer.step(self._lr, self._sound & torch.isfinite(norm), [weight])
        weight.grad = None
