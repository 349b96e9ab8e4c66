"""Calibrating a model: what its factors do to likeness, realism and spread, measured once and kept in its file.

Enters: a loaded model and data. Leaves: a `Calibration`, tensors and figures for the model file. Writing that file
is the command's business.

    dial.centre, dial.whitening, dial.known, dial.typical, dial.threshold    the gauge (`likeness`)
    dial.aggregate_mean, dial.aggregate_root                                 the shell of the faces (`latent.shell`)
    dial.factors (F,), dial.curve_posterior, dial.curve_aggregate (F, 3)     cosine, realism, spread at each factor

Legend: P photos, F factors, N variations of a photo.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.checkpoint.extras import add_extras
from facette.data.selection import choose_data
from facette.dial.search import CURVES, FACTORS, REALISM_KEPT, REFERENCE, Dial, placed
from facette.errors import UsageError, check_count
from facette.judges.attributes import extract
from facette.judges.likeness import Gauge, likeness, make_gauge
from facette.latent.inputs import Picture, image_size, resolve_model
from facette.latent.shell import measure_shell
from facette.latent.vary import Noise, origin_of, variation_seeds

PHOTOS = 50
COUNT = 10  # variations of a photo at a factor
REFERENCES = 4000  # training pictures for the gauge and for the shell
SEARCHED = 8  # photos that the range of factors is found with
HALVINGS = 3  # of the last doubling
EVEN = 12  # factors up to the largest, beside 0 and 1
LARGEST = 64.0  # the range ends here at the latest
PREFIX = "dial."  # of everything kept in the model file
KEPT = 0.95  # share of variations above the threshold at the recommended factor of a model


@dataclass(frozen=True, slots=True)
class Curve:
    """What factors do to likeness, realism and spread in the mean over photos; (F,) each."""

    factors: NDArray[np.float64]
    likeness: NDArray[np.float64]  # cosine with the photo
    realism: NDArray[np.float64]  # [0, 1]
    spread: NDArray[np.float64]  # 0 all are one … 1 strangers
    above: NDArray[np.float64]  # share of the variations above the threshold

    def recommended(self) -> float:
        """The largest factor up to which 95 % of the variations stay above the threshold and the realism within 20 %
        of that at factor 1; 0 where there is none."""
        floor = REALISM_KEPT * self.realism[self.factors == REFERENCE][0]
        good = (self.above >= KEPT) & (self.realism >= floor)
        return float(self.factors[: len(good) if good.all() else int(good.argmin())].max(initial=0.0))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model file is given so that its dial means something."""

    gauge: Gauge
    curves: dict[Noise, Curve]
    extras: dict[str, Tensor]
    metrics: dict[str, Any]  # plain values for the header and the card

    def save(self, path: str | Path, out: str | Path | None = None) -> Path:
        """Write it into the model file that was calibrated, or a copy in the folder `out`; the rest stays as it is."""
        strangers = [name for name in self.extras if not name.startswith(PREFIX)]
        assert not strangers, f"these would not be replaced the next time: {strangers}"
        return add_extras(path, self.extras, {"dial": self.metrics}, out, replace=(PREFIX,))


