"""What a model draws by itself, held against real pictures: samples, distributions, memorisation.

Enters: a model, a `Selection`, and what the attribute network saw in its photos. Leaves: figures for an `Evaluation`.
"""

from __future__ import annotations

from pathlib import Path

from numpy.typing import NDArray

from facette.data.selection import Selection
from facette.evaluation.forward import Passed
from facette.evaluation.protocol import Protocol
from facette.evaluation.result import Distributions, SampleFigures
from facette.images.convert import as_unit
from facette.judges.attributes import Features, extract
from facette.judges.features import RESIZE, kept_features, network_name
from facette.latent.inputs import Picture
from facette.latent.reconstruct import PriorName
from facette.measures.clouds import FEWEST, Clouds, halves
from facette.measures.declarations import DISTRIBUTION
from facette.measures.intervals import MeasureFigures
from facette.measures.memory import FEWEST as FEWEST_HELD_OUT
from facette.measures.memory import Memorisation, memorisation
from facette.measures.reconstruction import sharpness
from facette.model.trained import TrainedModel
from facette.progress import Advance

FLOOR = "other photos (floor)"
UNKNOWN = ", for want of one that knows such pictures"
LEAST_SAMPLES = 200  # of each prior; more where half of the real pictures are more
MOST_REAL = 5000  # real pictures that distributions are compared with, both halves together

# prior → stage ("" for what `decode` gives, or "plain") → pictures
Samples = dict[PriorName, dict[str, Picture]]


def draw_samples(model: TrainedModel, photos: int, seed: int) -> Samples:
    """Pictures of every prior the model has, and with a second stage the same ones without it."""
    count = max(LEAST_SAMPLES, min(photos, MOST_REAL) // 2)
    priors: list[PriorName] = ["normal"] if model.fitted_prior is None else ["fitted", "normal"]
    samples: Samples = {}
    for prior in priors:
        z = model.sample_latents(count, seed=seed, prior=prior)
        samples[prior] = {"": model.decode(z)}
        if model.sharpener is not None:
            samples[prior]["plain"] = model.plain().decode(z)
    return samples


def extract_from_samples(samples: Samples, photos: int, advance: Advance) -> dict[str, Features]:
    """What the network sees in as many as half of the photos, by the name of each cloud, the first prior first."""
    count, seen = min(photos, MOST_REAL) // 2, {}
    for prior, stages in samples.items():
        for stage, pictures in stages.items():
            seen[sample_name(prior) + (f", {stage}" if stage else "")] = extract(pictures[:count])
            advance(count)
    return seen


def sample_name(prior: PriorName) -> str:
    """What a cloud of samples is called."""
    return f"samples of the {prior} prior"


def protocol_of(selection: Selection, network: str, resize: str, count: int, seed: int) -> Protocol:
    """The conditions under which clouds of `count` pictures were compared."""
    return Protocol(
        network, resize, "uint8 RGB", f"{selection.split} of {selection.label}, seed {seed}", count
    )


def sample_figures(passed: Passed, samples: Samples) -> tuple[SampleFigures, ...]:
    """How sharp the samples are beside the photos."""
    return tuple(
        SampleFigures(
            prior,
            len(stages[""]),
            float(sharpness(as_unit(stages[""])).mean() / passed.plain.columns["sharpness/over"].mean()),
        )
        for prior, stages in samples.items()
    )


def measure_distributions(
    selection: Selection,
    passed: Passed,
    photos: Features,
    samples: dict[str, Features],
    seed: int,
    known: bool = True,
) -> Distributions | None:
    """Everything made against one half of the photos, with the other half as the floor; None for too few photos.
    `known`: the network knows such pictures; else its embedding is one of many, and the protocol says so."""
    total = len(selection.indices)
    if total < FEWEST:
        return None
    first, second = (half[: MOST_REAL // 2] for half in halves(total, seed))
    clouds = {"reconstructions": passed.plain.features}
    if passed.sharpened is not None:
        clouds = {
            "reconstructions": passed.sharpened.features,
            "reconstructions, plain": passed.plain.features,
        }
    features = {of: judged.features[second] for of, judged in clouds.items() if judged is not None}
    features |= {of: judged.features for of, judged in samples.items()}
    real = photos.features[first]
    return Distributions(
        protocol=protocol_of(
            selection, network_name() + ("" if known else UNKNOWN), RESIZE, len(first), seed
        ),
        floor=compare_clouds(FLOOR, real, photos.features[second], seed),
        made=tuple(compare_clouds(of, real, cloud, seed) for of, cloud in features.items()),
    )


def compare_clouds(of: str, real: NDArray, generated: NDArray, seed: int) -> MeasureFigures:
    """All measures of made pictures (M, D) against real ones (N, D); `of` names what was made."""
    clouds = Clouds(real, generated)
    return MeasureFigures(
        {measure.field: measure.of(clouds, seed) for measure in DISTRIBUTION if measure.of}, of
    )


def measure_memorisation(
    training: Selection | None,
    photos: Features,
    samples: dict[str, Features],
    cache: str | Path | None,
    advance: Advance,
) -> Memorisation | None:
    """Samples of the first prior against training pictures; None without them or with too few photos."""
    if training is None or len(photos.features) < FEWEST_HELD_OUT:
        return None
    shown = kept_features(training, cache, advance)
    return memorisation(next(iter(samples.values())).features, shown.features, photos.features)
