"""A method tried at levels of its knob, and what its pictures measure there.

Enters: a method, the photo in the common frame, seeds. Leaves: `Trial`s. Every method is measured on pictures of one
size, that of the photo in the model's frame, whatever size it draws at, by the same functions.

Legend: N pictures, S side of the common frame, H side of a picture as its method makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from facette.comparison.methods import Method, MethodOutput
from facette.errors import ImageError
from facette.judges.similarity import WhitenedEmbedding, embedding_spread, similarity
from facette.measures.diversity import spread
from facette.measures.intervals import Bootstrap, Interval
from facette.measures.reconstruction import sharpness_ratio
from facette.progress import Advance, unheard

FEWEST = 2  # pictures; of one alone nothing can be said about their spread


@dataclass(frozen=True, slots=True)
class Figures:
    """What some pictures of one photo measure, all at the common size."""

    similarity: Interval  # mean similarity to the photo, [−1, 1]; 1 is the photo, 0 a stranger
    realism: float  # [0, 1], real faces have 0.5 on average
    spread: float  # [0, 1], root mean squared difference of two pictures, averaged over all pairs
    variety: float  # [0, 2], 1 − the mean similarity of two pictures; strangers have 1
    sharpness: float  # over the photo's own: 1 as sharp, 0 flat, above 1 noisy


@dataclass(frozen=True, slots=True)
class Trial:
    """A method at one level."""

    level: float
    output: MethodOutput
    pictures: np.ndarray  # uint8 (N, S, S, 3)
    figures: Figures


class Trials:
    """A method, and what is known of it so far; nothing is made twice."""

    def __init__(
        self,
        method: Method,
        photo: np.ndarray,
        embedding: WhitenedEmbedding,
        seeds: Sequence[int],
        progress: Advance = unheard,
    ):
        self.method, self._photo, self._embedding = method, photo, embedding
        self._seeds, self._progress = tuple(seeds), progress
        self._tried: dict[float, Trial] = {}

    def at(self, level: float) -> Trial:
        """The method at a level, made now or remembered. Raises ImageError where a safety checker left too little."""
        if level not in self._tried:
            output = self.method.make(level, self._seeds, self._progress)
            pictures = to_side(output.pictures, len(self._photo))
            shown = pictures[~np.array(output.withheld)]
            if len(shown) < FEWEST:
                raise ImageError(
                    f"the safety checker of {self.method.name} withheld {len(pictures) - len(shown)} of "
                    f"{len(pictures)} pictures at {self.method.knob} {level:g}: try another `prompt` or `seed`."
                )
            self._tried[level] = Trial(level, output, pictures, measure(self._embedding, self._photo, shown))
        return self._tried[level]

    def similarity_at(self, level: float) -> float:
        """The mean similarity at a level."""
        return self.at(level).figures.similarity.value

    @property
    def curve(self) -> tuple[Trial, ...]:
        """Everything tried, by rising level."""
        return tuple(self._tried[level] for level in sorted(self._tried))

    @property
    def similarities(self) -> dict[float, float]:
        """Mean similarity by level, as far as known."""
        return {trial.level: trial.figures.similarity.value for trial in self.curve}


def measure(embedding: WhitenedEmbedding, photo: np.ndarray, pictures: np.ndarray) -> Figures:
    """The figures of pictures (N, S, S, 3) of one photo (S, S, 3), N ≥ 2."""
    unit = pictures / 255.0
    places = embedding.places(pictures)  # (N, 128)
    alike = similarity(embedding.places(photo[None]), places)  # (N,)
    return Figures(
        similarity=Bootstrap({"similarity": alike}, seed=0).mean("similarity"),
        realism=float(embedding.realism(places).mean()),
        spread=spread(unit),
        variety=embedding_spread(places),
        sharpness=sharpness_ratio(photo[None] / 255.0, unit),
    )


def to_side(pictures: np.ndarray, side: int) -> np.ndarray:
    """Pictures (N, H, H, 3) resized to (N, side, side, 3), Lanczos and antialiased; as they are where they fit."""
    if pictures.shape[1:3] == (side, side):
        return pictures
    resized = [
        Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS) for picture in pictures
    ]
    return np.stack([np.asarray(picture) for picture in resized])
