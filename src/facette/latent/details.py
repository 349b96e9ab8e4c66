"""The photo keeps its own details: x' = x + up(D(z') − D(μ)), the one place where this sum is written.

Enters: a photo x at any size, the model's mean drawings of it before, D(μ), and after a change, D(z'), at the model's
own size. Leaves: the changed photo at the photo's size. Knows nothing of latents, nor of where a photo came from.

The likelihood says x = D(z) + noise. For a photo that lies before us the noise is known, r = x − D(μ); to ask how
this very photo would look if z had been z' is to keep r and change z (abduction, action, prediction: Pawlowski,
Castro and Glocker, arXiv 2006.06485; for pictures Shen and Liu, CVPR 2017). D is the mean of the first stage, before
clipping and rounding. What the photo does not show has no noise to keep: there x' = D(z'), moved in colour so that it
meets the rest at its rim.

Legend: S side of the model's pictures, H × W the photo's. Values are floats in which 0 is black and 1 white.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

Details = Literal["photo", "model"]
Space = Literal["gamma", "ratio", "linear"]
Values = NDArray[np.float32]

SPACE: Space = "gamma"
FLOOR = 0.1  # added before a ratio is taken, so that black stays finite


def add_change(
    photo: Values,
    before: Values,
    after: Values,
    unseen: NDArray[np.bool_] | None = None,
    space: Space = SPACE,
) -> Values:
    """The photo (H, W, 3) with the change from `before` to `after`, (S, S, 3) each; not clipped yet.

    `unseen` (H, W): pixels that the photo does not show. `space`: what is added are values as they are stored
    ("gamma"), amounts of light ("linear"), or logarithms of values and so ratios ("ratio").
    """
    size = photo.shape[:2]
    there, back = _ways(space)
    change = enlarged(there(after) - there(before), size)  # (H, W, 3)
    changed = back(there(photo) + change) if change.any() else photo.copy()
    if unseen is None or not unseen.any():
        return changed
    drawn = enlarged(after, size)
    return np.where(unseen[:, :, None], drawn + spread_inwards(changed - drawn, ~unseen), changed)


def to_bytes(values: Values, dtype: str = "uint8") -> NDArray[Any]:
    """Values, clipped to what a picture can show and rounded to nearest: uint8, or uint16 for a model of 16 bits."""
    return np.rint(np.clip(values, 0, 1) * np.float32(np.iinfo(dtype).max)).astype(dtype)


def enlarged(values: Values, size: tuple[int, int]) -> Values:
    """(S, S, 3) at (H, W, 3), bicubic; the very same values where the size is the same."""
    if values.shape[:2] == tuple(size):
        return values
    import cv2

    large = cv2.resize(np.ascontiguousarray(values), size[::-1], interpolation=cv2.INTER_CUBIC)
    return large.astype(np.float32, copy=False).reshape(
        *size, values.shape[2]
    )  # OpenCV drops a channel of one


def spread_inwards(values: Values, known: NDArray[np.bool_]) -> Values:
    """Values (H, W, 3) with those outside `known` (H, W) filled in smoothly from its rim.

    By averages over ever larger squares: a pixel takes the value of the smallest square around it of which anything is
    known (push and pull, Gortler et al., The Lumigraph, 1996).
    """
    import cv2

    weight = known.astype(np.float32)[:, :, None]
    if weight.all() or min(known.shape) == 1:
        return values
    half = (-(-known.shape[1] // 2), -(-known.shape[0] // 2))
    share = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)[:, :, None]
    total = cv2.resize(values * weight, half, interpolation=cv2.INTER_AREA).reshape(*share.shape[:2], -1)
    coarse = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    coarse = spread_inwards(coarse, share[:, :, 0] > 0)
    filled = cv2.resize(coarse, known.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(values.shape)
    return np.where(known[:, :, None], values, filled)


def check_details(details: str) -> None:
    """Raises UsageError for details that are neither the photo's nor the model's."""
    if details not in get_args(Details):
        raise UsageError(f"unknown details {details!r}: use 'photo' or 'model'.")


def _ways(space: Space) -> tuple[Callable[[Values], Values], Callable[[Values], Values]]:
    """Into the space of the sum, and back."""
    match space:
        case "gamma":
            return _same, _same
        case "ratio":
            return (
                lambda values: np.log(np.clip(values, 0, 1) + np.float32(FLOOR)),
                lambda values: np.exp(values) - np.float32(FLOOR),
            )
        case "linear":
            return _to_light, _from_light
        case _:
            raise UsageError(f"unknown space {space!r}: use one of {', '.join(get_args(Space))}.")


def _same(values: Values) -> Values:
    return values


def _to_light(values: Values) -> Values:
    """sRGB values to amounts of light (IEC 61966-2-1)."""
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _from_light(light: Values) -> Values:
    light = np.clip(light, 0, None)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)
