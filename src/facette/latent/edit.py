"""The same person, changed: attributes of one photo raised and lowered.

Enters: a model that knows directions (or `Directions`), a photo, and wishes such as {"Smiling": 2}, in standard
deviations of the attribute's score. Leaves: an `Edit`, or a `Strip` of steps along one wish, each with what else will
change. Knows nothing of how directions are fitted.

Legend: A attributes, W of them wished for, K kept, Z latents, T steps, S side of the model's pictures; in shapes of
pictures W is the side of the result's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.errors import UsageError, check_count
from facette.latent.cloud import Doubles
from facette.latent.details import Details
from facette.latent.directions import Directions, known_directions
from facette.latent.drawing import Drawing, draw, plan_drawing, reconstruction_of, shown
from facette.latent.inputs import Picture, resolve_drawer
from facette.latent.photo import PhotoSource, take_photo
from facette.latent.points import Latents
from facette.latent.sheets import Film, Result, footer, signed
from facette.model.interface import DrawingModel

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet

NOTABLE = 0.25  # share of the strongest wish from which a side effect is said
LONGEST = 6.0  # times the way that the wishes need by themselves; farther out there is no such face


@dataclass(frozen=True, slots=True)
class Shift:
    """A way through the latent space that fulfils wishes, and what it does to every attribute."""

    latent: Doubles  # (Z,), to be added
    effects: dict[str, float]  # of all attributes, in their own standard deviations
    # those neither wished for nor kept that change enough to be said, strongest first
    notable: dict[str, float]
    length: float  # in standard deviations of the data along the way (Mahalanobis)

    @property
    def warning(self) -> str:
        """ "also raises Heavy_Makeup by 0.3; lowers Male by 0.2", or nothing where there is nothing to say."""
        risen = [f"{name} by {effect:.1f}" for name, effect in self.notable.items() if effect > 0]
        fallen = [f"{name} by {-effect:.1f}" for name, effect in self.notable.items() if effect < 0]
        parts = [
            f"{verb} {', '.join(names)}" for verb, names in (("raises", risen), ("lowers", fallen)) if names
        ]
        return "also " + "; ".join(parts) if parts else ""


@dataclass(frozen=True, slots=True)
class Edit(Result):
    """A photo, what the model makes of it, and the same with its attributes changed."""

    photo: Picture  # (W, W, 3)
    reconstruction: Picture  # (S, S, 3)
    pictures: Picture  # (1, W, W, 3)
    latents: Latents  # (1, Z)
    wishes: dict[str, float]
    keep: tuple[str, ...]
    shift: Shift
    scores: dict[str, float]  # of the photo's mean, for the attributes wished for
    model: str
    drawing: Drawing
    remark: str = ""  # a line under the sheet, such as what was done to the photo

    def sheet(self) -> "Sheet":
        """The photo, its reconstruction where the model draws by itself, the edited picture."""
        from facette.images.sheets.grid import Cell, SheetRow, contact_sheet

        own = [Cell(self.reconstruction, "reconstruction")] if self.drawing.details == "model" else []
        cells = [Cell(self.photo, "photo", framed=True), *own, Cell(self.pictures[0], "edited")]
        changes = [
            f"{n} from {signed(round(self.scores[n], 1))} to {signed(round(self.scores[n] + w, 1))}"
            for n, w in self.wishes.items()
        ]
        return contact_sheet(
            [SheetRow(cells)],
            title=spoken(self.wishes),
            subtitle=" · ".join([", ".join(changes), *_kept(self.keep), self.model]),
            footer=" · ".join(filter(None, (self.shift.warning, footer(self.drawing, self.remark)))),
        )

    def settings(self) -> dict[str, Any]:
        settings = {"made": "edit", "model": self.model, "wishes": self.wishes, "keep": list(self.keep)}
        also = {name: round(effect, 3) for name, effect in self.shift.notable.items()}
        return {**settings, "also": also, **self.drawing.settings()}


@dataclass(frozen=True, slots=True)
class Strip(Film):
    """One attribute of a photo from low to high."""

    photo: Picture  # (W, W, 3)
    reconstruction: Picture  # (S, S, 3)
    pictures: Picture  # (T, W, W, 3)
    latents: Latents  # (T, Z)
    attribute: str
    strengths: tuple[float, ...]  # T of them
    wishes: dict[str, float]  # what else was changed in every picture
    keep: tuple[str, ...]
    shift: Shift  # for the strongest step
    model: str
    drawing: Drawing
    remark: str = ""

    def sheet(self) -> "Sheet":
        """The photo, then the steps."""
        from facette.images.sheets.grid import Cell, SheetRow, contact_sheet

        steps = [
            Cell(p, signed(strength), framed=strength == 0 and not self.wishes)
            for p, strength in zip(self.pictures, self.strengths, strict=True)
        ]
        return contact_sheet(
            [SheetRow(steps)],
            photo=Cell(self.photo, "photo", framed=True),
            title=f"{self.attribute} from {signed(self.strengths[0])} to {signed(self.strengths[-1])}",
            subtitle=" · ".join(
                [*([spoken(self.wishes)] if self.wishes else []), *_kept(self.keep), self.model]
            ),
            footer=" · ".join(filter(None, (self._warning(), footer(self.drawing, self.remark)))),
        )

    def settings(self) -> dict[str, Any]:
        settings = {"made": "strip", "model": self.model, "attribute": self.attribute}
        settings |= {"strengths": list(self.strengths), "wishes": self.wishes, "keep": list(self.keep)}
        return {**settings, **self.drawing.settings()}

    def settings_of(self, number: int) -> dict[str, Any]:
        return {**self.settings(), "strengths": [self.strengths[number]]}

    def _warning(self) -> str:
        return self.shift.warning and f"at its strongest {self.shift.warning}"


def edit(
    model: DrawingModel | str | Path,
    picture: PhotoSource,
    wishes: Mapping[str, float],
    keep: Sequence[str] = (),
    directions: Directions | None = None,
    details: Details = "photo",
    side: int | None = None,
) -> Edit:
    """Raise and lower attributes of one photo.

    `wishes`: attribute → by how many standard deviations of its score (−3…3 stays among plausible faces). `keep`:
    attributes whose score must not move. `directions`: other ones than the model's file holds. `details` and `side` as
    `vary` takes them.

    Raises UsageError for an unknown attribute, one that is both wished for and kept, a wish that is not finite, or
    wishes that contradict each other for this model; and for a model without directions.
    """
    model = resolve_drawer(model)
    directions = directions or known_directions(model)
    shift = find_shift(directions, wishes, keep)
    photo = take_photo(model, picture)
    drawing = plan_drawing(model, [photo], details, side)
    latents = _moved(photo.mean, shift)  # (1, Z)
    names = [directions.names[directions.place(name)] for name in wishes]
    scores = dict(zip(directions.names, directions.scores(photo.mean)[0].tolist(), strict=True))
    return Edit(
        shown(photo, drawing),
        reconstruction_of(model, photo, drawing),
        draw(model, latents, drawing, [photo]),
        latents,
        dict(zip(names, map(float, wishes.values()), strict=True)),
        tuple(directions.names[directions.place(name)] for name in keep),
        shift,
        {name: scores[name] for name in names},
        model.name,
        drawing,
    )


def strip(
    model: DrawingModel | str | Path,
    picture: PhotoSource,
    attribute: str,
    span: tuple[float, float] = (-3.0, 3.0),
    steps: int = 7,
    wishes: Mapping[str, float] | None = None,
    keep: Sequence[str] = (),
    directions: Directions | None = None,
    details: Details = "photo",
    side: int | None = None,
) -> Strip:
    """One attribute from low to high in `steps` pictures; `wishes` hold in every one of them. As `edit` otherwise."""
    check_count(steps, least=2, what="The number of steps")
    model = resolve_drawer(model)
    directions = directions or known_directions(model)
    name = directions.names[directions.place(attribute)]
    others = {directions.names[directions.place(n)]: float(w) for n, w in (wishes or {}).items()}
    if name in others:
        raise UsageError(f"{name} is wished for twice: give it one strength or one range.")
    low, high = (_finite(name, end) for end in span)
    strengths = tuple(round(float(s), 9) for s in np.linspace(low, high, steps))
    shifts = [find_shift(directions, {name: strength, **others}, keep) for strength in strengths]
    photo = take_photo(model, picture)
    drawing = plan_drawing(model, [photo], details, side)
    latents = np.concatenate([_moved(photo.mean, shift) for shift in shifts])  # (T, Z)
    strongest = shifts[int(np.abs(strengths).argmax())]
    kept = tuple(directions.names[directions.place(n)] for n in keep)
    pictures = draw(model, latents, drawing, [photo])
    own, redrawn = shown(photo, drawing), reconstruction_of(model, photo, drawing)
    return Strip(
        own, redrawn, pictures, latents, name, strengths, others, kept, strongest, model.name, drawing
    )


def find_shift(directions: Directions, wishes: Mapping[str, float], keep: Sequence[str] = ()) -> Shift:
    """The way that raises every wished score by exactly what is wished and moves no kept score at all.

    The moves of the wished attributes are first freed of the kept scores, by the smallest change in the metric of the
    data's covariance C: v − C·Nᵀ(N·C·Nᵀ)⁻¹N·v for kept normals N; then they are mixed so that all wishes come true.
    """
    wished = {directions.place(name): _finite(name, strength) for name, strength in wishes.items()}
    kept = list(dict.fromkeys(directions.place(name) for name in keep))
    if not wished:
        raise UsageError("nothing is wished for: name at least one attribute, such as Smiling=+2.")
    if len(wished) < len(wishes):
        raise UsageError("an attribute is wished for twice: give each one strength.")
    if both := [directions.names[place] for place in wished if place in kept]:
        raise UsageError(f"{both[0]} cannot be both changed and kept: leave it out of one.")
    moves = directions.moves[list(wished)]  # (W, Z)
    if kept:
        moves = _freed(moves, directions.normals[kept], directions.cloud.covariance)
    wish = np.array(list(wished.values()))
    latent = _mix(directions, list(wished), kept, moves, wish)
    effects = dict(zip(directions.names, (directions.normals @ latent).tolist(), strict=True))
    least = NOTABLE * max(map(abs, wished.values()))
    settled = {directions.names[place] for place in (*wished, *kept)}
    notable = {n: e for n, e in effects.items() if n not in settled and abs(e) >= least > 0}
    ordered = dict(sorted(notable.items(), key=lambda pair: -abs(pair[1])))
    return Shift(latent, effects, ordered, directions.cloud.length(latent))


def spoken(wishes: Mapping[str, float]) -> str:
    """ "Smiling +2, Blond_Hair +1.5"."""
    return ", ".join(f"{name} {signed(strength)}" for name, strength in wishes.items())


def _moved(mean: Latents, shift: Shift) -> Latents:
    """The mean (1, Z) at the end of the way: added in float64, as the way is."""
    return (mean.astype(np.float64) + shift.latent).astype(np.float32)


def _freed(moves: Doubles, normals: Doubles, covariance: Doubles) -> Doubles:
    """Moves (W, Z) that no longer change the scores of the normals (K, Z)."""
    spread = normals @ covariance  # (K, Z)
    return moves - (moves @ normals.T) @ np.linalg.solve(spread @ normals.T, spread)


def _mix(
    directions: Directions, wished: list[int], kept: list[int], moves: Doubles, wish: Doubles
) -> Doubles:
    """The mixture of moves that raises the wished scores by `wish`, (Z,). UsageError where it would lead too far."""
    length = directions.cloud.length
    reached = directions.normals[wished] @ moves.T  # (W, W): score of row by move of column
    shares = np.linalg.lstsq(reached, wish)[0]  # (W,)
    latent = shares @ moves
    plain = sum(abs(w) * length(directions.moves[p]) for w, p in zip(wish.tolist(), wished, strict=True))
    missed = np.abs(reached @ shares - wish).max()
    if missed > 1e-6 * (1 + np.abs(wish).max()) or length(latent) > LONGEST * plain:
        names = ", ".join(directions.names[place] for place in wished)
        others = f" while {', '.join(directions.names[k] for k in kept)} stay" if kept else " at once"
        raise UsageError(
            f"{names} cannot be changed like this{others}: to the model they are nearly the same; wish or keep less."
        )
    return latent


def _finite(name: str, strength: float) -> float:
    if not (isinstance(strength, Real) and math.isfinite(strength)):
        raise UsageError(f"{name} needs a finite number of standard deviations, got {strength!r}.")
    return float(strength)


def _kept(keep: tuple[str, ...]) -> list[str]:
    return [f"{', '.join(keep)} kept"] if keep else []
