"""p(x|z): how far a decoded picture may be from the real one.

Enters: data x and what the decoder gave, N×…; leaves: log-densities in nats, summed over all values of an image that
were seen: under a factorised likelihood, unknown pixels drop out of the sum.
The scale is fixed, one learned number, the batch's own optimum (σ-VAE, arXiv 2006.13202), or predicted by
the decoder for every value. Densities are of continuous values in the recipe's range; turning them into bits
of 8-bit pictures is evaluation's business. The discretised logistic alone gives probabilities of the levels themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn

from facette.model.posterior import LOG_2PI

LOG_SQRT2 = 0.5 * math.log(2)
LOG_LOGISTIC = math.log(math.pi / math.sqrt(3))  # σ of a logistic of scale 1, as a logarithm
SIGMA_MEMORY = 0.99  # of the running σ that `optimal` keeps for use after training
LOG_SIGMA_FLOOR = -6.0  # keeps a perfect batch from asking for infinite density
LEVELS = 256  # of an 8-bit picture
LEAST_PROBABILITY = 1e-12  # of a level, below which the logistic is taken at the level's centre

Family = Literal["gaussian", "laplace", "logistic"]


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales of an `optimal` likelihood that were fitted to a whole batch before its parts are computed."""

    log_sigma: Tensor  # ()
    log_sigma_weighted: Tensor | None = None  # (), under an objective that weighs the places


