"""Relatives of one photo: z = μ + factor · σ · ε.

Enters: a model (or its name), one photo, a factor and a seed. Leaves: `Variations` (one factor) or a `Sweep`
(several), with the latents and the seed of every picture. Knows nothing of where photos come from on the
command line, nor how a good factor is chosen. Noise may instead have the shape of all faces together (`shell`):
then the same factor is a turn in their shell, by the angle whose tangent is as long as the posterior's step.

Legend: N variations, Z latents, S side of the model's pictures, W of the result's, F factors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facette.errors import UsageError, check_count
from facette.latent.around import Step
from facette.latent.details import Details
from facette.latent.drawing import Drawing, draw, plan_drawing, reconstruction_of, shown
from facette.latent.inputs import Picture, resolve_model
from facette.latent.photo import PhotoInput, PhotoSource, take_photo
from facette.latent.points import Latents, decode_each
from facette.latent.sheets import Result, footer
from facette.model.interface import DrawingModel

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet
    from facette.latent.refine import Refined

Mode = Literal["factor", "variance"]
Noise = Literal["posterior", "aggregate"]

DIVERSITY = {"factor": 7.0, "variance": 0.01}  # what each mode takes when no factor is given
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Variations(Result):
    """Several relatives of one photo, with everything needed to make each of them again."""

    photo: Picture  # (W, W, 3)
    reconstruction: Picture  # (S, S, 3): the decoded mean that the variations start from
    pictures: Picture  # (N, W, W, 3)
    latents: Latents  # (N, Z)
    factor: float  # as asked for: of σ, or of σ² in mode "variance"
    seeds: tuple[int, ...]  # variation i alone: count=1, seed=seeds[i]
    mode: Mode
    model: str
    drawing: Drawing
    refined: "Refined | None" = None  # the posterior drawn from, when it was refined for this photo
    remark: str = ""  # a line under the sheet, such as what was done to the photo
    noise: Noise = "posterior"
    around: tuple[
        Step, ...
    ] = ()  # from the photo to where these start, when they are relatives of a relative

    def sheet(self, captions: Sequence[str] = (), note: str = "", seed: int | None = None) -> "Sheet":
        """The photo first, large and framed, then the variations in order, each over its caption if there are any.

        `note` ends the line under the title; `seed` stands there in the place of the first variation's own.
        """
        from facette.images.sheets.grid import variation_sheet

        title = f"{len(self.pictures)} variation{'s' if len(self.pictures) > 1 else ''}"
        refined = f" · refined in {self.refined.steps} steps" if self.refined else ""
        formula = _formula(self.factor, self.mode, self.noise)
        formula += "".join(f" around {step}" for step in self.around)
        shown = self.seeds[0] if seed is None else seed
        subtitle = f"{formula} · {self.model} · seed {shown}{refined}{note and f' · {note}'}"
        return variation_sheet(
            self.photo,
            list(self.pictures),
            captions,
            title=title,
            subtitle=subtitle,
            footer=footer(self.drawing, self.remark),
        )

    def settings(self) -> dict[str, Any]:
        return {
            "made": "vary",
            "model": self.model,
            "count": len(self.pictures),
            "diversity": self.factor,
            "mode": self.mode,
            "noise": self.noise,
            "seed": self.seeds[0],
            "seeds": list(self.seeds),
            "refine": self.refined.steps if self.refined else 0,
            **({"around": [str(step) for step in self.around]} if self.around else {}),
            **self.drawing.settings(),
        }

    def settings_of(self, number: int) -> dict[str, Any]:
        return {**self.settings(), "count": 1, "seed": self.seeds[number], "seeds": [self.seeds[number]]}


@dataclass(frozen=True, slots=True)
class Sweep(Result):
    """The same directions at growing factors: one row of variations for each factor."""

    photo: Picture  # (W, W, 3)
    reconstruction: Picture  # (S, S, 3)
    rows: tuple[Variations, ...]  # F of them
    remark: str = ""  # a line under the sheet, such as what was done to the photo

    @property
    def factors(self) -> tuple[float, ...]:
        return tuple(row.factor for row in self.rows)

    @property
    def pictures(self) -> Picture:
        """Row after row: (F·N, W, W, 3)."""
        return np.concatenate([row.pictures for row in self.rows])

    def sheet(self) -> "Sheet":
        """The photo first, large and framed, then one labelled row for each factor."""
        from facette.images.sheets.grid import sweep_sheet

        one = self.rows[0]
        symbol = "σ" if one.mode == "factor" else "σ²"
        return sweep_sheet(
            self.photo,
            [list(row.pictures) for row in self.rows],
            [f"{row.factor:g} {symbol}" for row in self.rows],
            title="Diversity from row to row",
            subtitle=f"each column keeps its direction · {one.model} · seed {one.seeds[0]}",
            wrap=len(one.pictures),
            footer=footer(one.drawing, self.remark),
        )

    def settings(self) -> dict[str, Any]:
        one = self.rows[0].settings()
        return {**one, "made": "sweep", "diversity": list(self.factors)}


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

    @property
    def photo(self) -> Picture:
        """The picture (S, S, 3) that was encoded."""
        return self.input.picture

    def moved(self, step: Step, mode: Mode = "factor", noise: Noise = "posterior") -> "Origin":
        """The same spread around the variation of that step, which is then what factor 0 gives."""
        seeds = variation_seeds(step.seed, 1)
        mean = self.latents(seeds, strength_of(step.factor, mode), noise)  # (1, Z)
        model = self.model if self.drawing.details == "model" else self.model.plain()
        return replace(
            self, mean=mean, reconstruction=decode_each(model, mean)[0], around=(*self.around, step)
        )

    def latents(self, seeds: Sequence[int], strength: float, noise: Noise = "posterior") -> Latents:
        """The latent of each seed, (N, Z): `strength` times σ away, or turned as far in the shell of the aggregate."""
        draws = variation_noise(seeds, self.mean.shape[1])  # (N, Z)
        match noise:
            case "posterior":
                return varied_latents(self.mean, self.scale, draws, strength)
            case "aggregate":
                import torch

                from facette.latent.shell import shell_of

                shell, scale = shell_of(self.model), torch.from_numpy(self.scale)
                angle = math.atan(strength * shell.step(scale))
                return shell.turned(torch.from_numpy(self.mean), torch.from_numpy(draws), angle).numpy()
            case _:
                raise UsageError(f"unknown noise {noise!r}: use 'posterior' or 'aggregate'.")

    def draw(self, latents: Latents) -> Picture:
        """The pictures of these latents, (N, W, W, 3)."""
        return draw(self.model, latents, self.drawing, [self.input])

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
        )


def origin_of(
    model: DrawingModel | str | Path,
    picture: PhotoSource,
    seed: int = 0,
    refine: int = 0,
    details: Details = "photo",
    side: int | None = None,
) -> Origin:
    """The posterior of one photo, which `refine` steps first fit more closely; arguments as `vary` takes them."""
    model = resolve_model(model)
    photo = take_photo(model, picture)
    drawing = plan_drawing(model, [photo], details, side)
    refined = None
    if refine:
        from facette.latent.refine import refine as refine_posterior

        refined = refine_posterior(model, photo.picture[None], refine, seed=seed)
        mean, scale = (np.asarray(moment) for moment in (refined.posterior.mean, refined.posterior.scale))
        photo = replace(photo, mean=mean, scale=scale, decoded=model.decode_mean(mean))
    reconstruction = reconstruction_of(model, photo, drawing)
    return Origin(model, photo, photo.mean, photo.scale, drawing, reconstruction, refined)


def vary(
    model: DrawingModel | str | Path,
    picture: PhotoSource,
    count: int = 10,
    diversity: float | None = None,
    seed: int = 0,
    mode: Mode = "factor",
    refine: int = 0,
    noise: Noise = "posterior",
    around: Sequence[Step] = (),
    details: Details = "photo",
    side: int | None = None,
) -> Variations:
    """Make `count` relatives of one photo.

    `model` is a loaded model or its name, `picture` a file, a Pillow image or a uint8 RGB array. In mode
    "factor" the diversity multiplies the posterior's standard deviation σ (default 7; 1 draws from the posterior
    itself, 0 is the photo); in mode "variance" it multiplies the variance (default 0.01, that is a tenth
    of σ). The draws ε depend on the seed and on nothing else: the first five of ten are the five of `count=5`,
    and they stay the same at every diversity. `refine` steps first fit the posterior to this photo more closely.
    Noise "aggregate" takes steps of the same length in the shape of all faces together, inside the shell where
    they live; the model must have been calibrated. `around` starts from a variation of the photo instead of from the
    photo, or from a variation of that one, and so on.

    `details` "photo" keeps the photo's own (`facette.latent.details`), at the size its frame has in the photo, at most
    512 pixels, or at `side`; "model" shows what the model draws by itself, at the model's size, where factor 0 is the
    reconstruction.

    Raises UsageError for a count below 1, a negative or infinite diversity, a negative seed, an unknown mode, noise or
    details, a side that cannot be drawn, and for aggregate noise of a model that was not calibrated.
    """
    model = resolve_model(model)
    factors = [_diversity(diversity, mode)]
    return sweep(model, picture, factors, count, seed, mode, refine, noise, around, details, side).rows[0]


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
    """`vary` at several factors with the same draws, so that each column walks outwards in one direction.

    Raises UsageError as `vary` does, and for an empty list of factors.
    """
    check_count(count)
    for factor in factors:
        strength_of(factor, mode)  # refuses before any work is done
    if not len(factors):
        raise UsageError("a sweep needs at least one factor, none was given.")
    seeds = variation_seeds(seed, count)
    origin = origin_of(model, picture, seed, refine, details, side)
    for step in around:
        origin = origin.moved(step, mode, noise)
    rows = tuple(origin.variations(seeds, factor, mode, noise) for factor in factors)
    return Sweep(rows[0].photo, origin.reconstruction, rows)


def varied_latents(mean: Latents, scale: Latents, noise: Latents, strength: float) -> Latents:
    """z = μ + strength · σ · ε, the one place where this is written; (…, Z) each."""
    return mean + np.float32(strength) * scale * noise


def strength_of(factor: float, mode: Mode = "factor") -> float:
    """How many posterior σ a factor means: the factor itself, or the root of a factor of the variance."""
    if not (isinstance(factor, Real) and math.isfinite(factor) and factor >= 0):
        raise UsageError(f"diversity must be a number of at least 0, got {factor!r}: 0 changes nothing.")
    return math.sqrt(factor) if _known(mode) == "variance" else float(factor)


def variation_seeds(seed: int, count: int) -> tuple[int, ...]:
    """A seed for each variation. The first is the seed itself, so any of them can be made again by `count=1`."""
    if not isinstance(seed, Integral) or not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"a seed is a whole number from 0 to 2⁶³ − 1, got {seed!r}.")
    # Hashed and not counted upwards: seeds 0 and 1 would otherwise share nine of ten variations.
    later = (int(np.random.SeedSequence([int(seed), i]).generate_state(1)[0]) for i in range(1, count))
    return (int(seed), *later)


def variation_noise(seeds: Sequence[int], latent: int) -> np.ndarray:
    """ε ~ N(0, I) for each seed, float32 (N, Z): the same on every device."""
    draws = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
    return np.stack([draw.standard_normal(latent, dtype=np.float32) for draw in draws])


def spaced_factors(first: float, last: float, count: int) -> tuple[float, ...]:
    """`count` factors from the first to the last, evenly spaced, without the digits that rounding leaves."""
    check_count(count, what="The number of factors")
    return tuple(round(float(factor), 9) for factor in np.linspace(first, last, count))


def _diversity(diversity: float | None, mode: Mode) -> float:
    return DIVERSITY[_known(mode)] if diversity is None else diversity


def _known(mode: Mode) -> Mode:
    if mode not in DIVERSITY:
        raise UsageError(f"unknown mode {mode!r}: use 'factor' (times σ) or 'variance' (times σ²).")
    return mode


def _formula(factor: float, mode: Mode, noise: Noise) -> str:
    """The formula as a person reads it under the title."""
    if noise == "aggregate":
        return f"diversity {factor:g}{' · σ²' if mode == 'variance' else ''}, noise shaped as all faces"
    if mode == "variance":
        return f"diversity {factor:g} · σ²"
    return f"z = μ + {factor:g} · σ · ε"
