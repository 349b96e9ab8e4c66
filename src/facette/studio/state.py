"""Where each visitor stands, kept small: the posterior of a photo, and the variation that one went on from.

Enters: a photo's token and how it is taken in. Leaves: a `PreparedPhoto`, from which every variation is made again by
its seed and factor. PreparedPhotos are found by tokens that only one page knows, and the one used longest ago goes
first: a lost one is made again from the photo. Knows nothing of how pages show them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facette.latent.around import Step
from facette.latent.vary import Noise, Origin, origin_of
from facette.studio.photo import Choice

if TYPE_CHECKING:
    from facette.dial.search import Dial
    from facette.studio.photo import Photos, StudioPhoto

MOST = 64  # standings, some megabytes each: what a photo shows of its frame


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """What a page asks for: a photo as its box holds it, and from where one goes on."""

    photo: str
    noise: Noise = "posterior"
    around: tuple[Step, ...] = ()

    def words(self) -> list[str]:
        """The same as arguments of a command, but for the photo."""
        words = Choice.of(self.photo).words()
        words += ["--noise", self.noise] if self.noise != "posterior" else []
        for step in self.around:
            words += ["--around", str(step)]
        return words


@dataclass(frozen=True, slots=True)
class PreparedPhoto:
    """A photo ready to be varied."""

    taken: StudioPhoto
    origin: Origin
    dial: Dial | None  # None for a model that was never calibrated


class PreparedPhotos:
    """The latest standings of all visitors."""

    def __init__(self, model: Any, drawer: Any, photos: Photos, most: int = MOST):
        self._model, self._drawer, self._photos, self._most = model, drawer, photos, most
        self._known: OrderedDict[StartingPoint, PreparedPhoto] = (
            OrderedDict()
        )  # the one used longest ago first
        self._lock = threading.Lock()
        self._gauge = _gauge(model)

    @property
    def measured(self) -> bool:
        """Whether the model knows what likeness is."""
        return self._gauge is not None

    @property
    def shaped(self) -> bool:
        """Whether it also knows the shape of all faces together."""
        from facette.latent.shell import MEAN

        return MEAN in self._model.extras

    def find(self, place: StartingPoint) -> PreparedPhoto:
        """The standing at a place. Raises ImageError and UsageError as the intake and the encoder do."""
        taken = self._photos.take(place.photo)  # also says that the photo is still wanted
        with self._lock:
            known = self._known.get(place)
            if known is not None:
                self._known.move_to_end(place)
                return known
        made = self._make(place, taken)
        with self._lock:
            self._known[place] = made
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made

    def _make(self, place: StartingPoint, taken: StudioPhoto) -> PreparedPhoto:
        # As the command does: only the shape of all faces needs torch.
        model = self._drawer if place.noise == "posterior" else self._model
        origin = origin_of(model, taken.input, details="model")
        for step in place.around:
            origin = origin.moved(step, noise=place.noise)
        if self._gauge is None:
            return PreparedPhoto(taken, origin, None)
        from facette.dial.search import placed

        return PreparedPhoto(taken, origin, placed(origin, self._gauge, place.noise))


def _gauge(model: Any) -> Any:
    from facette.errors import UsageError
    from facette.judges.likeness import gauge_of

    try:
        return gauge_of(model)
    except UsageError:
        return None
