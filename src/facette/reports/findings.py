"""An evaluation in a few sentences: what a person should know first.

In: an `Evaluation`. Out: sentences. From where on something is worth a word stands in `evaluation.thresholds`, where
the doctor and training read it too; nothing is measured here.
"""

from __future__ import annotations

from facette.evaluation.result import Evaluation
from facette.evaluation.thresholds import BLURRED, COPIED_SAMPLES, NOTHING_LEARNT, judge_units
from facette.measures.memory import CHANCE

LISTED_UNITS = 12  # unused units named one by one


def findings(evaluation: Evaluation) -> tuple[str, ...]:
    """One sentence each: a model that learned nothing or collapsed first, then unused units, blur and samples."""
    sentences = [_units_sentence(evaluation)]
    sharpness = (evaluation.sharpened or evaluation.reconstruction).sharpness
    if sharpness is not None and sharpness.value < BLURRED.limit:
        sentences.append(
            f"Reconstructions are blurred: they keep {sharpness.value:.0%} of the photos' sharpness."
        )
    memory = evaluation.memorisation
    if memory is not None and memory.share > COPIED_SAMPLES.limit:
        sentences.append(
            f"{memory.share:.0%} of the samples lie nearer to a training picture than {1 - CHANCE:.0%} of other real "
            "pictures do: the model repeats what it was shown. Train on more pictures, or for less long."
        )
    if evaluation.reconstruction.unexplained_variance.value >= NOTHING_LEARNT.limit:
        sentences.append(
            "Reconstructions are no better than showing the mean every time: the model has learned nothing."
        )
    return tuple(sentences)


def _units_sentence(evaluation: Evaluation) -> str:
    latents, rate = evaluation.latents, evaluation.bound.rate.value
    verdict = judge_units(latents.rate_per_unit, rate)
    if verdict.kind == "posterior collapse":
        return (
            f"The posterior has collapsed: the latents carry {rate:.2g} nats, so every datum is decoded alike. Train "
            "with a smaller objective.beta, a longer objective.warmup_steps, or objective.free_bits."
        )
    if verdict.kind == "unused units":
        unused = verdict.unused
        named = ", ".join(map(str, unused[:LISTED_UNITS])) + (" …" if len(unused) > LISTED_UNITS else "")
        return (
            f"{len(unused)} of {latents.size} latent units are unused ({named}): a smaller model.latent would do, or "
            "objective.free_bits puts them to work."
        )
    return f"The latents are alive: {latents.active} of {latents.size} units active, {rate:.0f} nats in all."
