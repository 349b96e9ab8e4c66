"""What is wrong with a model, in plain words, and the line of the recipe that mends it.

In: a loaded model, held-out pictures, training pictures where they are known, the rows of a run's journal where there
is one. Out: a `Diagnosis`, findings each with what was measured. From where on something is wrong stands in
`thresholds`, with the reasons. It knows no files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facette.errors import UsageError
from facette.evaluation.diagnosis import Diagnosis, Finding, Weight
from facette.evaluation.forward import split_seen
from facette.evaluation.thresholds import (
    BLURRED,
    KNOWN_BY_HEART,
    NOTHING_LEARNT,
    OVERFITTED,
    PAST_THE_BEST,
    READ_OTHERWISE,
    SCALE_AT_LIMIT,
    SMEARED,
    SOFTENED,
    UNMIRRORED,
    UNUSED_UNIT,
    WEIGHT_DISGUISED,
    judge_units,
)
from facette.images.convert import as_unit
from facette.measures.manifold import nearest_distances
from facette.measures.reconstruction import sharpness_ratio, unexplained_variance
from facette.model.likelihood import LOG_SIGMA_FLOOR
from facette.model.posterior import LOG_VARIANCE_LIMIT, DiagonalGaussian
from facette.model.trained import TrainedModel

FEWEST = 32  # pictures to measure on


def examine(
    model: TrainedModel,
    held_out: np.ndarray,
    training: np.ndarray | None = None,
    journal: Sequence[dict[str, Any]] = (),
) -> Diagnosis:
    """Look at a model of pictures from every side.

    `held_out`: uint8 (N, S, S, 3) that the model was not trained on, at least 32, or (N, S, S, 4) with masks of what
    they show where the model knows such: what a photo does not show is encoded as unseen, and held against nobody.
    `training`: some it was trained on, for over-fitting and memorisation. `journal`: rows of its run
    (facette.training.journal). Raises UsageError for a model of vectors and for too few pictures.
    """
    if model.input.kind == "vector":
        raise UsageError(f"model {model.name!r} is one of vectors: the doctor looks at models of pictures")
    if len(held_out) < FEWEST:
        raise UsageError(
            f"the doctor needs at least {FEWEST} pictures that the model did not learn from, got {len(held_out)}: "
            "give it a folder of others."
        )
    posterior = model.encode(held_out)
    photos, drawn = _compared(model, held_out, model.decode(posterior.mean))
    posterior = posterior.inferred()
    ranges = value_reading(model, photos)
    findings = [
        *nothing_learnt(photos, drawn),
        *units(posterior),
        *limits(model, posterior),
        *ranges,
        *([] if ranges else kl_weight(model, held_out)),  # errors made of misread values say nothing about σ
        *blur(photos, drawn, photos.shape[2] // model.recipe.core[1], model.sharpener is not None),
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


def nothing_learnt(photos: np.ndarray, drawn: np.ndarray) -> list[Finding]:
    """Reconstructions that are no better than the mean picture."""
    if np.ptp(photos.astype(np.int32), axis=0).max() == 0:
        return []  # all pictures are one: there is no variance to explain
    unexplained = unexplained_variance(as_unit(photos), as_unit(drawn))
    if unexplained < NOTHING_LEARNT.limit:
        return []
    sentence = (
        f"unexplained variance {unexplained:.3f}: showing the mean picture every time would be no worse, "
        "the model has learned nothing of such pictures"
    )
    remedy = "more pictures or more train.steps; or pictures of the kind that it was trained on"
    return [Finding("nothing learnt", sentence, remedy, {"unexplained_variance": unexplained}, "fatal")]


def units(posterior: DiagonalGaussian) -> list[Finding]:
    """Latent units that carry nothing."""
    rates = posterior.rate_per_dimension().mean(0)  # (Z,) nats
    verdict, total = judge_units(rates.tolist()), len(rates)
    unused = len(verdict.unused)
    measured = {"unused": float(unused), "units": float(total), "rate_nats": verdict.rate}
    if verdict.kind == "posterior collapse":
        sentence = (
            f"{unused} of {total} latent units carry nothing, all together {verdict.rate:.2g} nats: the decoder "
            "ignores the latents"
        )
        remedy = "objective.schedule = 'linear' with objective.warmup_steps, or a lower objective.beta"
        return [Finding("posterior collapse", sentence, remedy, measured)]
    if verdict.kind == "unused units":
        which = ", ".join(map(str, verdict.unused[:8]))
        sentence = f"{unused} of {total} latent units carry less than {UNUSED_UNIT.limit} nats (unit {which})"
        remedy = (
            f"model.latent = {total - unused} says the same, or objective.free_bits = 0.05 puts them to use"
        )
        return [Finding("unused units", sentence, remedy, measured)]
    return []


def limits(model: TrainedModel, posterior: DiagonalGaussian) -> list[Finding]:
    """σ of posterior or likelihood where its range ends: there its gradient is zero."""
    findings = []
    share = float((posterior.log_variance.abs() >= LOG_VARIANCE_LIMIT - 1e-3).float().mean())
    if share > SCALE_AT_LIMIT.limit:
        sentence = (
            f"{share:.1%} of the posterior's σ stand at their limit, exp(±{LOG_VARIANCE_LIMIT / 2:.0f})"
        )
        remedy = "objective.beta = 1.0, and a likelihood with model.likelihood.sigma = 'optimal'"
        findings.append(Finding("σ at its limit", sentence, remedy, {"share": share}))
    sigma = model.vae.likelihood.sigma
    if sigma is not None and math.log(sigma) <= LOG_SIGMA_FLOOR + 1e-3:
        sentence = f"the likelihood's σ stands at its limit, {sigma:.4f}: the pictures are reproduced exactly"
        remedy = "are all pictures the same? else train.validate_every shows since when"
        findings.append(Finding("σ at its limit", sentence, remedy, {"sigma": sigma}))
    return findings


def kl_weight(model: TrainedModel, pictures: np.ndarray) -> list[Finding]:
    """The σ that likelihood and β together imply, σ·√β, against the errors the model makes.

    distortion + β·KL with a Gaussian of σ has the same minimum as that of σ·√β with β = 1 (divide by β), and at the
    maximum of the likelihood σ is the root mean squared error (arXiv 2006.13202).
    """
    sigma, beta = model.vae.likelihood.sigma, model.recipe.objective.beta
    if sigma is None or beta == 0:
        return []
    x = model.to_model(pictures)  # (N, 3, S, S), or (N, 4, S, S) with masks
    drawn = _reconstructed(model, x)
    colours, seen = x[:, : drawn.shape[1]], x[:, drawn.shape[1] :]
    errors = (drawn - colours).square()
    shown = seen.expand_as(errors) if seen.shape[1] else torch.ones_like(errors)
    error = float(((errors * shown).sum() / shown.sum()).sqrt())
    implied = sigma * math.sqrt(beta)
    if 1 / WEIGHT_DISGUISED.limit < implied / max(error, 1e-9) < WEIGHT_DISGUISED.limit:
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
    }
    if declared.channels == 3:
        readings["channels"] = lambda t: t.flip(1)
    unexplained = {name: _unexplained(model, reading(x)) for name, reading in readings.items()}
    best = min(unexplained, key=unexplained.__getitem__)
    if best == "declared" or unexplained[best] > READ_OTHERWISE.limit * unexplained["declared"]:
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


def blur(photos: np.ndarray, drawn: np.ndarray, cell: int = 1, sharpened: bool = False) -> list[Finding]:
    """Reconstructions that keep next to nothing of the photos' detail, or that a mere unsharp mask brings nearer.

    A decoder that draws the mean of what it cannot know is blurred, but no filter brings it nearer to the photos: one
    that does says that the pictures were blurred on the way, by a resize, a filter, or softened training pictures.
    `cell`: pixels of a side that the core draws as one. What is finer than that is no fault of its decoder.
    `sharpened`: a second stage has drawn over it.
    """
    ratio = sharpness_ratio(as_unit(photos), as_unit(drawn))
    gain = _gain_of_unsharp_mask(as_unit(photos), as_unit(drawn))
    measured = {"sharpness": ratio, "gain_of_unsharp_mask": gain}
    if gain > SOFTENED.limit:
        sentence = (
            f"pictures are blurred on their way: an unsharp mask takes {gain:.0%} off their squared error"
        )
        remedy = "look for a resize or filter in the data or behind the decoder; input.size as in training"
        return [Finding("blurred", sentence, remedy, measured)]
    if ratio < BLURRED.limit:
        sentence = f"reconstructions keep {ratio:.0%} of the photos' sharpness"
        remedy = (
            "facette sharpen learns on from the second stage that it has, from pictures as sharp as these"
            if sharpened
            else "facette sharpen draws a second stage over it; first a smaller σ (objective.beta = 1.0, "
            "model.likelihood.sigma = 'optimal')"
        )
        at_core = sharpness_ratio(_means(photos, cell), _means(drawn, cell))
        weight: Weight = "fault" if at_core < SMEARED.limit else "advice"
        return [Finding("blurred", sentence, remedy, measured, weight)]
    return []


def overfitting(model: TrainedModel, held_out: np.ndarray, training: np.ndarray) -> list[Finding]:
    """Training pictures that are drawn far better than others; memorised where others become training pictures."""
    plain = model.plain()
    (held_out, again), (training, known) = (
        _compared(model, pictures, plain.decode(plain.encode(pictures).mean))
        for pictures in (held_out, training)
    )
    new, old = (
        unexplained_variance(as_unit(held_out), as_unit(again)),
        unexplained_variance(as_unit(training), as_unit(known)),
    )
    if new < OVERFITTED.limit * old:
        return []
    flat, own, others = (
        as_unit(pictures.reshape(len(pictures), -1)) for pictures in (again, held_out, training)
    )
    copied = float((nearest_distances(flat, others) < np.linalg.norm(flat - own, axis=1)).mean())
    measured = {"held_out": new, "training": old, "copied": copied}
    numbers = f"unexplained variance {new:.3f} on held-out pictures, {old:.3f} on training pictures"
    mirrored = ""
    flipped = model.input.kind == "image" and model.input.flip
    if not flipped and may_be_mirrored(held_out, training):
        mirrored = " (input.flip = true gives twice as many)"
    remedy = f"more pictures{mirrored}, a smaller model, or fewer train.epochs"
    if copied > KNOWN_BY_HEART.limit:
        sentence = (
            f"the training set is known by heart: {numbers}, "
            f"and {copied:.0%} of the former are drawn as one of the latter"
        )
        return [Finding("memorised", sentence, remedy, measured)]
    return [Finding("over-fitting", numbers, remedy, measured)]


def may_be_mirrored(pictures: np.ndarray, training: np.ndarray) -> bool:
    """Whether mirrored pictures are as near to the training pictures as the others: faces are, digits are not."""
    points, others, mirrored = (
        as_unit(part.reshape(len(part), -1)) for part in (pictures, training, pictures[:, :, ::-1])
    )
    usual, turned = (float(np.median(nearest_distances(some, others))) for some in (points, mirrored))
    return turned <= UNMIRRORED.limit * usual


def past_the_best(journal: Sequence[dict[str, Any]]) -> list[Finding]:
    """A bound that was better before the run ended."""
    rows = [r for r in journal if r.get("event") == "validation" and "elbo" in r]
    if len(rows) < 4:
        return []
    bounds = [r["elbo"] for r in rows]
    best = int(np.argmax(bounds))
    gained, lost = bounds[best] - bounds[0], bounds[best] - bounds[-1]
    if lost <= PAST_THE_BEST.limit * max(gained, 1e-9):
        return []
    step = rows[best]["step"]
    sentence = (
        f"the bound on held-out pictures was best at step {step:,} and has fallen by {lost:.1f} nats since"
    )
    measured = {"best_step": float(step), "last_step": float(rows[-1]["step"]), "lost_nats": lost}
    return [Finding("over-fitting", sentence, f"train.steps = {step}, or more pictures", measured)]


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────


def _compared(model: TrainedModel, pictures: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photos and what was drawn of them, (N, S, S, 3) each. What a photo does not show is in both the mean
    of the photos that show it, so that it counts neither as an error nor as something to explain."""
    photos, seen = split_seen(pictures, model)
    if seen is None:
        return photos, drawn
    shown = np.where(seen, photos, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    mean = np.round(shown).astype(photos.dtype)
    return np.where(seen, photos, mean), np.where(seen, drawn, mean)


@torch.inference_mode()
def _reconstructed(model: TrainedModel, x: Tensor, batch: int = 64) -> Tensor:
    """The bare decoder's means for x (N, 3, S, S), whatever range x is in; with masks (N, 4, S, S)."""
    return torch.cat([model.vae.decode(model.vae.encode(part).mean) for part in x.split(batch)])


def _unexplained(model: TrainedModel, x: Tensor) -> float:
    return unexplained_variance(x.cpu().numpy(), _reconstructed(model, x).cpu().numpy())


def _means(pictures: np.ndarray, cell: int) -> np.ndarray:
    """Stored pictures (N, H, W, C) as means of cell × cell pixels, in [0, 1]."""
    count, height, width, channels = pictures.shape
    cells = as_unit(pictures).reshape(count, height // cell, cell, width // cell, cell, channels)
    return cells.mean(axis=(2, 4))


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
