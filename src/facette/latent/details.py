"""The photo keeps its own details: x' = x + up(D(z') − D(μ)), the one place where this sum is written.

Enters: a photo x at any size, the model's mean drawings of it before, D(μ), and after a change, D(z'), at the model's
own size; for several photos also what the second stage makes of the latter. Leaves: the changed photo at the photo's
size. Knows nothing of latents, nor of where a photo came from.

The likelihood says x = D(z) + noise. For a photo that lies before us the noise is known, r = x − D(μ); to ask how
this very photo would look if z had been z' is to keep r and change z (abduction, action, prediction: Pawlowski,
Castro and Glocker, arXiv 2006.06485; for pictures Shen and Liu, CVPR 2017). D is the mean of the first stage, before
clipping and rounding. Between several photos, none of which leads, the second stage's drawing takes the place of their
details. What the photo does not show has no noise to keep: there x' = D(z'), moved in colour so that it meets the rest
at its rim.

Legend: P photos, S side of the model's pictures, H × W the photo's, C channels. Values are floats in which 0 is black
and 1 white.
"""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.images.warp import at_side

Details = Literal["photo", "model"]
Values = NDArray[np.float32]

COLOUR = 1 / 16  # of the picture's side: wider structures are light and colour


def add_change(
    photo: Values, before: Values, after: Values, unseen: NDArray[np.bool_] | None = None
) -> Values:
    """The photo (H, W, C) with the change from `before` to `after`, (S, S, C) each; not clipped yet.

    `unseen` (H, W): pixels that the photo does not show.
    """
    return mix_changes(photo[None], before[None], after, np.ones(1, np.float32), unseen)


def mix_changes(
    photos: Values,
    before: Values,
    after: Values,
    shares: NDArray[np.floating[Any]],
    unseen: NDArray[np.bool_] | None = None,
    drawn: Values | None = None,
) -> Values:
    """Photos (P, H, W, C), mixed by shares (P,) that add up to 1, changed from their drawings `before` (P, S, S, C) to
    `after`, as `add_change` does: (H, W, C).

    With `drawn` (S, S, C), what the second stage makes of `after`, a photo keeps its details as far as it leads before
    all others, and none does in the middle between two: details of two people at once are a double exposure.
    """
    size = photos.shape[1:3]
    leader = int(np.argmax(shares))
    if shares[leader] == 1 and np.array_equal(after, before[leader]):
        changed = photos[leader].copy()
    elif drawn is None:
        changed = _mixed(photos, shares) + enlarged(after - _mixed(before, shares), size)
    else:
        kept = _leads(shares)  # (P,)
        led = _mixed(after - before, kept) + (1 - kept.sum()) * (
            drawn + _mixed(_colour(photos, before), shares)
        )
        changed = _mixed(photos, kept) + enlarged(led, size)
    if unseen is None or not unseen.any():
        return changed
    invented = enlarged(after, size)
    return np.where(unseen[:, :, None], invented + spread_inwards(changed - invented, ~unseen), changed)


def _colour(photos: Values, before: Values) -> Values:
    """What the drawings (P, S, S, C) lack of the photos' light and colour."""
    return _blurred(at_side(photos, before.shape[1:3]) - before, COLOUR)


def _mixed(pictures: Values, shares: NDArray[np.floating[Any]]) -> Values:
    """Pictures (P, H, W, C) in shares (P,). Not as a product of matrices: BLAS would wake a thread for every core, and
    they spin while others have work for them."""
    weights = np.asarray(shares, np.float32)
    mixed = pictures[0] * weights[0]
    for picture, weight in zip(pictures[1:], weights[1:], strict=True):
        mixed = mixed + picture * weight
    return mixed


def _leads(shares: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """How far each photo is ahead of all others (P,): 1 where it is alone, 0 from where another has as much."""
    sizes = np.abs(shares)
    others = [np.delete(sizes, photo).max(initial=0) for photo in range(len(sizes))]
    return _eased(np.clip(shares - np.array(others), 0, 1))


def _eased(values: NDArray[Any]) -> NDArray[np.float32]:
    return (values * values * (3 - 2 * values)).astype(np.float32)


def _blurred(pictures: Values, width: float) -> Values:
    """Pictures (P, S, S, C) under a Gaussian whose σ is a share of their longer side."""
    import cv2

    sigma = width * max(pictures.shape[1:3])
    blurred = [cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), sigma) for picture in pictures]
    # OpenCV drops a channel of one.
    return np.stack(blurred).astype(np.float32, copy=False).reshape(pictures.shape)


def to_bytes(values: Values, dtype: str = "uint8") -> NDArray[Any]:
    """Values, clipped to what a picture can show and rounded to nearest: uint8, or uint16 for a model of 16 bits."""
    return np.rint(np.clip(values, 0, 1) * np.float32(np.iinfo(dtype).max)).astype(dtype)


def enlarged(values: Values, size: tuple[int, int]) -> Values:
    """(S, S, 3) at (H, W, 3), bicubic; the very same values where the size is the same."""
    if values.shape[:2] == tuple(size):
        return values
    import cv2

    large = cv2.resize(np.ascontiguousarray(values), size[::-1], interpolation=cv2.INTER_CUBIC)
    # OpenCV drops a channel of one
    return large.astype(np.float32, copy=False).reshape(*size, values.shape[2])


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
