"""From one photo to another through the latent space.

Enters: a model (or its name) and two photos. Leaves: an `Interpolation` whose two ends are the photos'
reconstructions. Knows nothing of attributes or of how realistic the places on the way are.

Legend: T steps, Z latents, S side of a picture.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from facette.errors import UsageError
from facette.latent.inputs import Picture, check_count, resolve_model, resolve_picture
from facette.latent.points import decode_each, encode_each
from facette.latent.sheets import Result

if TYPE_CHECKING:
    from facette.images.grid import Sheet

Method = Literal["linear", "slerp"]

PARALLEL_BELOW = 1e-4  # sine of the angle under which a great circle is not defined well enough in float32


@dataclass(frozen=True, slots=True)
class Interpolation(Result):
    """A path of pictures; the first and the last are the reconstructions of the two photos."""

    photos: Picture  # (2, S, S, 3)
    pictures: Picture  # (T, S, S, 3)
    latents: Tensor  # (T, Z)
    method: Method
    model: str
    remark: str = ""  # a line under the sheet, such as what was done to the photos

    def sheet(self) -> "Sheet":
        """The two photos, framed, with the path between them."""
        from facette.images.grid import Cell, SheetRow, contact_sheet

        last = len(self.pictures) - 1
        steps = [Cell(picture, f"{place / last:.2f}") for place, picture in enumerate(self.pictures)]
        ends = [
            Cell(photo, name, framed=True) for photo, name in zip(self.photos, ("from", "to"), strict=True)
        ]
        title, subtitle = f"{last + 1} steps from one photo to another", f"{self.method} · {self.model}"
        row = SheetRow([ends[0], *steps, ends[1]])
        return contact_sheet([row], title=title, subtitle=subtitle, footer=self.remark)

    def settings(self) -> dict[str, Any]:
        made = {"made": "interpolate", "model": self.model}
        return {**made, "steps": len(self.pictures), "method": self.method}


def interpolate(model, a, b, steps: int = 10, method: Method = "linear") -> Interpolation:
    """`steps` pictures from photo `a` to photo `b`, both ends included.

    "linear" goes straight between the posterior means; "slerp" along the great circle between them (Shoemake
    1985; for latents White 2016, arXiv 1609.04468), which keeps the path in the shell where latents live, and
    goes straight where the two means are parallel.

    Raises UsageError for fewer than 2 steps or an unknown method.
    """
    check_count(steps, least=2, what="The number of steps")
    model = resolve_model(model)
    photos = np.stack([resolve_picture(model, a), resolve_picture(model, b)])  # (2, S, S, 3)
    mean, _ = encode_each(model, photos)  # (2, Z)
    latents = path(mean[0], mean[1], steps, method)  # (T, Z)
    return Interpolation(photos, decode_each(model, latents), latents, method, model.name)


def path(start: Tensor, end: Tensor, steps: int, method: Method = "linear") -> Tensor:
    """Latents from `start` to `end`, both (Z,) and both hit exactly: (T, Z)."""
    along = torch.linspace(0, 1, steps, dtype=start.dtype).unsqueeze(1)  # (T, 1)
    match method:
        case "linear":
            return (1 - along) * start + along * end
        case "slerp":
            return _slerp(start, end, along)
    raise UsageError(f"unknown method {method!r}: use 'linear' or 'slerp'.")


def _slerp(start: Tensor, end: Tensor, along: Tensor) -> Tensor:
    angle = _angle(start, end)
    sine = torch.sin(angle)
    if not sine > PARALLEL_BELOW:  # also true for the NaN of a zero vector
        return path(start, end, len(along), "linear")
    # The weights are divided before they multiply, so that they are exactly 0 and 1 at the ends.
    return (torch.sin((1 - along) * angle) / sine) * start + (torch.sin(along * angle) / sine) * end


def _angle(start: Tensor, end: Tensor) -> Tensor:
    """Between two vectors, in radians; by half-angle tangents, since arccos loses half the digits near 0."""
    a, b = start / start.norm(), end / end.norm()
    return 2 * torch.atan2((a - b).norm(), (a + b).norm())
