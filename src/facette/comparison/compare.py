"""A photo's relatives by a Facette model beside those by a diffusion model, with numbers.

Enters: a loaded model, a diffusion pipeline, the photo in the model's frame at both sizes, and what was asked for.
Leaves: a `Comparison`, with everything needed to run it again.

Without matching both are shown as asked: our diversity factor, their strength. With `match` the knobs are turned
until both are equally like the photo, because at different similarity neither realism nor spread compare.

Legend: N pictures of each method, S side of the model's pictures, H side of the diffusion model's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facette.checkpoint.native import load_model
from facette.comparison.autoencoders import keep_by_autoencoder, keep_by_model, plain_and_sharp
from facette.comparison.diffusion import Diffusion
from facette.comparison.matching import Matched, common_range, match_similarity
from facette.comparison.methods import DiffusionMethod, VaeMethod
from facette.comparison.result import Comparison, Entry
from facette.comparison.trials import FEWEST, Trials
from facette.errors import UsageError, check_count
from facette.judges.similarity import WhitenedEmbedding, embedding_of
from facette.latent.levels import FACTOR
from facette.latent.vary import variation_seeds
from facette.models import DEFAULT_MODEL
from facette.progress import Advance, unheard

TOLERANCE = 0.01  # of a cosine
LEVELS = 6  # strengths on the curve of a diffusion model
VAE_LEVELS = 9  # factors on the curve of a VAE


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a diffusion model takes on this machine, measured on one picture."""

    step: float  # seconds for one step
    picture: float  # seconds for everything that a picture takes besides its steps

    def seconds(self, pictures: int, steps: int) -> float:
        """Seconds for so many pictures with so many steps altogether."""
        return pictures * self.picture + steps * self.step


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """The most that a comparison will ask of a diffusion model."""

    pictures: int
    steps: int


def compare(
    model: Any,
    photo: np.ndarray,
    diffusion: Diffusion,
    large: np.ndarray,
    embedding: WhitenedEmbedding,
    *,
    strength: float = 0.5,
    diversity: float | None = None,
    count: int = 10,
    seed: int = 0,
    match: bool = False,
    similarity: float | None = None,
    tolerance: float = TOLERANCE,
    levels: int = LEVELS,
    progress: Advance = unheard,
) -> Comparison:
    """Make `count` relatives by each method and measure them.

    `photo` (S, S, 3) and `large` (H, H, 3) show the same frame; `embedding` says what similarity and realism are. A
    model with a sharpener is shown twice, plain and sharp. With `match` the common one is `similarity`, or else that
    of the diffusion model at `strength`, moved into the range that every method reaches; `levels` strengths make
    the diffusion model's curve. `progress` is told of every step of diffusion.

    Raises UsageError for values that cannot be used, ImageError where a safety checker leaves too few pictures.
    """
    plan_comparison(diffusion, strength, count, match, levels)  # refuses what cannot be used
    _check_matching(match, diversity, similarity, tolerance)
    seeds = variation_seeds(seed, count)
    ours = [
        Trials(VaeMethod(network, photo, name), photo, embedding, seeds)
        for name, network in plain_and_sharp(model)
    ]
    theirs = Trials(DiffusionMethod(diffusion, large), photo, embedding, seeds, progress)
    near = diffusion.steps_at(strength) / diffusion.settings.steps
    if match:
        wished, matches = _match(ours, theirs, near, similarity, tolerance, levels)
    else:
        factor = FACTOR["auto"] if diversity is None else float(diversity)
        wished, matches = None, [*(_as_asked(trials, factor) for trials in ours), _as_asked(theirs, near)]
    entries = tuple(
        Entry(
            name=trials.method.name,
            knob=trials.method.knob,
            strongest=trials.method.strongest,
            chosen=trials.at(matched.level),
            size=trials.method.size(),
            curve=trials.curve,
            matched=matched.reached if match else None,
        )
        for trials, matched in zip([*ours, theirs], matches, strict=True)
    )
    kept = (
        *(keep_by_model(network, photo, name, embedding) for name, network in plain_and_sharp(model)),
        keep_by_autoencoder(
            diffusion.pipeline.vae, photo, large, f"{diffusion.name}, its autoencoder", embedding
        ),
    )
    asked = {
        "model": model.name,
        **diffusion.described(),
        "strength": strength,
        "diversity": None if match else matches[0].level,
        "count": count,
        "seed": seed,
        "match": "similarity" if match else None,
        "similarity": similarity,
        "levels": levels if match else None,
    }
    return Comparison(photo, large, entries, kept, wished, tolerance, seeds, asked)


