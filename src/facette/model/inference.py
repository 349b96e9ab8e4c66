"""An encoder that is told conditions, and infers those that it is not told.

Enters: pictures, and what is known of their labels. Leaves: the raw posterior of z given both, the code of the
conditions, and what q(c|x) was, for the objective. The model M2 of arXiv 1406.5298: q(z|x, c) q(c|x); a class that is
not known is drawn by the straight-through Gumbel-softmax (arXiv 1611.01144) while training, and is the most probable
one afterwards.

Legend: N pictures, Z latents, K numbers of the conditions, R numbers that q(c|x) is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facette.condition import Condition, slices
from facette.model.posterior import LOG_2PI

TEMPERATURE = 0.67  # of the Gumbel-softmax
LOG_SPREAD_LIMIT = 5.0  # of a number's log σ, either way
CHANCE_LIMIT = 1e-6


@dataclass(frozen=True, slots=True)
class Inference:
    """q(c|x), and the code that was taken of it or known."""

    raw: Tensor  # (N, R): logits of classes; mean and log σ of numbers
    code: Tensor  # (N, K)


class ConditionalEncoder(nn.Module):
    """A network that gives (N, 2Z + R), and what conditions add to the 2Z: a small network of the K numbers."""

    def __init__(self, trunk: nn.Module, conditions: Sequence[Condition], latent: int, width: int = 128):
        super().__init__()
        self.trunk, self.latent = trunk, latent
        self.conditions = tuple(conditions)
        told = slices(self.conditions)[-1].stop
        self.told = nn.Sequential(nn.Linear(told, width), nn.SiLU(), nn.Linear(width, 2 * latent))

    def forward(
        self, x: Tensor, noise: Tensor | None = None, known: Tensor | None = None
    ) -> tuple[Tensor, Inference]:
        """The raw posterior of z (N, 2Z), given conditions that are `known` (N, K), where they are not NaN, or
        inferred: drawn with standard normal `noise` (N, K), or without it the most probable."""
        both = self.trunk(x).float()
        raw = both[:, 2 * self.latent :]
        code = inferred_code(self.conditions, raw, noise)
        if known is not None:
            code = torch.where(known.isnan(), code, known)
        return both[:, : 2 * self.latent] + self.told(code), Inference(raw, code)


def outputs_of(conditions: Sequence[Condition]) -> int:
    """R."""
    return sum(len(condition.classes) or 2 for condition in conditions)


def parts_of(conditions: Sequence[Condition], raw: Tensor) -> list[Tensor]:
    """raw (N, R) of each condition."""
    widths = [len(condition.classes) or 2 for condition in conditions]
    ends = list(accumulate(widths))
    return [raw[:, end - width : end] for width, end in zip(widths, ends, strict=True)]


def inferred_code(conditions: Sequence[Condition], raw: Tensor, noise: Tensor | None = None) -> Tensor:
    """c (N, K) of q(c|x): drawn with the noise (N, K), or the most probable."""
    codes = []
    for condition, part, place in zip(conditions, parts_of(conditions, raw), slices(conditions), strict=True):
        own = None if noise is None else noise[:, place]
        codes.append(_class_code(part, own) if condition.classes else _number_code(part, own))
    return torch.cat(codes, dim=1)


def _class_code(logits: Tensor, noise: Tensor | None) -> Tensor:
    if noise is None:
        return _most_probable(logits)
    chance = torch.special.ndtr(noise).clamp(CHANCE_LIMIT, 1 - CHANCE_LIMIT)
    gumbel = -(-chance.log()).log()
    soft = F.softmax((logits + gumbel) / TEMPERATURE, dim=1)
    return _most_probable(soft) + soft - soft.detach()


def _most_probable(scores: Tensor) -> Tensor:
    """Rows of one 1 and zeros, (N, L)."""
    return F.one_hot(scores.argmax(dim=1), scores.shape[1]).to(scores.dtype)


def _number_code(raw: Tensor, noise: Tensor | None) -> Tensor:
    mean, log_spread = raw[:, :1], raw[:, 1:].clamp(-LOG_SPREAD_LIMIT, LOG_SPREAD_LIMIT)
    return mean if noise is None else mean + log_spread.exp() * noise


def _log_shares(condition: Condition, like: Tensor) -> Tensor:
    shares = like.new_tensor(condition.shares)
    return (shares / shares.sum()).clamp_min(CHANCE_LIMIT).log()


def label_costs(conditions: Sequence[Condition], raw: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """What q(c|x) costs, (N,) nats each: −log q(c|x) of labels that are known, and KL(q(c|x) ‖ p(c)) of those that
    are not. p(c) is the shares of the classes, and N(0, 1) of a number."""
    missed, rate = raw.new_zeros(len(raw)), raw.new_zeros(len(raw))
    for condition, part, place in zip(conditions, parts_of(conditions, raw), slices(conditions), strict=True):
        label = known[:, place]
        unknown = label[:, 0].isnan()
        label = label.nan_to_num(0.0)
        if condition.classes:
            log_chance = F.log_softmax(part, dim=1)
            cost = -(label * log_chance).sum(1)
            kl = (log_chance.exp() * (log_chance - _log_shares(condition, part))).sum(1)
        else:
            mean, log_spread = part[:, 0], part[:, 1].clamp(-LOG_SPREAD_LIMIT, LOG_SPREAD_LIMIT)
            cost = 0.5 * ((label[:, 0] - mean) / log_spread.exp()) ** 2 + log_spread + 0.5 * LOG_2PI
            kl = 0.5 * (mean**2 + (2 * log_spread).exp() - 1) - log_spread
        missed = missed + torch.where(unknown, 0.0, cost)
        rate = rate + torch.where(unknown, kl, 0.0)
    return missed, rate
