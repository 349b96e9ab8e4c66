"""p(x|z): how far a decoded picture may be from the real one.

Enters: data x and what the decoder gave, N×…; leaves: log-densities in nats, summed over all values of an image that
were seen: under a factorised likelihood, unknown pixels drop out of the sum.
The Gaussian's σ is fixed, one learned number, the batch's own optimum (σ-VAE, arXiv 2006.13202), or predicted by
the decoder for every value. Densities are of continuous values in the recipe's range; turning them into bits
of 8-bit pictures is evaluation's business.
"""

from __future__ import annotations

import math

import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn

LOG_2PI = math.log(2 * math.pi)
SIGMA_MEMORY = 0.99  # of the running σ that `optimal` keeps for use after training
LOG_SIGMA_FLOOR = -6.0  # keeps a perfect batch from asking for infinite density


class GaussianLikelihood(nn.Module):
    """N(x; decoded mean, σ²). `sigma` is a number, "learned", "optimal" or "predicted".

    `weighted`: an objective will weigh the values by place, for which an `optimal` σ of its own is kept; the density
    itself, `log_prob` without weights, keeps the σ that is best for it.
    """

    log_sigma: Tensor

    def __init__(self, sigma: float | str, weighted: bool = False):
        super().__init__()
        self.mode = sigma if isinstance(sigma, str) else "fixed"
        start = torch.tensor(0.0 if isinstance(sigma, str) else math.log(sigma))
        if self.mode == "learned":
            self.log_sigma = nn.Parameter(start)
        else:
            self.register_buffer("log_sigma", start)
        if self.mode == "optimal":
            self.seen: Tensor
            self.register_buffer("seen", torch.tensor(0.0))  # batches that formed the running σ
            if weighted:
                self.log_sigma_weighted: Tensor
                self.register_buffer("log_sigma_weighted", torch.tensor(0.0))

    @property
    def outputs_per_value(self) -> int:
        """Numbers the decoder gives for each value of x: 2 when it predicts log σ too."""
        return 2 if self.mode == "predicted" else 1

    @property
    def sigma(self) -> float | None:
        """The shared σ in units of the input's range; None where the decoder predicts it."""
        return None if self.mode == "predicted" else math.exp(self.log_sigma.item())

    def mean(self, decoded: Tensor) -> Tensor:
        """The expected x, shaped as x."""
        return decoded.chunk(2, 1)[0] if self.mode == "predicted" else decoded

    def log_prob(
        self, x: Tensor, decoded: Tensor, seen: Tensor | None = None, fit_sigma: bool = False
    ) -> Tensor:
        """log p(x|z) per image, (N,) nats, over the pixels that were `seen` (N, 1, S, S), or all.

        With `fit_sigma`, as in training, an `optimal` σ is taken from this batch (over all processes of a run) and
        remembered; its gradient vanishes at the optimum."""
        squared = (x - self.mean(decoded)) ** 2
        log_sigma = self.log_sigma
        if self.mode == "optimal" and fit_sigma:
            self.seen += 1
            log_sigma = self._fit(squared.detach(), seen, self.log_sigma)
        return self._log_density(squared, decoded, seen, log_sigma)

    def weighted_log_prob(
        self, x: Tensor, decoded: Tensor, weight: Tensor, fit_sigma: bool = False
    ) -> Tensor:
        """log p(x|z)^w per image, (N,) nats, with one weight for each pixel, (1 or N, 1, S, S): what an objective
        asks for where some places matter more. 0 is a pixel that was not seen. Call `log_prob` first in a step."""
        squared = (x - self.mean(decoded)) ** 2
        log_sigma = self.log_sigma
        if self.mode == "optimal":
            log_sigma = self.log_sigma_weighted
            if fit_sigma:
                log_sigma = self._fit(squared.detach(), weight, self.log_sigma_weighted)
        return self._log_density(squared, decoded, weight, log_sigma)

    def _log_density(
        self, squared: Tensor, decoded: Tensor, weight: Tensor | None, log_sigma: Tensor
    ) -> Tensor:
        if self.mode == "predicted":
            log_sigma = decoded.chunk(2, 1)[1].clamp_min(LOG_SIGMA_FLOOR)
            terms = 0.5 * squared * (-2 * log_sigma).exp() + log_sigma + 0.5 * LOG_2PI
            return -(terms if weight is None else terms * weight).flatten(1).sum(1)
        if weight is None:
            values: float | Tensor = squared[0].numel()
            total = squared.flatten(1).sum(1)
        else:
            values = weight.expand(len(squared), -1, -1, -1).flatten(1).sum(1) * squared.shape[1]  # (N,)
            total = (squared * weight).flatten(1).sum(1)
        return -0.5 * total * (-2 * log_sigma).exp() - values * (log_sigma + 0.5 * LOG_2PI)

    @torch.no_grad()
    def sample(self, decoded: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A draw of p(x|z), shaped as x: the mean plus σ·ε. For pictures the mean is what people want to see."""
        mean, log_sigma = self.mean(decoded), self.log_sigma
        if self.mode == "predicted":
            log_sigma = decoded.chunk(2, 1)[1].clamp_min(LOG_SIGMA_FLOOR)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        return mean + log_sigma.exp() * noise.to(mean.device)

    @torch.no_grad()
    def _fit(self, squared: Tensor, weight: Tensor | None, running: Tensor) -> Tensor:
        """log σ of the batch's own optimum, which the running one moves towards."""
        if weight is None:
            mse = squared.mean()
        else:
            mse = (squared * weight).sum() / (weight.expand_as(squared).sum().clamp_min(1))
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(mse)
            mse = mse / torch.distributed.get_world_size()
        log_sigma = (0.5 * mse.log()).clamp_min(LOG_SIGMA_FLOOR)
        # an average that forgets, but starts as the plain mean of the first batches
        running.lerp_(log_sigma.float(), torch.clamp(1 / self.seen, min=1 - SIGMA_MEMORY))
        return log_sigma


class BernoulliLikelihood(nn.Module):
    """Independent Bernoulli values with the decoded picture, in [0, 1], as their means.

    For pictures that are not binary this is no density of theirs; the classic reports use it all the same.
    """

    outputs_per_value = 1
    mode = "bernoulli"
    sigma = None

    def mean(self, decoded: Tensor) -> Tensor:
        return decoded

    def log_prob(
        self, x: Tensor, decoded: Tensor, seen: Tensor | None = None, fit_sigma: bool = False
    ) -> Tensor:
        """Σ x log p + (1 − x) log(1 − p) per image, (N,) nats, over the pixels that were `seen` (N, 1, S, S), or all;
        each logarithm is held at −100."""
        terms = -F.binary_cross_entropy(decoded, x, reduction="none")
        return (terms if seen is None else terms * seen).flatten(1).sum(1)

    def weighted_log_prob(
        self, x: Tensor, decoded: Tensor, weight: Tensor, fit_sigma: bool = False
    ) -> Tensor:
        """The same with a weight for each pixel, (1 or N, 1, S, S)."""
        return self.log_prob(x, decoded, weight)


Likelihood = GaussianLikelihood | BernoulliLikelihood
