"""Whether it is still the same person: what a model draws of photos, before the judge of who a face is.

In: a model, a `Selection` with the people its pictures show, and their posteriors. Out: `IdentityFigures`: shares under
the threshold that strangers set, with two floors beside them, over all and by group. It knows no words.

The photo that a drawing is held against is read from its own file, not at the model's size: the loss of size counts.
Legend: N photos, G of a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facette.data.selection import Selection
from facette.judges import identity as judge
from facette.judges.features import kept_arrays
from facette.latent.drawing import change_frames
from facette.latent.levels import Setting, choose_setting
from facette.latent.vary import latents_beside
from facette.measures.identity import (
    FEWEST_PAIRS,
    accept_threshold,
    distances,
    distinct_people,
    pair_distances,
    partners,
    same_share,
)
from facette.measures.intervals import Bootstrap, Interval, resampled
from facette.model.posterior import DiagonalGaussian
from facette.model.trained import TrainedModel
from facette.progress import Advance, Progress, stage

BATCH = 64
SEEDS = 1_000_003  # between the variations of one evaluation's seed and of the next
MEDIANS = 200  # resamples of a median
FEWEST_OF_GROUP = 80  # photos of a group that gets figures of its own
ANOTHER_PHOTO = "another photo of the same person (floor)"
AT_MODEL_SIZE = "the photo at the model's size (floor)"

Faces = NDArray[np.floating]  # (N, 128) descriptors


@dataclass(frozen=True, slots=True)
class SamePerson:
    """What the judge says of one kind of drawings."""

    of: str
    same_person: Interval  # [0, 1], share under the threshold
    identity_distance: Interval  # ≥ 0, median distance to the photo
    pictures: int


@dataclass(frozen=True, slots=True)
class IdentityGroup:
    """The same within one group of photos, by the threshold of its own strangers."""

    name: str
    pictures: int
    threshold: float
    rows: tuple[SamePerson, ...]


@dataclass(frozen=True, slots=True)
class IdentityFigures:
    """Whether drawings are taken for the person of their photo."""

    network: str
    threshold: float  # distance that 1 % of all pairs of different people are below
    people_known: bool  # else every photo counts as of another person
    varied: str  # how far variations go: the noise and its strength
    rows: tuple[SamePerson, ...]  # floors first
    groups: tuple[IdentityGroup, ...]


def speaks_for(model: TrainedModel, selection: Selection) -> bool:
    """Whether the judge is asked: it is installed, knows the model's frame, and lists say who or of which age."""
    data = model.input
    return (
        data.kind == "image"
        and judge.speaks_for(data.frame) is not None
        and (selection.people is not None or bool(selection.groups))
        and judge.available()
    )


def measure_identity(
    model: TrainedModel,
    selection: Selection,
    posterior: DiagonalGaussian,
    cache: str | Path | None,
    seed: int,
    progress: Progress,
) -> IdentityFigures | None:
    """Everything the judge says; None where it is silent, or where there are too few pairs of different people."""
    if not speaks_for(model, selection):
        return None
    total = len(selection.indices)
    known = selection.people is not None
    people = distinct_people(np.full(total, -1) if selection.people is None else selection.people)
    if total * (total - 1) // 2 < FEWEST_PAIRS:
        return None
    setting = choose_setting(model)
    drawings = list(_drawings(model, selection, posterior, setting, seed))
    advance = stage(progress, "asking who it is", (2 + len(drawings)) * total)
    photos, reduced = _photos(model, selection, cache, advance)
    faces = {AT_MODEL_SIZE: reduced}
    assert model.input.kind == "image"  # nobody else has a frame
    box = judge.speaks_for(model.input.frame)
    assert box is not None
    for of, draw in drawings:
        parts = [judge.describe(draw(start), box, advance) for start in range(0, total, BATCH)]
        faces[of] = np.concatenate(parts)
    threshold = accept_threshold(photos, people)
    everybody = np.ones(total, bool)
    return IdentityFigures(
        network=judge.NAME,
        threshold=threshold,
        people_known=known,
        varied=f"{setting.noise} noise, strength {setting.strength:g}",
        rows=tuple(_rows(photos, faces, people, everybody, threshold, seed)),
        groups=tuple(_groups(photos, faces, people, selection.groups, seed)),
    )


