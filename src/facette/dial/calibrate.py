"""Calibrating a model: how people differ to it, and what strengths of noise do to who a relative is.

Enters: a model and pictures. Leaves: a `Calibration`, tensors and figures for the model file. Nothing is
measured while drawing. Writing the file, and what is said about it, is the command's business.

    cloud.*                           where the pictures lie (`latent.cloud`), where the file did not know
    people.PART (Z, K)                how people differ, part by part (`latent.people`)
    dial.curve.NOISE.DETAILS (F, 3)   strength, median distance, share of the same person (`latent.levels`)
    dial.strangers (1,)               the distance that 1 % of pairs of different people are below
    dial.centre, whitening, known, typical, threshold    what realism is measured with (`judges.similarity`)

Legend: P photos, F strengths, N relatives of a photo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.checkpoint.extras import add_extras
from facette.data.attributes import AttributeTable
from facette.data.open import open_dataset
from facette.data.people import find_people, read_people
from facette.dial.curves import JUDGED, JudgedPhotos, measure_curve, spaced_strengths
from facette.errors import UsageError, check_count
from facette.form import Size
from facette.images.warp import at_side
from facette.judges.attributes import extract
from facette.judges.identity import available, speaks_for
from facette.judges.similarity import FEWEST, WhitenedEmbedding, fit_embedding
from facette.latent.cloud import MEAN, cloud_tensors, encode_set, measure_cloud
from facette.latent.details import Details
from facette.latent.inputs import image_size, resolve_model
from facette.latent.levels import CURVE, DISTANCE, STRANGERS, Curve
from facette.latent.noise import PREFIX as PEOPLE
from facette.latent.noise import Noise
from facette.latent.people import measure_people
from facette.model.trained import TrainedModel
from facette.progress import Progress, stage, untold

PHOTOS = 50
FEWEST_PHOTOS = 46  # that hold a thousand pairs of strangers
COUNT = 2  # relatives of a photo at a strength
REFERENCES = 8000  # pictures that say how people differ
REALISM = 4000  # of them, for what realism is measured with
PREFIX = "dial."
CURVES: tuple[tuple[Noise, Details], ...] = tuple(product(("people", "posterior"), ("photo", "model")))


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a model is calibrated on."""

    references: NDArray[np.uint8]  # (M, S, S, 3) at the model's size
    labels: AttributeTable | None  # of the references
    frames: NDArray[np.uint8]  # (P, W, W, 3), W no less than S
    people: NDArray[np.integer] | None  # whose frames they are, where that is known
    name: str

    def part(self, photos: int) -> tuple[Pictures, Pictures]:
        """The frames after the first so many, and those; both with all references."""
        cut = (slice(photos, None), slice(photos))
        people = [None if self.people is None else self.people[part] for part in cut]
        rest, first = (
            replace(self, frames=self.frames[part], people=whose)
            for part, whose in zip(cut, people, strict=True)
        )
        return rest, first


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model file is given so that its dial means something."""

    curves: dict[tuple[Noise, Details], Curve]
    embedding: WhitenedEmbedding | None
    extras: dict[str, Tensor | NDArray[Any]]
    metrics: dict[str, Any]  # plain values for the header and the card

    def save(self, path: str | Path, out: str | Path | None = None) -> Path:
        """Write it into the model file that was calibrated, or a copy in the folder `out`; the rest stays as it is."""
        return add_extras(path, self.extras, {"dial": self.metrics}, out, replace=(PREFIX, PEOPLE))


def calibrate(
    model: TrainedModel | str | Path,
    data: Any,
    *,
    photos: int = PHOTOS,
    count: int = COUNT,
    references: int = REFERENCES,
    seed: int = 0,
    progress: Progress = untold,
) -> Calibration:
    """Measure how people differ to a model, and what strengths of both kinds of noise do to who a relative is.

    `data` is a source that `open_dataset` understands, an open store, an array, or `Pictures`; of others than these
    up to `references` training pictures say how people differ (`open_pictures`). Distances are measured on the first
    `photos` of the frames, the threshold of strangers on all of them. Without the extra `identity`, for pictures that
    are not of faces in a known frame, and for fewer than 46 of them, there are no curves, and levels are fixed
    shares. `progress(stage, done, total)` is called after every strength. Raises UsageError for a model of vectors
    and for fewer than two references.
    """
    model = resolve_model(model)
    image_size(model)
    check_count(count)
    pictures = data if isinstance(data, Pictures) else open_pictures(model, data, photos, references, seed)
    check_count(len(pictures.references), least=2, what="references")
    posterior = encode_set(model, pictures.references.__getitem__, np.arange(len(pictures.references)))
    extras: dict[str, Any] = {**measure_people(model, posterior.mean.numpy(), pictures.labels)}
    if MEAN not in model.extras:  # directions are measured from the one that is there
        extras |= cloud_tensors(measure_cloud(posterior))
    embedding = None
    if len(pictures.references) >= FEWEST:
        embedding = fit_embedding(extract(pictures.references[:REALISM]).features, seed)
        extras |= embedding.extras()
    curves = {}
    frame = model.input.frame if model.input.kind == "image" else None
    judged = available() and speaks_for(frame) is not None
    if judged and len(pictures.frames) >= FEWEST_PHOTOS:
        others = {name: t for name, t in model.extras.items() if not name.startswith((PREFIX, PEOPLE))}
        # as the file will be: nothing of an earlier time
        knowing = replace(model, extras={**others, **extras})
        curves, strangers = _curves(knowing, pictures, photos, count, seed, progress)
        extras[STRANGERS] = torch.tensor([strangers], dtype=torch.float32)
    for (noise, details), curve in curves.items():
        rows = np.stack([curve.strength, curve.distance, curve.same], axis=1)
        extras[f"{CURVE}{noise}.{details}"] = torch.from_numpy(rows).float()
    return Calibration(curves, embedding, extras, _metrics(curves, pictures, photos, count, seed))


def open_pictures(
    model: TrainedModel,
    data: Any,
    photos: int = PHOTOS,
    references: int = REFERENCES,
    seed: int = 0,
    name: str = "",
) -> Pictures:
    """References and photos of a source, which is opened at `judged_side(model)`, of a store that was opened so, or of
    an array (N, W, W, 3).

    A store's training part gives the references, its validation part the photos; where they are fewer than the
    threshold of strangers takes, training pictures stand beside them. An array's last pictures are the photos. Raises
    UsageError for too few.
    """
    assert model.input.kind == "image"
    size = model.input.size
    photos = max(check_count(photos, least=2, what="photos"), FEWEST_PHOTOS)
    if isinstance(data, np.ndarray):
        if len(data) <= photos:
            raise UsageError(f"{len(data)} pictures leave none to compare with beside {photos} photos.")
        known = at_side(data[:-photos][:references], size)
        return Pictures(known, None, data[-photos:], None, name or "an array")
    if not hasattr(data, "indices"):  # not opened yet
        data = open_dataset(data, model.input.model_copy(update={"size": judged_side(model)}))
    known, shown = (
        _some(data.indices(split), most, seed) for split, most in (("train", references), ("valid", photos))
    )
    if not len(shown):
        raise UsageError("there are no validation pictures to measure distances on.")
    table = data.attributes
    labels = None if table is None else AttributeTable(table.names, table.values[known])
    frames = data.read(shown)
    if len(shown) < FEWEST_PHOTOS:
        beside = known[: FEWEST_PHOTOS - len(shown)]
        frames, shown = np.concatenate([frames, data.read(beside)]), np.concatenate([shown, beside])
    blocks = [at_side(data.read(known[i : i + 256]), size) for i in range(0, len(known), 256)]
    return Pictures(np.concatenate(blocks), labels, frames, people_of(data, shown), name or str(data.source))


def judged_side(model: TrainedModel) -> Size:
    """At which size pictures are read for calibrating: faces in a frame no smaller than distances are measured at."""
    assert model.input.kind == "image"
    return model.input.size if model.input.frame is None else max(JUDGED, image_size(model))


def _curves(
    model: TrainedModel,
    pictures: Pictures,
    photos: int,
    count: int,
    seed: int,
    progress: Progress,
) -> tuple[dict[tuple[Noise, Details], Curve], float]:
    everybody = JudgedPhotos.of(model, pictures.frames)
    strangers, some = everybody.strangers(pictures.people), everybody.first(photos)
    strengths = {noise: spaced_strengths(model, some, noise, seed) for noise in ("people", "posterior")}
    total = sum(len(strengths[noise]) for noise, _ in CURVES)
    advance, curves = stage(progress, "calibrating", total), {}
    for noise, details in CURVES:
        curves[noise, details] = measure_curve(
            model, some, noise, details, strengths[noise], strangers, count, seed, advance
        )
    return curves, strangers


def _some(indices: NDArray[np.integer], most: int, seed: int) -> NDArray[np.integer]:
    if len(indices) <= most:
        return indices
    return np.sort(np.random.default_rng(seed).choice(indices, most, replace=False))


def people_of(data: Any, indices: NDArray[np.integer]) -> NDArray[np.int64] | None:
    """Whose pictures they are, where a list beside them says so."""
    path = find_people(Path(str(data.source)))
    return None if path is None else read_people(path, [data.names[int(i)] for i in indices])


def _metrics(
    curves: dict[tuple[Noise, Details], Curve], pictures: Pictures, photos: int, count: int, seed: int
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "data": pictures.name,
        "references": len(pictures.references),
        "labelled": pictures.labels is not None,
        "seed": seed,
    }
    if not curves:
        return facts
    first = next(iter(curves.values()))
    facts |= {
        "photos": min(photos, len(pictures.frames)),
        "relatives": count,
        "strangers": round(first.strangers, 4),
    }
    for (noise, details), curve in curves.items():
        facts[f"{noise} noise, details {details}"] = {
            "strength": _rounded(curve.strength),
            "distance": _rounded(curve.distance),
            "same_person": _rounded(curve.same),
            "levels": {level: curve.strength_at(distance) for level, distance in DISTANCE.items()},
        }
    return facts


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]
