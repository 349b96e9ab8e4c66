"""Priors p(z): what the generative model believes about latents before it has seen a datum.

Enters: latents z (N, Z), or a posterior q(z|x) for the rate. Leaves: log densities and rates in nats, and samples,
which `draws.py` draws. Every prior is a `Prior`, a module with

    log_prob(z)                  (N, Z) -> (N,) nats
    sample(count, random)        -> (count, Z) by a NumPy generator: one seed, one sample on every device
    draws()                      -> the same prior on arrays (`facette.model.draws`), which samples without torch
    rate(posterior, z)           -> (N,) nats: KL(q(z|x) ‖ p), exact where a closed form exists, else the
                                    one-sample estimate log q(z|x) − log p(z) at the given z ~ q

`fit_gaussian_mixture` makes a mixture from the latents of a trained model. A prior does not know where
latents come from: neither the data, nor the training, nor the recipe. The flow prior lives in `flow.py`.

Legend: N latent vectors, Z latents, K components.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from facette.model.draws import FactorMixtureDraws, MixtureDraws, NormalDraws, PriorDraws
from facette.model.posterior import LOG_2PI
from facette.runtime import wide


class Posterior(Protocol):
    """What a prior asks of q(z|x): a log density, and its exact divergence from N(0, I)."""

    def log_prob(self, z: Tensor) -> Tensor: ...

    def kl_standard_normal(self) -> Tensor: ...


def normal_values(
    *shape: int, centre: float = 0.0, spread: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """Values (*shape,) that parameters begin with, of that mean and standard deviation.

    None are drawn on torch's device `meta`, where there are shapes alone: to compute anything there, torch imports its
    compiler, which takes seconds and leaves a folder among the temporary files.
    """
    empty = torch.empty(shape)
    return empty if empty.is_meta else centre + spread * torch.randn(shape, generator=generator)


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, I) of z (N, Z), in nats: (N,)."""
    return -0.5 * (z.square() + LOG_2PI).sum(dim=-1)


def arrays_of(module: nn.Module) -> dict[str, np.ndarray]:
    """What a module holds, by name, as arrays in float64."""
    return {name: tensor.detach().cpu().double().numpy() for name, tensor in module.state_dict().items()}


class Prior(nn.Module):
    """A prior p(z) with a log density, whose draws NumPy makes."""

    latent: int

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of z (N, Z), in nats: (N,)."""
        raise NotImplementedError

    def draws(self) -> PriorDraws:
        raise NotImplementedError

    def sample(self, count: int, random: np.random.Generator) -> Tensor:
        """Latents (count, Z), where the prior's own tensors are."""
        return torch.from_numpy(self.draws().sample(count, random)).to(next(self._tensors()))

    def rate(self, posterior: Posterior, z: Tensor) -> Tensor:
        """log q(z|x) − log p(z) at z (N, Z), of which the mean is KL(q ‖ p): (N,) nats."""
        return posterior.log_prob(z) - self.log_prob(z)

    def _tensors(self) -> Iterator[Tensor]:
        yield from self.parameters()
        yield from self.buffers()