def calibrate(
    model,
    data,
    *,
    photos: int = PHOTOS,
    count: int = COUNT,
    references: int = REFERENCES,
    seed: int = 0,
    label: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Measure what the diversity factor of a model means.

    `data` as `evaluate` takes it: up to `references` pictures of its training part give the gauge and the shape of
    the aggregate, `photos` of its validation part the curves, with `count` variations of each at every factor.
    An array (N, S, S, 3) gives its last `photos` pictures for the curves and all others for the gauge.
    `progress(done, total)` is called after every photo. Raises UsageError for a model of vectors and too few pictures.
    """
    model = resolve_model(model)
    image_size(model)
    check_count(photos, least=2, what="photos")
    check_count(count, least=2)
    advance = progress or (lambda done, total: None)
    pictures, shown, named = _pictures(model, data, photos, references, seed, label)
    gauge = make_gauge(extract(pictures).features, seed)
    extras = gauge.extras()
    noises: tuple[Noise, ...] = ("posterior",)
    if model.latent > 1:
        extras |= measure_shell(model.encode(pictures))
        noises = ("posterior", "aggregate")
    ready = replace(model, extras={**model.extras, **extras})
    seeds = variation_seeds(seed, count)
    dials = [placed(origin_of(ready, photo, details="model"), gauge) for photo in shown]
    factors = _factors(dials[:SEARCHED], seeds)
    curves, total = {}, len(noises) * len(dials)
    for i, noise in enumerate(noises):
        one = [replace(dial, noise=noise) for dial in dials]
        curves[noise] = measure_curve(
            one, factors, seeds, lambda done, i=i: advance(i * len(dials) + done, total)
        )
    extras[FACTORS] = torch.tensor(factors, dtype=torch.float64)
    for noise, curve in curves.items():
        extras[CURVES[noise]] = torch.from_numpy(
            np.stack([curve.likeness, curve.realism, curve.spread], axis=1)
        )
    metrics = _metrics(gauge, curves, named, len(pictures), len(dials), count, seed)
    return Calibration(gauge, curves, extras, metrics)


def measure_curve(
    dials: list[Dial],
    factors: tuple[float, ...],
    seeds: tuple[int, ...],
    advance: Callable[[int], None] | None = None,
) -> Curve:
    """Likeness, realism and spread at each factor, in the mean over the dials of photos."""
    rows = []
    for done, dial in enumerate(dials, start=1):
        readings = [dial.at(factor, seeds) for factor in factors]
        rows.append(
            [
                (
                    one.likeness.mean(),
                    one.realism.mean(),
                    one.spread,
                    (one.likeness > dial.gauge.threshold).mean(),
                )
                for one in readings
            ]
        )
        if advance is not None:
            advance(done)
    return Curve(np.array(factors), *np.mean(rows, axis=0).T)


def _pictures(
    model, data, photos: int, references: int, seed: int, label: str | None
) -> tuple[Picture, Picture, str]:
    """Pictures for the gauge, photos for the curves, and what the data are called."""
    if isinstance(data, np.ndarray):
        if len(data) <= photos:
            raise UsageError(f"{len(data)} pictures leave none for the gauge beside {photos} photos.")
        return data[:-photos][:references], data[-photos:], label or "an array"
    known = choose_data(model, data, "train", references, seed, label=label)
    shown = choose_data(model, data, "valid", photos, seed, label=label)
    return known.read(known.indices), shown.read(shown.indices), known.label


def _factors(dials: list[Dial], seeds: tuple[int, ...]) -> tuple[float, ...]:
    """0, 1, and evenly spaced ones up to where variations are no more like their own reconstruction than strangers."""

    def lost(factor: float) -> bool:
        kept = [likeness(dial.reconstruction, dial.at(factor, seeds).places).mean() for dial in dials]
        return bool(np.mean(kept) < dials[0].gauge.threshold)

    low, high = 0.0, REFERENCE
    while high < LARGEST and not lost(high):
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if lost(middle) else (middle, high)
    even = np.linspace(0, high, EVEN + 1)
    return tuple(sorted({round(float(factor), 4) for factor in (*even, REFERENCE)}))


def _metrics(
    gauge: Gauge, curves: dict[Noise, Curve], data: str, references: int, photos: int, count: int, seed: int
) -> dict[str, Any]:
    return {
        "data": data,
        "references": references,
        "photos": photos,
        "variations": count,
        "seed": seed,
        "impostor_threshold": round(gauge.threshold, 4),
        "factors": [round(float(factor), 4) for factor in curves["posterior"].factors],
        **{
            noise: {
                "likeness": _rounded(curve.likeness),
                "realism": _rounded(curve.realism),
                "spread": _rounded(curve.spread),
                "above_threshold": _rounded(curve.above),
                "recommended": round(curve.recommended(), 4),
            }
            for noise, curve in curves.items()
        },
    }


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]
