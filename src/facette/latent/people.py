"""How people differ, measured: the directions that people noise walks in, part by part.

Enters: a loaded model of pictures, the posterior means of many, and what labels say of them where there are any.
Leaves: tensors for the model file, which `facette.latent.noise` reads. Knows nothing of seeds, nor of distances.

All of it happens in whitened latents x = R⁻¹(μ − m), in which the people of the data have unit covariance in every
direction, so that a unit vector is one standard deviation of how they differ (`R` = principal directions times
their deviations). The first part is the lamp: the directions that change the colour of the face and its slope from
side to side and from top to bottom most, read off the decoder's Jacobian. An attribute's direction is the difference
of the means with and without it; each part spans those of its attributes, made orthogonal to the parts before it, so
that hair changes without the lamp. what relatives should keep (glasses, hats) is taken out of all parts first.
Without labels the leading directions beside the lamp are one part, "rest".

Legend: M pictures, Z latents, K directions, L leading ones, S side of a picture.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.data.attributes import AttributeTable
from facette.errors import DataError
from facette.latent.noise import PREFIX
from facette.model.trained import TrainedModel

KEPT = ("Eyeglasses", "Wearing_Hat")  # relatives keep them
NAMED = {
    "expression": ("Smiling", "Mouth_Slightly_Open", "High_Cheekbones", "Narrow_Eyes"),
    "age": ("Young", "Gray_Hair", "Double_Chin", "Chubby", "Receding_Hairline"),
    "hair": ("Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Wavy_Hair", "Straight_Hair", "Bald"),
    "features": (
        *("Arched_Eyebrows", "Bushy_Eyebrows", "Big_Lips", "Big_Nose", "Pointy_Nose", "Oval_Face"),
        *("Rosy_Cheeks", "Heavy_Makeup", "Wearing_Lipstick", "5_o_Clock_Shadow", "No_Beard", "Goatee"),
        *("Sideburns", "Male"),
    ),
}
WEIGHT = {"light": 0.3, "expression": 1.3, "age": 1.6, "hair": 1.3, "features": 0.8, "rest": 0.8}
LAMP = 5  # directions: brightness, two of colour, two of slope
LEADING = 64  # directions that the Jacobian is taken along
REST = 48  # directions of unlabelled pictures
SAMPLED = 24  # pictures that the Jacobian is averaged over
STEP = 0.5  # deviations, of its central differences
NARROWEST = 1e-4  # of the widest direction's variance: below, no picture uses it
ALIKE = 0.2  # of a part's longest direction: shorter ones say nothing that the others do not
FEWEST = 10  # pictures with an attribute, and as many without


def measure_people(
    model: TrainedModel, means: NDArray[np.floating], labels: AttributeTable | None = None
) -> dict[str, Tensor]:
    """The directions of each part, scaled by their weights, (Z, K of the part) in half precision.

    `means` (M, Z) of pictures the model draws well; `labels` of the same M. Parts whose attributes nobody labelled
    are missing. Raises DataError for fewer than two pictures.
    """
    if len(means) < 2:
        raise DataError(f"how people differ takes at least 2 pictures, there is {len(means)}.")
    means = np.asarray(means, np.float64)
    centre = means.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(means.T).reshape(means.shape[1], -1))
    wide = np.flatnonzero(variances > NARROWEST * variances[-1])[::-1]
    if not len(wide):  # nothing of a picture is left in the latents
        return {}
    root = axes[:, wide] * np.sqrt(variances[wide])  # (Z, W): R, widest first
    white = (means - centre) @ axes[:, wide] / np.sqrt(variances[wide])  # (M, W)
    spans = {"light": _lamp(model, means, root)}
    if labels is not None:
        kept = _span(white, labels, KEPT, np.zeros((white.shape[1], 0)))
        spans["light"] = _beside(spans["light"], kept)
        used = np.concatenate([kept, spans["light"]], axis=1)
        for part, names in NAMED.items():
            spans[part] = _span(white, labels, names, used)
            used = np.concatenate([used, spans[part]], axis=1)
    if not any(spans[part].shape[1] for part in NAMED if part in spans):
        spans["rest"] = _beside(np.eye(white.shape[1])[:, :REST], spans["light"])
    own = model.recipe.model.latent
    root[own:] = 0  # what a model is told of a picture stays
    return {
        PREFIX + part: torch.from_numpy(WEIGHT[part] * root @ span).half()
        for part, span in spans.items()
        if span.shape[1]
    }


def _span(
    white: NDArray[np.float64], labels: AttributeTable, names: tuple[str, ...], used: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(W, K): an orthonormal basis of the attributes' directions beside those `taken` already."""
    directions = []
    for name in (name for name in names if name in labels.names):
        values = labels.column(name)
        if min((values > 0).sum(), (values < 0).sum()) >= FEWEST:
            directions.append(white[values > 0].mean(axis=0) - white[values < 0].mean(axis=0))
    if not directions:
        return np.zeros((white.shape[1], 0))
    return _beside(np.stack(directions, axis=1), used)


def _beside(directions: NDArray[np.float64], used: NDArray[np.float64]) -> NDArray[np.float64]:
    """An orthonormal basis of what the directions (W, K) span beside an orthonormal basis used before."""
    left, lengths, _ = np.linalg.svd(directions - used @ (used.T @ directions), full_matrices=False)
    return left[:, lengths > ALIKE * lengths[0]]


def _lamp(model: TrainedModel, means: NDArray[np.float64], root: NDArray[np.float64]) -> NDArray[np.float64]:
    """(W, LAMP): the whitened directions that change the light on the face most, of the leading ones."""
    leading = min(LEADING, root.shape[1])
    steps = STEP * torch.from_numpy(root[:, :leading].T)  # (L, Z)
    chosen = np.random.default_rng(0).permutation(len(means))[:SAMPLED]
    face, slopes = _face(model)
    energy = np.zeros((leading, leading))
    drawn = model.plain()
    for z in torch.from_numpy(means[chosen]):
        pictures = drawn.decode_float(torch.cat([z + steps, z - steps]).float()).double().numpy()
        change = (pictures[:leading] - pictures[leading:])[:, :, face]  # (L, C, P)
        light = (change @ slopes).reshape(leading, -1)
        energy += light @ light.T
    vectors = np.linalg.eigh(energy)[1][:, ::-1][:, :LAMP]
    return np.pad(vectors, ((0, root.shape[1] - leading), (0, 0)))


def _face(model: TrainedModel) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Where the face is (H, W), and an orthonormal basis (P, 3) of level and two slopes over its P pixels."""
    assert model.input.kind == "image"
    high, wide = model.input.shape
    y, x = np.mgrid[:high, :wide] + 0.5
    frame = getattr(model.input, "frame", None)
    if frame is None:
        middle, half = (wide / 2, high / 2), (wide, high)
    else:
        left, top, right, _ = frame.box
        eyes = (np.array(frame.eyes) - (left, top)) * wide / (right - left)
        apart = float(np.linalg.norm(eyes[1] - eyes[0]))
        (x0, y0), half = eyes.mean(axis=0), (0.95 * apart, 1.25 * apart)
        middle = (x0, y0 + 0.44 * apart)
    across, down = (x - middle[0]) / half[0], (y - middle[1]) / half[1]
    face = across**2 + down**2 <= 1
    basis, _ = np.linalg.qr(np.stack([np.ones(face.sum()), across[face], down[face]], axis=1))
    return face, basis
