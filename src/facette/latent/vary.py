"""Relatives of one photo: z' = μ + factor · σ · ε, or z' = μ + share · B · e, which is how people differ.

Enters: a model (or its name), one photo, how far to go, and a seed. Leaves: `Variations` (one strength) or a `Sweep`
(several), with the latents and the seed of every picture. Knows nothing of where photos come from on the command
line; what a level or a likeness comes to is `levels`' business, and the noise itself that of `noise`.

Legend: N variations, Z latents, S side of the model's pictures, W of the result's, F strengths.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np

from facette.errors import UsageError, check_count
from facette.latent.around import Step
from facette.latent.choice import most_various
from facette.latent.details import Details
from facette.latent.drawing import (
    Drawing,
    draw,
    drawn_by_model,
    enlarge,
    plan_drawing,
    reconstruction_of,
    shown,
)
from facette.latent.inputs import Picture, gradient_model, resolve_drawer
from facette.latent.levels import Mode, Setting, check_strength, choose_setting, known_curve
from facette.latent.noise import Noise, normal_draws, people_noise, ways_to_differ
from facette.latent.photo import PhotoInput, PhotoSource, take_photo
from facette.latent.points import Latents
from facette.latent.variations import Sweep, Variations
from facette.model.conditions import Values
from facette.model.interface import DrawingModel
from facette.progress import Advance, unheard

if TYPE_CHECKING:
    from facette.latent.refine import Refined

Spread = Literal["random", "best"]

CLOSER = "fitting a photo more closely"  # what takes gradients
POOL = 100  # seeds that the most various are chosen from
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the variations of one photo start from: its posterior, or that moved to one of its variations."""

    model: DrawingModel
    input: PhotoInput
    mean: Latents  # (1, Z)
    scale: Latents  # (1, Z)
    drawing: Drawing
    reconstruction: Picture  # (S, S, 3): what the mean is decoded to
    refined: "Refined | None" = None
    around: tuple[Step, ...] = ()
    condition: dict[str, str | float] = field(default_factory=dict)  # what the photo was told

    @property
    def photo(self) -> Picture:
        """The picture (S, S, 3) that was encoded."""
        return self.input.picture

    def moved(self, step: Step, mode: Mode = "factor", noise: Noise = "posterior") -> "Origin":
        """The same spread around the variation of that step, which is then what factor 0 gives."""
        seeds = variation_seeds(step.seed, 1)
        mean = self.latents(seeds, strength_of(step.factor, mode), noise)  # (1, Z)
        return replace(self.at(mean), around=(*self.around, step))

    def at(self, mean: Latents) -> "Origin":
        """The same spread around another latent (1, Z)."""
        model = self.model if self.drawing.details == "model" else self.model.plain()
        drawn = drawn_by_model(model, mean, self.input.hidden)
        if self.drawing.details == "model":
            drawn = enlarge(drawn, self.drawing.side)
        return replace(self, mean=mean, reconstruction=drawn[0])

    def latents(self, seeds: Sequence[int], strength: float, noise: Noise = "posterior") -> Latents:
        """The latent of each seed, (N, Z): `strength` times σ away, or that share of how people differ."""
        return latents_beside(self.model, self.mean, self.scale, seeds, strength, noise)

    def draw(self, latents: Latents) -> Picture:
        """The pictures of these latents, (N, W, W, 3)."""
        return draw(self.model, latents, self.drawing, [self.input])

    def relatives(self, seeds: Sequence[int], setting: Setting, pool: int = 0) -> Variations:
        """The relatives of these seeds, `pool` of which they were the most various, with what the setting says."""
        drawn = self.variations(seeds, setting.strength, setting.mode, setting.noise)
        return replace(drawn, asked=setting.asked, note=setting.note, pool=pool)

    def variations(
        self, seeds: Sequence[int], factor: float, mode: Mode = "factor", noise: Noise = "posterior"
    ) -> Variations:
        """The relatives of these seeds at one factor; each depends on its own seed alone."""
        latents = self.latents(seeds, strength_of(factor, mode), noise)
        return Variations(
            photo=shown(self.input, self.drawing),
            reconstruction=self.reconstruction,
            pictures=self.draw(latents),
            latents=latents,
            factor=float(factor),
            seeds=tuple(seeds),
            mode=mode,
            model=self.model.name,
            drawing=self.drawing,
            refined=self.refined,
            noise=noise,
            around=self.around,
            condition=self.condition,
            likeness=_expected(self, noise, float(factor), mode),
        )