def embedding_for(model: Any) -> WhitenedEmbedding:
    """What similarity and realism are measured with: the model's own embedding, or that of the bundled face model."""
    try:
        return embedding_of(model)
    except UsageError:
        return embedding_of(load_model(DEFAULT_MODEL))


def plan_comparison(
    diffusion: Diffusion, strength: float, count: int, match: bool, levels: int = LEVELS
) -> ComparisonPlan:
    """How much a comparison asks of the diffusion model at most.

    Raises UsageError for a count or a number of levels below 2, and for what is no strength.
    """
    check_count(count, least=FEWEST, what="`count`")
    check_count(levels, least=2, what="`levels`")
    steps = diffusion.settings.steps
    walked = [diffusion.steps_at(strength)]
    if match:
        walked += [diffusion.steps_at(level) for level in curve_strengths(levels, steps)]
        walked += [steps // 2] * max(
            0, steps // (levels - 1) - 1
        ).bit_length()  # halvings between two of them
    return ComparisonPlan(count * len(walked), count * sum(walked))


def measure_pace(diffusion: Diffusion, large: np.ndarray) -> Pace:
    """Make one picture in two steps, and look at the clock."""
    ticks = [time.perf_counter()]
    share = min(1.0, 2 / diffusion.settings.steps)
    diffusion.draw(large, share, seed=0, step_done=lambda: ticks.append(time.perf_counter()))
    whole = time.perf_counter() - ticks[0]
    step = ticks[-1] - ticks[-2]  # the last one; the first also waits for the photo and the prompt
    return Pace(step, max(0.0, whole - step * (len(ticks) - 1)))


def curve_strengths(levels: int, steps: int) -> list[float]:
    """`levels` strengths from 0 to 1, evenly spaced as far as whole steps allow."""
    return sorted({round(place * steps / (levels - 1)) / steps for place in range(levels)})


def _check_matching(match: bool, diversity: float | None, similarity: float | None, tolerance: float) -> None:
    if match and diversity is not None:
        raise UsageError("`match='similarity'` finds the diversity factor by itself: leave out `diversity`.")
    if similarity is not None and not match:
        raise UsageError(
            "`similarity` is what `match='similarity'` aims at: add `match='similarity'`, or leave it out."
        )
    if similarity is not None and not -1 <= similarity <= 1:
        raise UsageError(f"a similarity is a cosine, from −1 to 1, got {similarity!r}.")
    if not tolerance > 0:
        raise UsageError(f"`tolerance` must be above 0, got {tolerance!r}.")


def _as_asked(trials: Trials, level: float) -> Matched:
    return Matched(level, trials.similarity_at(level), False)


def _match(
    ours: Sequence[Trials],
    theirs: Trials,
    strength: float,
    similarity: float | None,
    tolerance: float,
    levels: int,
) -> tuple[float, list[Matched]]:
    """The wished similarity, and the level of every method at the similarity that the diffusion model comes to.

    Ours can be turned as finely as one likes and theirs cannot: so theirs is brought near the wish, and ours to it.
    """
    for trials in ours:
        for place in range(VAE_LEVELS):
            trials.at(trials.method.strongest * place / (VAE_LEVELS - 1))
    every = theirs.method.levels or ()
    for level in sorted({*curve_strengths(levels, len(every) - 1), strength}):
        theirs.at(level)
    wished = theirs.similarity_at(strength) if similarity is None else similarity
    shared = common_range([trials.similarities for trials in [*ours, theirs]])
    aim = wished if shared is None else min(max(wished, shared[0]), shared[1])
    nearest = match_similarity(theirs.similarity_at, theirs.similarities, aim, tolerance, every)
    reachable = common_range([trials.similarities for trials in ours])
    if reachable is not None and not reachable[0] <= nearest.similarity <= reachable[1]:
        nearest = _nearest_within(theirs.similarities, aim, reachable) or nearest
    matches = [
        match_similarity(trials.similarity_at, trials.similarities, nearest.similarity, tolerance)
        for trials in ours
    ]
    together = Matched(nearest.level, nearest.similarity, all(matched.reached for matched in matches))
    return wished, [*matches, together]


def _nearest_within(
    similarities: dict[float, float], aim: float, reachable: tuple[float, float]
) -> Matched | None:
    """The level nearest the aim among those whose similarity our methods reach too."""
    inside = {level: value for level, value in similarities.items() if reachable[0] <= value <= reachable[1]}
    if not inside:
        return None
    level = min(inside, key=lambda level: abs(inside[level] - aim))
    return Matched(level, inside[level], True)