def _drawings(
    model: TrainedModel, selection: Selection, posterior: DiagonalGaussian, setting: Setting, seed: int
) -> Iterator[tuple[str, Callable[[int], NDArray[np.uint8]]]]:
    """Each kind of drawings, with a function from the place of a batch to its pictures; one variation a photo."""
    means = posterior.mean
    yield "reconstructions", lambda start: model.decode(means[start : start + BATCH])
    if model.sharpener is not None:
        plain = model.plain()
        yield "reconstructions, plain", lambda start: plain.decode(means[start : start + BATCH])
    assert model.input.kind == "image"
    moved = _varied(model, posterior, setting, seed)  # (N, Z)
    whole = selection.at_side(model.input, judge.SIDE)

    def with_details(start: int) -> NDArray[np.uint8]:
        rows = slice(start, start + BATCH)
        before = model.decode_mean(means.numpy()[rows])
        return change_frames(model, whole.read(whole.indices[rows]), before, moved[rows])

    yield "variations, the photo's details", with_details
    yield "variations, the model's own drawing", lambda start: model.decode(moved[start : start + BATCH])


def _varied(
    model: TrainedModel, posterior: DiagonalGaussian, setting: Setting, seed: int
) -> NDArray[np.float32]:
    """A latent beside each posterior mean, (N, Z), as far away as relatives go where nobody says how far."""
    means, scales = posterior.mean.numpy(), posterior.scale.numpy()
    seeds = [seed * SEEDS + row for row in range(len(means))]
    return latents_beside(model, means, scales, seeds, setting.strength, setting.noise)


def _photos(
    model: TrainedModel, selection: Selection, cache: str | Path | None, advance: Advance
) -> tuple[Faces, Faces]:
    """Descriptors of the photos as their files have them, and at the model's size."""
    assert model.input.kind == "image"
    box = judge.speaks_for(model.input.frame)
    assert box is not None

    def described(pictures: NDArray) -> dict[str, NDArray]:
        return {"descriptors": judge.describe(pictures, box)}

    whole = selection.at_side(model.input, judge.SIDE)
    parts = [
        kept_arrays(some, f"{judge.NAME}, {side} px", described, cache, advance)["descriptors"]
        for some, side in ((whole, judge.SIDE), (selection, model.input.size))
    ]
    return parts[0], parts[1]


def _rows(
    photos: Faces,
    faces: dict[str, Faces],
    people: NDArray[np.int64],
    members: NDArray[np.bool_],
    threshold: float,
    seed: int,
) -> Iterator[SamePerson]:
    """Floors and drawings of some of the photos, each against its own photo."""
    rows, others = partners(np.where(members, people, -1 - np.arange(len(people))))
    if len(rows):
        yield _row(ANOTHER_PHOTO, photos[rows], photos[others], threshold, seed)
    for of, drawn in faces.items():
        yield _row(of, photos[members], drawn[members], threshold, seed)


def _row(of: str, photos: Faces, drawn: Faces, threshold: float, seed: int) -> SamePerson:
    same, apart = same_share(photos, drawn, threshold), distances(photos, drawn)  # (N,) each
    share = Bootstrap({"same": same}, seed).mean("same")
    median = resampled(lambda rows: float(np.median(apart[rows])), [len(apart)], seed, MEDIANS)
    return SamePerson(of, share, median, len(photos))


def _groups(
    photos: Faces,
    faces: dict[str, Faces],
    people: NDArray[np.int64],
    groups: dict[str, NDArray[np.bool_]],
    seed: int,
) -> Iterator[IdentityGroup]:
    """Groups that are large enough for a threshold of their own."""
    for name, members in groups.items():
        few = len(pair_distances(photos[members], people[members], same=False)) < FEWEST_PAIRS
        if members.sum() < FEWEST_OF_GROUP or few:
            continue
        threshold = accept_threshold(photos[members], people[members])
        rows = tuple(_rows(photos, faces, people, members, threshold, seed))
        yield IdentityGroup(name, int(members.sum()), threshold, rows)
