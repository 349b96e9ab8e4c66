"""Where each visitor stands, kept small: the posterior of a photo, and the variation that one went on from.

Enters: a photo as its box holds it. Leaves: a `PreparedPhoto`, from which every variation is drawn again by its seed
and strength. They are known by tokens that only one page has, and the one used longest ago goes first: a lost one is
prepared again from the photo. Knows nothing of how pages show them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from facette.latent.around import Step
from facette.latent.details import Details
from facette.latent.noise import Noise
from facette.latent.vary import Origin, origin_of
from facette.studio.photo import Choice
from facette.studio.store import BoundedStore

if TYPE_CHECKING:
    from facette.latent.inputs import Picture
    from facette.latent.points import Latents
    from facette.model.interface import DrawingModel
    from facette.studio.photo import Photos, StudioPhoto

MOST = 64  # of them, some megabytes each: what a photo shows of its frame
GLANCE = 128  # pixels a side of what is drawn while a dial moves


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """What a page asks for: a photo as its box holds it, from where one goes on, and whose details are kept."""

    photo: str
    noise: Noise = "posterior"
    around: tuple[Step, ...] = ()
    details: Details = "photo"

    def words(self) -> list[str]:
        """The same as arguments of a command, but for the photo."""
        words = Choice.of(self.photo).words()
        words += ["--noise", self.noise] if self.noise != "posterior" else []
        words += ["--details", self.details] if self.details != "photo" else []
        for step in self.around:
            words += ["--around", str(step)]
        return words


@dataclass(frozen=True, slots=True)
class PreparedPhoto:
    """A photo ready to be varied."""

    photo: StudioPhoto
    origin: Origin

    def glance(self, latents: Latents) -> Picture:
        """The pictures of latents (N, Z), quick and small: without a second stage, at 128 pixels at most."""
        origin = self.origin
        if origin.drawing.details == "model":
            return origin.model.plain().decode(latents)
        side = max(origin.model.input.longest, min(origin.drawing.side, GLANCE))
        drawing = replace(origin.drawing, side=side)
        return replace(origin, model=origin.model.plain(), drawing=drawing).draw(latents)


class PreparedPhotos:
    """The latest of all visitors."""

    def __init__(self, drawer: DrawingModel, photos: Photos, most: int = MOST):
        self._drawer, self._photos = drawer, photos
        self._known = BoundedStore[StartingPoint, PreparedPhoto](most)

    def find(self, place: StartingPoint) -> PreparedPhoto:
        """The photo at a place. Raises ImageError and UsageError as the intake and the encoder do."""
        photo = self._photos.take(place.photo)  # also says that the photo is still wanted
        prepared = self._known.find(place)
        if prepared is None:
            prepared = self._prepare(place, photo)
            self._known.put(place, prepared)
        return prepared

    def _prepare(self, place: StartingPoint, photo: StudioPhoto) -> PreparedPhoto:
        origin = origin_of(self._drawer, photo.input, details=place.details)
        for step in place.around:
            origin = origin.moved(step, noise=place.noise)
        return PreparedPhoto(photo, origin)
