"""Evaluations in words: what a person should know first, and the figures of several models side by side.

Enters: one or more `Evaluation`s. Leaves: lines and rows of text. Knows nothing of how anything is measured, nor of
files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facette.evaluation.bound import ACTIVE_ABOVE
from facette.evaluation.lines import lines
from facette.evaluation.protocol import require_same
from facette.evaluation.result import DistributionFigures, Evaluation
from facette.measures.memory import CHANCE

COLLAPSED_RATE = 1.0  # nats per datum: below it the latents say next to nothing about the picture
UNUSED_SHARE = 0.1  # of the units; more are worth a word
BLURRED = 0.5  # sharpness ratio below which a person sees the blur at once
LISTED_UNITS = 12  # unused units named one by one
COPIED = 0.05  # share of samples nearer to a training picture than chance allows

# Columns of the table of distributions: field, heading, what it means.
DISTRIBUTION_MEASURES: tuple[tuple[str, str, str], ...] = (
    ("frechet", "Fréchet", "squared distance of means and covariances; compare with the floor, not with 0"),
    ("kernel", "kernel", "squared maximum mean discrepancy; equal distributions scatter around 0"),
    ("precision", "precision", "share of the made within reach of real pictures"),
    ("recall", "recall", "share of the real within reach of made pictures"),
    ("density", "density", "how deep the made lie among the real; 1 for equal distributions"),
    ("coverage", "coverage", "share of the real with something made beside them"),
    (
        "two_sample",
        "told apart",
        "how often a linear classifier tells made from real; 0.5 is never, 1 always",
    ),
    ("vendi", "Vendi", "how many different pictures there are, in effect"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of several models."""

    group: str
    label: str
    figures: tuple[str, ...]  # one for each model; empty where it has none
    sentence: str


def title(evaluation: Evaluation) -> str:
    """What was measured on what."""
    unit = "pictures" if evaluation.kind == "image" else "points"
    return (
        f"{evaluation.model} on {evaluation.count:,} {unit} of {evaluation.data} "
        f"(split {evaluation.split}, seed {evaluation.seed})"
    )


def frames_sentence(evaluations: Sequence[Evaluation]) -> str:
    """A warning where the models do not see the same cut of the photos in the same size; empty where they do."""
    if len({one.frame for one in evaluations}) < 2:
        return ""
    seen = "; ".join(f"{one.model} {one.frame}" for one in evaluations)
    return (
        f"The models see the same photos differently ({seen}). Every measure is taken against what the model was "
        "given: compare distributions with each model's own floor, and pixel measures with care."
    )


def side_by_side(evaluations: Sequence[Evaluation]) -> tuple[Row, ...]:
    """The lines of several models, those of one measure in one row, in the order in which they first appear.

    Raises UsageError where their FIDs were made under different protocols.
    """
    protocols = [one.standard.protocol for one in evaluations if one.standard and one.standard.protocol]
    if protocols:
        require_same(protocols)
    found = [{(line.group, line.label): line for line in lines(one)} for one in evaluations]
    known = {key: line for one in reversed(found) for key, line in one.items()}
    groups = list(dict.fromkeys(group for one in found for group, _ in one))
    order = sorted(dict.fromkeys(key for one in found for key in one), key=lambda key: groups.index(key[0]))
    return tuple(
        Row(*key, tuple(one[key].figure if key in one else "" for one in found), known[key].sentence)
        for key in order
    )


def distribution_rows(evaluations: Sequence[Evaluation]) -> tuple[tuple[str, ...], ...]:
    """A row for every cloud of every model: its name and its figures, in the order of DISTRIBUTION_MEASURES.

    Raises UsageError where the models were not measured under one protocol.
    """
    measured = [(one, one.distributions) for one in evaluations if one.distributions is not None]
    if measured:
        require_same([found.protocol for _, found in measured])
    several = len(evaluations) > 1
    return tuple(
        (f"{one.model}: {row.of}" if several else row.of, *_figures(row))
        for one, found in measured
        for row in (found.floor, *found.made)
    )


def _figures(row: DistributionFigures) -> tuple[str, ...]:
    return tuple(str(getattr(row, field)) for field, _, _ in DISTRIBUTION_MEASURES)


def findings(evaluation: Evaluation) -> tuple[str, ...]:
    """What a person should know, one sentence each: collapse first, then unused units, blur and samples."""
    latents, rate = evaluation.latents, evaluation.bound.rate.value
    found = []
    unused = [unit for unit, activity in enumerate(latents.activity) if activity <= ACTIVE_ABOVE]
    if latents.active == 0 or rate < COLLAPSED_RATE:
        found.append(
            f"The posterior has collapsed: the latents carry {rate:.2g} nats, so every datum is decoded alike. Train "
            "with a smaller objective.beta, a longer objective.warmup_steps, or objective.free_bits."
        )
    elif len(unused) > UNUSED_SHARE * latents.size:
        named = ", ".join(map(str, unused[:LISTED_UNITS])) + (" …" if len(unused) > LISTED_UNITS else "")
        found.append(
            f"{len(unused)} of {latents.size} latent units are unused ({named}): a smaller model.latent would do, or "
            "objective.free_bits puts them to work."
        )
    else:
        found.append(
            f"The latents are alive: {latents.active} of {latents.size} units active, {rate:.0f} nats in all."
        )
    sharpness = (evaluation.sharpened or evaluation.reconstruction).sharpness
    if sharpness is not None and sharpness.value < BLURRED:
        found.append(
            f"Reconstructions are blurred: they keep {sharpness.value:.0%} of the photos' sharpness."
        )
    copied = evaluation.memorisation
    if copied is not None and copied.share > COPIED:
        found.append(
            f"{copied.share:.0%} of the samples lie nearer to a training picture than {1 - CHANCE:.0%} of other real "
            "pictures do: the model repeats what it was shown. Train on more pictures, or for less long."
        )
    if evaluation.reconstruction.unexplained_variance.value >= 1:
        found.append(
            "Reconstructions are no better than showing the mean every time: the model has learned nothing."
        )
    return tuple(found)