def origin_of(
    model: DrawingModel | str | Path,
    picture: PhotoSource,
    seed: int = 0,
    refine: int = 0,
    details: Details = "photo",
    side: int | None = None,
    progress: Advance = unheard,
    condition: Values | None = None,
) -> Origin:
    """The posterior of one photo, which `refine` steps first fit more closely; arguments as `vary` takes them."""
    model = gradient_model(model, CLOSER) if refine else resolve_drawer(model)
    photo = take_photo(model, picture)
    drawing = plan_drawing(model, [photo], details, side)
    refined = None
    if refine:
        from facette.latent.refine import refine as refine_posterior

        refined = refine_posterior(
            cast(Any, model), photo.encoded[None], refine, seed=seed, progress=progress
        )
        mean, scale = (np.asarray(moment) for moment in (refined.posterior.mean, refined.posterior.scale))
        photo = replace(photo, mean=mean, scale=scale, decoded=model.decode_mean(mean))
    if condition:
        return _told(
            Origin(model, photo, photo.mean, photo.scale, drawing, photo.picture, refined), condition
        )
    reconstruction = reconstruction_of(model, photo, drawing)
    return Origin(model, photo, photo.mean, photo.scale, drawing, reconstruction, refined)


def _told(origin: Origin, condition: Values) -> Origin:
    """The same photo as it would be if these were so, which is then what factor 0 gives."""
    conditioning = origin.model.conditioning
    if conditioning is None:
        raise UsageError(
            f"model {origin.model.name!r} is told nothing beside a photo, so not {next(iter(condition))}."
        )
    mean = conditioning.told(origin.mean, condition)
    words = {name: value for name, value in conditioning.words(mean[0]).items() if name in condition}
    return replace(origin.at(mean), condition=words)


def vary(
    model: DrawingModel | str | Path,
    picture: PhotoSource,
    count: int = 10,
    diversity: float | str | None = None,
    seed: int = 0,
    mode: Mode = "factor",
    refine: int = 0,
    noise: Noise | None = None,
    around: Sequence[Step] = (),
    details: Details = "photo",
    side: int | None = None,
    *,
    likeness: float | None = None,
    spread: Spread = "random",
    pool: int = POOL,
    condition: Values | None = None,
    progress: Advance = unheard,
) -> Variations:
    """Make `count` relatives of one photo.

    `model` is a loaded model or its name, `picture` a file, a Pillow image or a uint8 RGB array. `diversity` is
    "subtle", "medium", "auto" (where nothing is said) or "bold", in terms of the person: auto is almost as different as
    another photo of the same person, by a curve in the model's file. These speak of people noise, which is how people
    differ; a model that does not know that takes posterior noise and says so in `note`. A number multiplies the
    posterior's standard deviation σ (1 draws from the posterior itself, 0 is the photo), in mode "variance" its
    variance; with noise "people" it is a share of how people differ. `likeness` asks for one instead, from 1 (the
    photo) to 0 (a stranger).

    A draw depends on its seed and on nothing else: the first five of ten are the five of `count=5`, and they stay the
    same at every diversity and every size. `spread` "best" takes, of a `pool` of seeds, those that differ most, every
    part of how people differ counting alike. `refine` steps first fit the posterior to this photo more closely.
    `progress(1)` is called after every one of these steps.
    `condition` tells a model with conditions what the photo is taken to be, such as {"Eyeglasses": "yes"}.
    `around` starts from a variation of the photo instead of from the photo, or from a variation of that one, and so on.

    `details` "photo" keeps the photo's own (`facette.latent.details`), at the size its frame has in the photo, at most
    512 pixels, or at `side`; "model" shows what the model draws by itself, at the model's size, where factor 0 is the
    reconstruction.

    Raises UsageError for a count below 1, a diversity or likeness that cannot be drawn, a negative seed, an unknown
    mode, noise, spread or details, a side that cannot be drawn, and a pool smaller than the count.
    """
    check_count(count)
    model = gradient_model(model, CLOSER) if refine else resolve_drawer(model)
    setting = choose_setting(model, diversity, likeness, noise, mode, details)
    seeds = chosen_seeds(model, setting.noise, seed, count, spread, pool)
    origin = origin_of(model, picture, seed, refine, details, side, progress, condition)
    for step in around:
        origin = origin.moved(step, mode, setting.noise)
    return origin.relatives(seeds, setting, pool if spread == "best" else 0)