class StandardNormal(Prior):
    """N(0, I): the prior of the classic VAE, with a rate in closed form."""

    origin: Tensor  # (Z,)

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent
        # Nothing to learn or store: the buffer only follows the model from device to device.
        self.register_buffer("origin", torch.zeros(latent), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        return standard_normal_log_prob(z)

    def draws(self) -> NormalDraws:
        return NormalDraws(self.latent)

    def rate(self, posterior: Posterior, z: Tensor) -> Tensor:
        """KL(q ‖ N(0, I)) exactly; z is not needed and only keeps the signature of every prior."""
        del z
        return posterior.kl_standard_normal()


class GaussianMixturePrior(Prior):
    """Σ_k w_k N(z; μ_k, Σ_k), learned together with the model or fitted to its latents afterwards.

    Each covariance is held as its whitening matrix W_k, lower triangular with a positive diagonal, so that
    Σ_k⁻¹ = W_kᵀ W_k: the density then needs one product and no solve, and every parameter value is a valid
    mixture.

    Args:
        latent: Z.
        components: K.
        covariance: "full", or "diagonal" where Z² numbers a component are too many.
        spread: standard deviation of the components' first means around the origin.
        generator: draws the first means.
    """

    def __init__(
        self,
        latent: int,
        components: int,
        *,
        covariance: Literal["full", "diagonal"] = "full",
        spread: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.latent, self.components, self.covariance = latent, components, covariance
        self.logits = nn.Parameter(torch.zeros(components))  # (K,) unnormalised log weights
        # (K, Z)
        self.means = nn.Parameter(normal_values(components, latent, spread=spread, generator=generator))
        self.log_scales = nn.Parameter(torch.zeros(components, latent))  # (K, Z): W's diagonal is exp(−this)
        if covariance == "full":
            # (K, Z, Z), of which the strictly lower triangle is W's; the rest is never used.
            self.shears = nn.Parameter(torch.zeros(components, latent, latent))

    @classmethod
    def from_moments(cls, weights: Tensor, means: Tensor, covariances: Tensor) -> GaussianMixturePrior:
        """The mixture with these weights (K,), means (K, Z) and covariances (K, Z, Z)."""
        components, latent = means.shape
        prior = cls(latent, components, generator=torch.Generator())  # leaves the global generator alone
        factors = torch.linalg.cholesky(covariances.cpu().double())  # (K, Z, Z)
        identity = torch.eye(latent, dtype=torch.float64).expand_as(factors)
        whitening = torch.linalg.solve_triangular(factors, identity, upper=False)
        with torch.no_grad():
            prior.logits.copy_(weights.cpu().double().log())
            prior.means.copy_(means)
            prior.log_scales.copy_(-whitening.diagonal(dim1=1, dim2=2).log())
            prior.shears.copy_(whitening.tril(-1))
        return prior

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> GaussianMixturePrior:
        """The mixture whose `state_dict()` this is; sizes and covariance kind are read off the tensors."""
        components, latent = state["means"].shape
        covariance = "full" if "shears" in state else "diagonal"
        prior = cls(latent, components, covariance=covariance, generator=torch.Generator())
        prior.load_state_dict(dict(state))
        return prior

    @property
    def weights(self) -> Tensor:
        """(K,), positive, summing to one."""
        return self.logits.softmax(dim=0)

    def component_log_prob(self, z: Tensor) -> Tensor:
        """log w_k + log N(z; μ_k, Σ_k) for z (N, Z): (N, K) nats."""
        offset = z[:, None, :] - self.means  # (N, K, Z)
        white = offset * torch.exp(-self.log_scales)
        if self.covariance == "full":
            white = white + torch.einsum("nkj,kij->nki", offset, self.shears.tril(-1))
        log_volume = self.log_scales.sum(dim=1)  # (K,): log |Σ_k|^½
        return self.logits.log_softmax(dim=0) - log_volume + standard_normal_log_prob(white)

    def log_prob(self, z: Tensor) -> Tensor:
        return torch.logsumexp(self.component_log_prob(z), dim=1)

    def responsibilities(self, z: Tensor) -> Tensor:
        """p(component | z) for z (N, Z): (N, K), rows summing to one."""
        return self.component_log_prob(z).softmax(dim=1)

    def draws(self) -> MixtureDraws:
        return MixtureDraws.of_state(arrays_of(self), self.latent)


class FactorMixturePrior(Prior):
    """Σ_k w_k N(z; μ_k, C S_k Cᵀ): many Gaussians with a few directions of their own each, fitted after training.

    C is common to all components. S_k has the variances `variances[k]` along the orthonormal rows of `directions[k]`,
    and `rest[k]` along everything else: a mixture of probabilistic principal component analysers (Tipping & Bishop
    1999), as Richardson & Weiss (arXiv 1805.12462) model pictures. It takes K·R·Z numbers where full covariances take
    K·Z².

    Args:
        latent: Z.
        components: K.
        rank: R ≤ Z, directions of a component.
    """

    logits: Tensor  # (K,) unnormalised log weights
    means: Tensor  # (K, Z)
    common: Tensor  # (Z, Z), C
    directions: Tensor  # (K, R, Z), orthonormal; rows of zeros where a component has fewer
    variances: Tensor  # (K, R) > 0
    rest: Tensor  # (K,) > 0

    def __init__(self, latent: int, components: int, rank: int) -> None:
        super().__init__()
        self.latent, self.components, self.rank = latent, components, rank
        self.register_buffer("logits", torch.zeros(components))
        self.register_buffer("means", torch.zeros(components, latent))
        self.register_buffer("common", torch.eye(latent))
        self.register_buffer("directions", torch.zeros(components, rank, latent))
        self.register_buffer("variances", torch.ones(components, rank))
        self.register_buffer("rest", torch.ones(components))

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> FactorMixturePrior:
        """The mixture whose `state_dict()` this is; sizes are read off the tensors. Raises ValueError for variances
        that are not positive."""
        components, rank, latent = state["directions"].shape
        if not all(bool((state[name] > 0).all()) for name in ("variances", "rest")):
            raise ValueError("its prior has variances that are not positive")
        prior = cls(latent, components, rank)
        prior.load_state_dict(dict(state))
        return prior

    def log_prob(self, z: Tensor) -> Tensor:
        """Of z (N, Z), in nats: (N,)."""
        common = wide(self.common)
        points = torch.linalg.solve(common, wide(z).T).T  # (N, Z), where the common covariance is I
        means = torch.linalg.solve(common, wide(self.means).T).T
        logits = wide(self.logits).log_softmax(dim=0)
        volume = torch.linalg.slogdet(common).logabsdet + 0.5 * self.latent * LOG_2PI
        scores = []
        for k in range(self.components):
            variances, rest = wide(self.variances[k]), wide(self.rest[k])
            offset = points - means[k]
            along = (offset @ wide(self.directions[k]).T).square()  # (N, R)
            squares = offset.square().sum(dim=1) / rest + along @ (1 / variances - 1 / rest)
            spread = variances.log().sum() + (self.latent - self.rank) * rest.log()
            scores.append(logits[k] - volume - 0.5 * (spread + squares))
        return torch.logsumexp(torch.stack(scores, dim=1), dim=1).to(z)

    def draws(self) -> FactorMixtureDraws:
        return FactorMixtureDraws.of_state(arrays_of(self), self.latent)


FittedPrior: TypeAlias = GaussianMixturePrior | FactorMixturePrior


def fitted_prior_of(state: Mapping[str, Tensor]) -> FittedPrior:
    """The mixture that was fitted after training, of either kind, whose `state_dict()` this is."""
    return (FactorMixturePrior if "directions" in state else GaussianMixturePrior).from_state(state)


class VampPrior(Prior):
    """Σ_k w_k q(z | u_k): the mean of the model's posteriors at K learned pseudo-inputs (arXiv 1705.07120).

    The prior owns the pseudo-inputs u and the weights (uniform in the paper, learned here). The encoder stays
    the model's: whoever owns both calls `bind(encode)` once with its bound method, which is no module and is
    therefore registered, saved and optimised in one place only.

    Args:
        latent: Z.
        components: K.
        shape: of one input, e.g. (3,) or (3, 64, 64).
        centre, spread: mean and standard deviation of the first pseudo-inputs, in the units of the inputs.
        generator: draws the first pseudo-inputs.
    """

    def __init__(
        self,
        latent: int,
        components: int,
        shape: tuple[int, ...],
        *,
        centre: float = 0.0,
        spread: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.latent, self.components = latent, components
        first = normal_values(components, *shape, centre=centre, spread=spread, generator=generator)
        self.pseudo_inputs = nn.Parameter(first)  # (K, *shape)
        self.logits = nn.Parameter(torch.zeros(components))  # (K,)
        self._encode: Callable[[Tensor], Any] | None = None

    def bind(self, encode: Callable[[Tensor], Any]) -> None:
        """Say which function maps inputs (K, *shape) to a posterior with `.mean` and `.scale` (K, Z)."""
        self._encode = encode

    def pseudo_posterior(self) -> tuple[Tensor, Tensor]:
        """Mean and scale of q(z|u_k), both (K, Z)."""
        assert self._encode is not None, "VampPrior.bind(encode) comes before its first use"
        posterior = self._encode(self.pseudo_inputs)
        return posterior.mean, posterior.scale

    def log_prob(self, z: Tensor) -> Tensor:
        mean, scale = self.pseudo_posterior()
        white = (z[:, None, :] - mean) / scale  # (N, K, Z)
        each = standard_normal_log_prob(white) - scale.log().sum(dim=1)  # (N, K)
        return torch.logsumexp(self.logits.log_softmax(dim=0) + each, dim=1)

    @torch.no_grad()
    def draws(self) -> MixtureDraws:
        mean, scale = (moment.cpu().double().numpy() for moment in self.pseudo_posterior())
        return MixtureDraws(self.logits.cpu().double().numpy(), mean, np.log(scale))