class LocationScaleLikelihood(nn.Module):
    """Independent values around the decoded mean, with standard deviation σ. `sigma` is a number, "learned",
    "optimal" or "predicted". With μ the mean and e = x − μ:

        gaussian   −e² / 2σ² − log σ − ½ log 2π                     squared errors
        laplace    −|e| / b − log 2b, b = σ / √2                     absolute errors, which forgive an outlier
        logistic   log (F((e + w/2) / s) − F((e − w/2) / s)), s = σ √3 / π, F the logistic function: the probability
                   of one of 256 levels w apart (arXiv 1606.04934, section 4), the outermost reaching to infinity
                   (arXiv 1701.05517, eq. 2); it has no `optimal` σ in closed form

    `weighted`: an objective will weigh the values by place, for which an `optimal` σ of its own is kept; the density
    itself, `log_prob` without weights, keeps the σ that is best for it. `bounds`: the values of the first and the last
    of the `levels`.
    """

    log_sigma: Tensor

    def __init__(
        self,
        sigma: float | str,
        family: Family = "gaussian",
        weighted: bool = False,
        bounds: tuple[float, float] = (-1.0, 1.0),
        levels: int = LEVELS,
    ):
        super().__init__()
        self.family: Family = family
        self.bounds, self.levels = bounds, levels
        self.mode = sigma if isinstance(sigma, str) else "fixed"
        assert (family, self.mode) != ("logistic", "optimal"), "the recipe refuses it"
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
        self, x: Tensor, decoded: Tensor, seen: Tensor | None = None, fit_sigma: bool | Scales = False
    ) -> Tensor:
        """log p(x|z) per image, (N,) nats, over the pixels that were `seen` (N, 1, S, S), or all.

        With `fit_sigma`, as in training, an `optimal` σ is taken from this batch (over all processes of a run) and
        remembered; its gradient vanishes at the optimum. `Scales` were taken from a larger batch by `fit`."""
        errors, log_sigma = self._errors(x, decoded), self.log_sigma
        if self.mode == "optimal" and isinstance(fit_sigma, Scales):
            log_sigma = fit_sigma.log_sigma
        elif self.mode == "optimal" and fit_sigma:
            log_sigma = self.fit(error_sums(errors, seen)).log_sigma
        return self._log_density(x, errors, decoded, seen, log_sigma)

    def weighted_log_prob(
        self, x: Tensor, decoded: Tensor, weight: Tensor, fit_sigma: bool | Scales = False
    ) -> Tensor:
        """log p(x|z)^w per image, (N,) nats, with one weight for each pixel, (1 or N, 1, S, S): what an objective
        asks for where some places matter more. 0 is a pixel that was not seen. Call `log_prob` first in a step."""
        errors, log_sigma = self._errors(x, decoded), self.log_sigma
        if self.mode == "optimal":
            log_sigma = self.log_sigma_weighted
            if isinstance(fit_sigma, Scales):
                assert fit_sigma.log_sigma_weighted is not None
                log_sigma = fit_sigma.log_sigma_weighted
            elif fit_sigma:
                log_sigma = self._remembered(error_sums(errors, weight), self.log_sigma_weighted)
        return self._log_density(x, errors, decoded, weight, log_sigma)

    def measured(self, x: Tensor, decoded: Tensor, weight: Tensor | None) -> Tensor:
        """What `fit` needs of a part of a batch, (2,); parts are added up."""
        return error_sums(self._errors(x, decoded), weight)

    @torch.no_grad()
    def fit(self, sums: Tensor, weighted_sums: Tensor | None = None) -> Scales:
        """The `optimal` scales of a batch that was `measured`, over all processes of a run; they are remembered."""
        self.seen += 1
        log_sigma = self._remembered(sums, self.log_sigma)
        if weighted_sums is None:
            return Scales(log_sigma)
        return Scales(log_sigma, self._remembered(weighted_sums, self.log_sigma_weighted))

    @torch.no_grad()
    def sample(self, decoded: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A draw of p(x|z), shaped as x, continuous under the logistic too. For pictures the mean is what people want
        to see."""
        mean, log_sigma = self.mean(decoded), self.log_sigma
        if self.mode == "predicted":
            log_sigma = _predicted(decoded)
        match self.family:
            case "gaussian":
                unit = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
            case "laplace":
                even = torch.rand(mean.shape, generator=generator, dtype=mean.dtype) - 0.5
                unit = -even.sign() * torch.log1p(-2 * even.abs()) / math.sqrt(2)
            case "logistic":
                even = torch.rand(mean.shape, generator=generator, dtype=mean.dtype).clamp(1e-7, 1 - 1e-7)
                unit = even.logit() / math.exp(LOG_LOGISTIC)
        return mean + log_sigma.exp() * unit.to(mean.device)

    def _errors(self, x: Tensor, decoded: Tensor) -> Tensor:
        """What the density knows of x − μ: its square, its size, or (logistic) itself."""
        error = x - self.mean(decoded)
        match self.family:
            case "gaussian":
                return error**2
            case "laplace":
                return error.abs()
            case "logistic":
                return error

    def _log_density(
        self, x: Tensor, errors: Tensor, decoded: Tensor, weight: Tensor | None, log_sigma: Tensor
    ) -> Tensor:
        if self.family == "logistic":
            log_sigma = _predicted(decoded) if self.mode == "predicted" else log_sigma
            terms = self._log_level(x, errors, log_sigma)
            return (terms if weight is None else terms * weight).flatten(1).sum(1)
        if self.family == "gaussian":
            factor, power, constant = 0.5, -2, 0.5 * LOG_2PI
        else:
            factor, power, constant = math.sqrt(2), -1, LOG_SQRT2  # log 2b = log σ + ½ log 2
        if self.mode == "predicted":
            log_sigma = _predicted(decoded)
            terms = factor * errors * (power * log_sigma).exp() + log_sigma + constant
            return -(terms if weight is None else terms * weight).flatten(1).sum(1)
        if weight is None:
            values: float | Tensor = errors[0].numel()
            total = errors.flatten(1).sum(1)
        else:
            values = weight.expand(len(errors), -1, -1, -1).flatten(1).sum(1) * errors.shape[1]  # (N,)
            total = (errors * weight).flatten(1).sum(1)
        return -factor * total * (power * log_sigma).exp() - values * (log_sigma + constant)

    def _log_level(self, x: Tensor, errors: Tensor, log_sigma: Tensor) -> Tensor:
        """log probability of the level around each x, shaped as x."""
        low, high = self.bounds
        width = (high - low) / (self.levels - 1)
        log_s = log_sigma - LOG_LOGISTIC
        sharp = (-log_s).exp()
        upper, lower = (errors + width / 2) * sharp, (errors - width / 2) * sharp
        inside = torch.sigmoid(upper) - torch.sigmoid(lower)
        # far out both ends round to one number; the density at the centre times the width is exact there
        centre = errors * sharp
        thin = centre - log_s - 2 * F.softplus(centre) + math.log(width)
        terms = torch.where(inside > LEAST_PROBABILITY, inside.clamp_min(LEAST_PROBABILITY).log(), thin)
        terms = torch.where(x < low + width / 2, F.logsigmoid(upper), terms)
        return torch.where(x > high - width / 2, F.logsigmoid(-lower), terms)

    @torch.no_grad()
    def _remembered(self, sums: Tensor, running: Tensor) -> Tensor:
        """log σ of the batch's own optimum, which the running one moves towards."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            sums = sums.clone()
            torch.distributed.all_reduce(sums)
        mean = sums[0] / sums[1].clamp_min(1)
        best = 0.5 * mean.log() if self.family == "gaussian" else mean.log() + LOG_SQRT2
        log_sigma = best.clamp_min(LOG_SIGMA_FLOOR)
        # an average that forgets, but starts as the plain mean of the first batches
        running.lerp_(log_sigma.float(), torch.clamp(1 / self.seen, min=1 - SIGMA_MEMORY))
        return log_sigma


@torch.no_grad()
def error_sums(errors: Tensor, weight: Tensor | None) -> Tensor:
    """The sum of weighted errors and of weights, (2,)."""
    if weight is None:
        return torch.stack([errors.sum(), errors.new_tensor(float(errors.numel()))])
    return torch.stack([(errors * weight).sum(), weight.expand_as(errors).sum()])


def _predicted(decoded: Tensor) -> Tensor:
    return decoded.chunk(2, 1)[1].clamp_min(LOG_SIGMA_FLOOR)


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
        self, x: Tensor, decoded: Tensor, seen: Tensor | None = None, fit_sigma: bool | Scales = False
    ) -> Tensor:
        """Σ x log p + (1 − x) log(1 − p) per image, (N,) nats, over the pixels that were `seen` (N, 1, S, S), or all;
        each logarithm is held at −100."""
        terms = -F.binary_cross_entropy(decoded, x, reduction="none")
        return (terms if seen is None else terms * seen).flatten(1).sum(1)

    def weighted_log_prob(
        self, x: Tensor, decoded: Tensor, weight: Tensor, fit_sigma: bool | Scales = False
    ) -> Tensor:
        """The same with a weight for each pixel, (1 or N, 1, S, S)."""
        return self.log_prob(x, decoded, weight)


Likelihood = LocationScaleLikelihood | BernoulliLikelihood