def sweep(
    model: DrawingModel | str | Path,
    picture: PhotoSource,
    factors: Sequence[float],
    count: int = 10,
    seed: int = 0,
    mode: Mode = "factor",
    refine: int = 0,
    noise: Noise = "posterior",
    around: Sequence[Step] = (),
    details: Details = "photo",
    side: int | None = None,
) -> Sweep:
    """Relatives at several strengths with the same draws, so that each column walks outwards in one direction.

    Arguments as `vary` takes them. Raises UsageError as `vary` does, and for an empty list of factors.
    """
    check_count(count)
    for factor in factors:
        strength_of(factor, mode)  # refuses before any work is done
    if not len(factors):
        raise UsageError("a sweep needs at least one factor, none was given.")
    model = gradient_model(model, CLOSER) if refine else resolve_drawer(model)
    choose_setting(model, float(factors[0]), noise=noise, mode=mode, details=details)
    seeds = variation_seeds(seed, count)
    origin = origin_of(model, picture, seed, refine, details, side)
    for step in around:
        origin = origin.moved(step, mode, noise)
    rows = tuple(origin.variations(seeds, factor, mode, noise) for factor in factors)
    return Sweep(rows[0].photo, origin.reconstruction, rows)


def chosen_seeds(
    model: DrawingModel, noise: Noise, seed: int, count: int, spread: Spread = "random", pool: int = POOL
) -> tuple[int, ...]:
    """The seeds of the relatives: the first `count` that follow from a seed, or the most various of a pool of them.

    Raises UsageError for an unknown spread, and for a pool smaller than the count.
    """
    if spread not in get_args(Spread):
        raise UsageError(f"unknown spread {spread!r}: use 'best' or 'random'.")
    if spread == "random":
        return variation_seeds(seed, count)
    seeds = variation_seeds(seed, max(pool, 1))
    shape = people_noise(model) if noise == "people" else None
    return tuple(seeds[i] for i in most_various(ways_to_differ(seeds, shape, model.latent), count))


def latents_beside(
    model: DrawingModel, mean: Latents, scale: Latents, seeds: Sequence[int], strength: float, noise: Noise
) -> Latents:
    """The latent of each seed, (N, Z), beside posteriors (1, Z) or (N, Z): `strength` times σ away, or that share of
    how people differ. Raises UsageError for a noise that is unknown, or unknown to the model."""
    match noise:
        case "posterior":
            return varied_latents(mean, scale, normal_draws(seeds, mean.shape[1]), strength)
        case "people":
            return (mean + strength * people_noise(model).steps(seeds)).astype(np.float32)
        case _:
            raise UsageError(f"unknown noise {noise!r}: use 'posterior' or 'people'.")


def varied_latents(mean: Latents, scale: Latents, noise: Latents, strength: float) -> Latents:
    """z = μ + strength · σ · ε, the one place where this is written; (…, Z) each."""
    return np.asarray(mean + np.float32(strength) * scale * noise, np.float32)


def strength_of(factor: float, mode: Mode = "factor") -> float:
    """How many posterior σ a factor means: the factor itself, or the root of a factor of the variance."""
    return math.sqrt(check_strength(factor)) if mode == "variance" else check_strength(factor)


def variation_seeds(seed: int, count: int) -> tuple[int, ...]:
    """A seed for each variation. The first is the seed itself, so any of them can be made again by `count=1`."""
    if not isinstance(seed, Integral) or not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"a seed is a whole number from 0 to 2⁶³ − 1, got {seed!r}.")
    # Hashed and not counted upwards: seeds 0 and 1 would otherwise share nine of ten variations.
    later = (int(np.random.SeedSequence([int(seed), i]).generate_state(1)[0]) for i in range(1, count))
    return (int(seed), *later)


def spaced_factors(first: float, last: float, count: int) -> tuple[float, ...]:
    """`count` factors from the first to the last, evenly spaced, without the digits that rounding leaves."""
    check_count(count, what="The number of factors")
    return tuple(round(float(factor), 9) for factor in np.linspace(first, last, count))


def _expected(origin: Origin, noise: Noise, factor: float, mode: Mode) -> float | None:
    """The likeness that the model's curve expects at a strength; None where it knows none, or beside the photo."""
    curve = known_curve(origin.model, noise, origin.drawing.details)
    if curve is None or origin.around or origin.condition or origin.refined or not len(curve.strength):
        return None
    return curve.likeness_at(strength_of(factor, mode))
