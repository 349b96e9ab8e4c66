"""What is wrong with a model, in plain words, and the line of the recipe that mends it.

Enters: a loaded model, held-out pictures, training pictures where they are known, the rows of a run's journal where
there is one. Leaves: a `Diagnosis`, findings each with what was measured. A finding is made only where a measure is far
from what a healthy model has; the thresholds stand beside the checks. Knows nothing of files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from facette.errors import UsageError
from facette.measures.manifold import nearest_distances
from facette.measures.reconstruction import sharpness_ratio, unexplained_variance
from facette.model.likelihood import LOG_SIGMA_FLOOR
from facette.model.posterior import LOG_VARIANCE_LIMIT, DiagonalGaussian
from facette.model.trained import TrainedModel

Kind = Literal[
    "unused units", "posterior collapse", "σ at its limit", "KL weight", "wrong range", "channel order",
    "blurred", "over-fitting", "memorised",
]  # fmt: skip

FEWEST = 32  # pictures to measure on
USED_ABOVE = 0.01  # nats, mean rate of a unit that carries something
COLLAPSED = 0.9  # share of unused units from which the posterior as a whole has collapsed
AT_LIMIT = 0.001  # share of posterior σ at their limit
WEIGHT_OFF = 1.5  # factor between the σ that the objective implies and the errors that are made
BETTER_OTHERWISE = (
    0.7  # unexplained variance under another reading of the values, as a share of the declared one's
)
BLURRED = 0.08  # sharpness of reconstructions over that of photos
MENDABLE = 0.1  # share of the squared error that an unsharp mask takes away
GAP = 1.5  # unexplained variance of held-out over that of training pictures
COPIED = 0.5  # share of held-out pictures whose reconstruction lies nearer to a training picture than to themselves
PAST = 0.02  # of the bound's whole gain, lost again since its best


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what, in words; the remedy, a line of a recipe or a command; what was measured."""

    kind: Kind
    sentence: str
    remedy: str
    measured: dict[str, float]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything found, and what could not be looked at for want of pictures or a journal."""

    model: str
    findings: tuple[Finding, ...]
    not_looked_at: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"healthy": self.healthy}

    def lines(self) -> list[str]:
        """The diagnosis for people."""
        lines = [f"{self.model}: nothing wrong was found"] if self.healthy else [f"{self.model}:"]
        for finding in self.findings:
            lines += [f"  {finding.kind}: {finding.sentence}", f"      → {finding.remedy}"]
        return lines + [f"  not looked at: {what}" for what in self.not_looked_at]


def examine(
    model: TrainedModel,
    held_out: np.ndarray,
    training: np.ndarray | None = None,
    journal: Sequence[dict[str, Any]] = (),
) -> Diagnosis:
    """Look at a model of pictures from every side.

    `held_out`: uint8 (N, S, S, 3) that the model was not trained on, at least 32. `training`: some it was trained on,
    for over-fitting and memorisation. `journal`: rows of its run (facette.training.journal). Raises UsageError for a
    model of vectors and for too few pictures.
    """
    if model.input.kind == "vector":
        raise UsageError(f"model {model.name!r} is one of vectors: the doctor looks at models of pictures")
    if len(held_out) < FEWEST:
        raise UsageError(
            f"the doctor needs at least {FEWEST} pictures that the model did not learn from, got {len(held_out)}: "
            "give it a folder of others."
        )
    posterior = model.encode(held_out)
    drawn = model.decode(posterior.mean)
    ranges = value_reading(model, held_out)
    findings = [
        *units(posterior),
        *limits(model, posterior),
        *ranges,
        *([] if ranges else kl_weight(model, held_out)),  # errors made of misread values say nothing about σ
        *blur(held_out, drawn),
        *past_the_best(journal),
    ]
    missing = []
    if training is None or not len(training):
        missing.append("over-fitting and memorisation (give the data it was trained on)")
    else:
        findings += overfitting(model, held_out, training)
    if not journal:
        missing.append("how the training went (give a run instead of a model)")
    return Diagnosis(model.name, tuple(findings), tuple(missing))


# ── checks ───────────────────────────────────────────────────────────────────────────────────────────────


def units(posterior: DiagonalGaussian) -> list[Finding]:
    """Latent units whose mean rate is under 0.01 nats: they carry nothing."""
    rate = posterior.rate_per_dimension().mean(0)  # (Z,) nats
    unused = int((rate <= USED_ABOVE).sum())
    total = len(rate)
    measured = {"unused": float(unused), "units": float(total), "rate_nats": float(rate.sum())}
    if unused >= COLLAPSED * total:
        sentence = f"{unused} of {total} latent units carry nothing: the decoder ignores the latents"
        remedy = "objective.schedule = 'linear' with objective.warmup_steps, or a lower objective.beta"
        return [Finding("posterior collapse", sentence, remedy, measured)]
    if unused:
        which = ", ".join(str(i) for i in torch.nonzero(rate <= USED_ABOVE).flatten().tolist()[:8])
        sentence = f"{unused} of {total} latent units carry less than {USED_ABOVE} nats (unit {which})"
        remedy = (
            f"model.latent = {total - unused} says the same, or objective.free_bits = 0.05 puts them to use"
        )
        return [Finding("unused units", sentence, remedy, measured)]
    return []


def limits(model: TrainedModel, posterior: DiagonalGaussian) -> list[Finding]:
    """σ of posterior or likelihood where its range ends: there its gradient is zero."""
    found = []
    share = float((posterior.log_variance.abs() >= LOG_VARIANCE_LIMIT - 1e-3).float().mean())
    if share > AT_LIMIT:
        sentence = (
            f"{share:.1%} of the posterior's σ stand at their limit, exp(±{LOG_VARIANCE_LIMIT / 2:.0f})"
        )
        remedy = "objective.beta = 1.0, and a likelihood with model.likelihood.sigma = 'optimal'"
        found.append(Finding("σ at its limit", sentence, remedy, {"share": share}))
    sigma = model.vae.likelihood.sigma
    if sigma is not None and math.log(sigma) <= LOG_SIGMA_FLOOR + 1e-3:
        sentence = f"the likelihood's σ stands at its limit, {sigma:.4f}: the pictures are reproduced exactly"
        remedy = "are all pictures the same? else train.validate_every shows since when"
        found.append(Finding("σ at its limit", sentence, remedy, {"sigma": sigma}))
    return found


def kl_weight(model: TrainedModel, pictures: np.ndarray) -> list[Finding]:
    """The σ that likelihood and β together imply, σ·√β, against the errors the model makes.

    distortion + β·KL with a Gaussian of σ has the same minimum as that of σ·√β with β = 1 (divide by β), and at the
    maximum of the likelihood σ is the root mean squared error (arXiv 2006.13202).
    """
    sigma, beta = model.vae.likelihood.sigma, model.recipe.objective.beta
    if sigma is None or beta == 0:
        return []
    x = model.to_model(pictures)
    error = float((_reconstructed(model, x) - x).square().mean().sqrt())
    implied = sigma * math.sqrt(beta)
    if 1 / WEIGHT_OFF < implied / max(error, 1e-9) < WEIGHT_OFF:
        return []
    wide = implied > error
    sentence = (
        f"β = {beta:g} with σ = {sigma:.3g} is β = 1 with σ = {implied:.3g} in disguise, but the errors made are "
        f"{error:.3g}: "
        + ("details are thrown away" if wide else "latents are kept too precisely to sample from")
    )
    measured = {"implied_sigma": implied, "error": error, "beta": beta}
    return [
        Finding(
            "KL weight", sentence, "objective.beta = 1.0 and model.likelihood.sigma = 'optimal'", measured
        )
    ]


def value_reading(model: TrainedModel, pictures: np.ndarray) -> list[Finding]:
    """Whether the weights make more sense of the pictures in another value range or order of channels."""
    declared = model.recipe.input
    assert declared.kind == "image"
    x = model.to_model(pictures)
    unit = declared.range == "unit"
    other = "symmetric" if unit else "unit"
    readings: dict[str, Callable[[Tensor], Tensor]] = {
        "declared": lambda t: t,
        other: (lambda t: t * 2 - 1) if unit else (lambda t: (t + 1) / 2),
        "channels": lambda t: t.flip(1),
    }
    unexplained = {name: _unexplained(model, reading(x)) for name, reading in readings.items()}
    best = min(unexplained, key=unexplained.__getitem__)
    if best == "declared" or unexplained[best] > BETTER_OTHERWISE * unexplained["declared"]:
        return []
    measured = {"declared": unexplained["declared"], "otherwise": unexplained[best]}
    numbers = f"unexplained variance {measured['declared']:.3f}, but {measured['otherwise']:.3f}"
    if best == "channels":
        sentence = f"the weights take blue, green, red: {numbers} with the channels turned round"
        return [
            Finding("channel order", sentence, "turn the channels of the data round, or train anew", measured)
        ]
    sentence = f"the weights were not trained on values in the declared range: {numbers} as {best!r}"
    remedy = f"input.range = {best!r} (or imported anew with that range)"
    return [Finding("wrong range", sentence, remedy, measured)]


def blur(photos: np.ndarray, drawn: np.ndarray) -> list[Finding]:
    """Reconstructions that keep next to nothing of the photos' detail, or that a mere unsharp mask brings nearer.

    A decoder that draws the mean of what it cannot know is blurred, but no filter brings it nearer to the photos: one
    that does says that the pictures were blurred on the way, by a resize, a filter, or softened training pictures.
    """
    ratio = sharpness_ratio(photos / 255, drawn / 255)
    gain = _gain_of_unsharp_mask(photos / 255, drawn / 255)
    measured = {"sharpness": ratio, "gain_of_unsharp_mask": gain}
    if gain > MENDABLE:
        sentence = (
            f"pictures are blurred on their way: an unsharp mask takes {gain:.0%} off their squared error"
        )
        remedy = "look for a resize or filter in the data or behind the decoder; input.size as in training"
        return [Finding("blurred", sentence, remedy, measured)]
    if ratio < BLURRED:
        sentence = f"reconstructions keep {ratio:.0%} of the photos' sharpness"
        remedy = (
            "a smaller σ (objective.beta = 1.0, model.likelihood.sigma = 'optimal'), then facette sharpen"
        )
        return [Finding("blurred", sentence, remedy, measured)]
    return []


def overfitting(model: TrainedModel, held_out: np.ndarray, training: np.ndarray) -> list[Finding]:
    """Training pictures that are drawn far better than others; memorised where others become training pictures."""
    plain = model.plain()
    again, known = plain.decode(plain.encode(held_out).mean), plain.decode(plain.encode(training).mean)
    new, old = (
        unexplained_variance(held_out / 255, again / 255),
        unexplained_variance(training / 255, known / 255),
    )
    if new < GAP * old:
        return []
    flat, own, others = (
        pictures.reshape(len(pictures), -1) / 255 for pictures in (again, held_out, training)
    )
    copied = float((nearest_distances(flat, others) < np.linalg.norm(flat - own, axis=1)).mean())
    measured = {"held_out": new, "training": old, "copied": copied}
    numbers = f"unexplained variance {new:.3f} on held-out pictures, {old:.3f} on training pictures"
    remedy = (
        "more pictures (input.flip = true gives twice as many faces), a smaller model, or fewer train.epochs"
    )
    if copied > COPIED:
        sentence = (
            f"the training set is known by heart: {numbers}, "
            f"and {copied:.0%} of the former are drawn as one of the latter"
        )
        return [Finding("memorised", sentence, remedy, measured)]
    return [Finding("over-fitting", numbers, remedy, measured)]


def past_the_best(journal: Sequence[dict[str, Any]]) -> list[Finding]:
    """A bound that was better before the run ended."""
    rows = [r for r in journal if r.get("event") == "validation" and "elbo" in r]
    if len(rows) < 4:
        return []
    bounds = [r["elbo"] for r in rows]
    best = int(np.argmax(bounds))
    gained, lost = bounds[best] - bounds[0], bounds[best] - bounds[-1]
    if lost <= PAST * max(gained, 1e-9):
        return []
    step = rows[best]["step"]
    sentence = (
        f"the bound on held-out pictures was best at step {step:,} and has fallen by {lost:.1f} nats since"
    )
    measured = {"best_step": float(step), "last_step": float(rows[-1]["step"]), "lost_nats": lost}
    return [Finding("over-fitting", sentence, f"train.steps = {step}, or more pictures", measured)]


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────


@torch.inference_mode()
def _reconstructed(model: TrainedModel, x: Tensor, batch: int = 64) -> Tensor:
    """The bare decoder's means for x (N, 3, S, S), whatever range x is in."""
    return torch.cat([model.vae.decode(model.vae.encode(part).mean) for part in x.split(batch)])


def _unexplained(model: TrainedModel, x: Tensor) -> float:
    error = (_reconstructed(model, x) - x).square().mean()
    return float(error / (x - x.mean(0)).square().mean().clamp_min(1e-12))


def _gain_of_unsharp_mask(photos: np.ndarray, drawn: np.ndarray) -> float:
    """By which share the best of a few unsharp masks lowers the squared error; 0 where none does."""
    from scipy.ndimage import gaussian_filter

    before = float(np.square(photos - drawn).mean())
    best = before
    for radius in (0.7, 1.2, 2.0):
        detail = drawn - gaussian_filter(drawn, (0, radius, radius, 0))
        # the amount a that minimises |photos − drawn − a·detail|²
        amount = float((detail * (photos - drawn)).sum() / max(1e-12, float(np.square(detail).sum())))
        best = min(best, float(np.square(photos - drawn - max(0.0, amount) * detail).mean()))
    return 1 - best / max(before, 1e-12)
