"""A model's FID, KID and LPIPS, where the user gives the weights of the networks they are defined by.

Enters: a model, a `Selection`, its posteriors and samples, and files of weights. Leaves: `StandardFigures`, each
distance with its protocol. Which pictures are compared with which is as in `sampling`.
"""

from __future__ import annotations

from pathlib import Path

from numpy.typing import NDArray

from facette.data.selection import Selection
from facette.evaluation.forward import Passed
from facette.evaluation.protocol import Protocol
from facette.evaluation.result import StandardFigures, StandardRow
from facette.evaluation.samples import FLOOR, MOST_REAL, Samples, protocol_of, sample_name
from facette.judges.standard import INCEPTION_RESIZE, inception_features, lpips_distances, weights_name
from facette.latent.inputs import Picture
from facette.measures.clouds import FEWEST, halves, kernel_interval
from facette.measures.distances import frechet_distance
from facette.measures.intervals import Bootstrap
from facette.model.trained import TrainedModel
from facette.progress import Advance, Progress, stage


def measure_standard(
    model: TrainedModel,
    selection: Selection,
    passed: Passed,
    samples: Samples,
    *,
    inception: str | Path | None,
    lpips: str | Path | None,
    seed: int,
    progress: Progress,
) -> StandardFigures | None:
    """What the given weights allow to measure; None without any, and for points. Raises as `standard` does."""
    if model.input.kind != "image" or (inception is None and lpips is None):
        return None
    total = len(selection.indices)
    first, second = (half[: MOST_REAL // 2] for half in halves(total, seed))
    photos = selection.read(selection.indices[second])
    rebuilt = model.decode(passed.posterior.mean[second])
    perceived = None
    if lpips is not None:
        distances = lpips_distances(photos, rebuilt, lpips, stage(progress, "LPIPS", len(photos)))
        perceived = Bootstrap({"lpips": distances}, seed).mean("lpips")
    rows: tuple[StandardRow, ...] = ()
    protocol: Protocol | None = None
    if inception is not None and total >= FEWEST:
        clouds = {FLOOR: photos, "reconstructions": rebuilt}
        clouds |= {sample_name(prior): stages[""][: len(first)] for prior, stages in samples.items()}
        advance = stage(progress, "Inception", (1 + len(clouds)) * len(first))
        real = inception_features(selection.read(selection.indices[first]), inception, advance)
        rows = tuple(_row(of, real, pictures, inception, seed, advance) for of, pictures in clouds.items())
        network = weights_name("Inception v3", inception)
        protocol = protocol_of(selection, network, INCEPTION_RESIZE, len(first), seed)
    network = "" if lpips is None else weights_name("AlexNet, LPIPS 0.1", lpips)
    return StandardFigures(protocol, rows, perceived, network)


def _row(
    of: str,
    real: NDArray,
    pictures: Picture,
    inception: str | Path,
    seed: int,
    advance: Advance,
) -> StandardRow:
    features = inception_features(pictures, inception, advance)
    return StandardRow(of, frechet_distance(real, features), kernel_interval(real, features, seed))
