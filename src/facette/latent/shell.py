"""Noise in the shape of all faces together: the aggregate posterior, and great circles in its shell.

Enters: posteriors of many pictures (`measure_shell`), or a loaded model that carries what they gave (`shell_of`).
Leaves: a `Shell`, which turns a latent towards random others. Knows nothing of pictures, nor of what a good angle is.

The aggregate q(z) is the mean of q(z|x) over many pictures. In Z dimensions its mass lies in a thin shell around its
mean, and noise added to a latent leaves that shell: √(r² + n²) grows with every step. Turning inside the shell does
not (spherical interpolation, White, arXiv 1609.04468; here with the aggregate's covariance in the place of I).

Legend: N variations, M pictures, Z latents.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from facette.errors import UsageError
from facette.model.posterior import DiagonalGaussian

MEAN = "dial.aggregate_mean"  # names of the tensors in the model's extras
ROOT = "dial.aggregate_root"
RIDGE = 1e-6  # of the mean variance: directions that no picture uses have none of their own


@dataclass(frozen=True, slots=True)
class Shell:
    """The Gaussian with the aggregate's moments, N(m, RRᵀ)."""

    mean: Tensor  # m (Z,), float64
    root: Tensor  # R (Z, Z), float64, lower triangular

    def radius(self, z: Tensor) -> Tensor:
        """Mahalanobis distance of latents (N, Z) from the aggregate's mean, (N,); √Z on average over faces."""
        return self._white(z).norm(dim=1)

    def step(self, scale: Tensor) -> float:
        """How far a draw of posterior noise σ·ε reaches for a scale (1, Z): its root mean square Mahalanobis length
        as a share of the shell's own radius √Z."""
        identity = torch.eye(len(self.mean), dtype=torch.float64)
        inverse = torch.linalg.solve_triangular(self.root, identity, upper=False)  # R⁻¹
        precision = inverse.square().sum(dim=0)  # (Z,): the diagonal of (RRᵀ)⁻¹
        return float((precision * scale.double().square()).mean().sqrt())

    def turned(self, z: Tensor, noise: Tensor, angle: float) -> Tensor:
        """One latent z (1, Z) turned by an angle in radians towards each draw of noise (N, Z): (N, Z), as z's type.

        z + (cos θ − 1)·(z − m) + sin θ · R v, where v is the noise made orthogonal to R⁻¹(z − m) and as long as it.
        So every result has exactly z's Mahalanobis radius, and the angle 0 gives z to the last bit.
        """
        white = self._white(z)  # (1, Z)
        radius = white.norm()
        towards = white / radius.clamp_min(torch.finfo(torch.float64).tiny)
        draws = noise.double()
        aside = draws - (draws @ towards.T) * towards  # (N, Z)
        aside = aside * (radius / aside.norm(dim=1, keepdim=True))
        theta = torch.tensor(angle, dtype=torch.float64)
        shift = (theta.cos() - 1) * (z.double() - self.mean) + theta.sin() * (aside @ self.root.T)
        return (z.double() + shift).to(z.dtype)

    def _white(self, z: Tensor) -> Tensor:
        offset = (z.double() - self.mean).T  # (Z, N)
        return torch.linalg.solve_triangular(self.root, offset, upper=False).T


def measure_shell(posterior: DiagonalGaussian) -> dict[str, Tensor]:
    """What `shell_of` reads, to be put into `model.extras`, from the posteriors of pictures (M, Z).

    The aggregate's covariance is that of the means, shrunk as Ledoit and Wolf 2004 do, plus the mean of the variances.
    Raises UsageError for fewer than two pictures or latents: one latent has no direction to turn to.
    """
    from sklearn.covariance import ledoit_wolf

    mean, scale = posterior.mean.double(), posterior.scale.double()
    if min(mean.shape) < 2:
        raise UsageError(
            f"the shape of the aggregate needs at least 2 pictures and 2 latents, got {mean.shape}."
        )
    shrunk, _ = ledoit_wolf(mean.numpy())  # few pictures would else leave directions without any length
    covariance = torch.from_numpy(shrunk) + torch.diag(scale.square().mean(dim=0))  # (Z, Z)
    covariance += RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
    return {MEAN: mean.mean(dim=0).float(), ROOT: torch.linalg.cholesky(covariance).float()}


def shell_of(model) -> Shell:
    """The shell a model carries. Raises UsageError for a model that carries none."""
    if MEAN not in model.extras or ROOT not in model.extras:
        raise UsageError(
            f"model {model.name!r} does not know the shape of its faces: run `facette calibrate` on it once."
        )
    return Shell(model.extras[MEAN].double(), model.extras[ROOT].double())
