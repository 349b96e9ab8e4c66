"""`synthetic-faces`: drawn faces together with the factors that made them.

Enters: a count, a size, a seed. Leaves: pictures, their true factors, and CelebA-like attributes.
Picture i depends on (seed, i) alone, so any part of the set can be drawn on its own, in any order. It knows
nothing of stores, files or models. Tests, tutorials and disentanglement measures need no download with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from facette.data.portrait import FACTORS, FaceFactors, draw_portrait
from facette.errors import UsageError

__all__ = [
    "ATTRIBUTE_NAMES",
    "FACTORS",
    "FACTOR_NAMES",
    "FaceFactors",
    "SyntheticFaces",
    "attributes_of",
    "draw_face",
    "draw_faces",
    "draw_factors",
]

SMALLEST_SIDE, LARGEST_SIDE = 8, 1024

FACTOR_NAMES: tuple[str, ...] = tuple(factor.name for factor in FACTORS)

# CelebA's own names, in its order, for those of its forty that a drawn face can show.
_ATTRIBUTES: dict[str, Callable[[FaceFactors], bool]] = {
    "Bald": lambda face: face.hair_style == "bald",
    "Bangs": lambda face: face.hair_style == "bob",
    "Black_Hair": lambda face: _hair_is(face, "black"),
    "Blond_Hair": lambda face: _hair_is(face, "blond"),
    "Brown_Hair": lambda face: _hair_is(face, "brown", "chestnut"),
    "Chubby": lambda face: face.face_width > 0.5,
    "Eyeglasses": lambda face: face.glasses != "none",
    "Gray_Hair": lambda face: _hair_is(face, "grey"),
    "Mouth_Slightly_Open": lambda face: face.mouth_open > 0.3,
    "Mustache": lambda face: face.facial_hair in ("moustache", "beard"),
    "Narrow_Eyes": lambda face: face.eye_size < -0.5,
    "No_Beard": lambda face: face.facial_hair in ("none", "moustache"),
    "Pale_Skin": lambda face: face.skin_tone < 0.15,
    "Smiling": lambda face: face.smile > 0.2,
    "Wavy_Hair": lambda face: face.hair_style == "curly",
    "Wearing_Earrings": lambda face: face.earrings != "none",
    "Wearing_Hat": lambda face: face.hat != "none",
}
ATTRIBUTE_NAMES: tuple[str, ...] = tuple(_ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class SyntheticFaces:
    """N drawn faces. A categorical factor is stored as the place of its category in `FACTORS`."""

    pictures: np.ndarray  # uint8 (N, size, size, 3), RGB
    factors: np.ndarray  # float32 (N, F), in the order of FACTOR_NAMES
    attributes: np.ndarray  # int8 (N, A), −1 or 1, in the order of ATTRIBUTE_NAMES


def draw_faces(count: int, size: int, seed: int, start: int = 0) -> SyntheticFaces:
    """Faces `start` to `start + count` of the endless set that `seed` names, `size` pixels square.

    Raises UsageError for a negative count, seed or start and for a size out of 8…1024.
    """
    _check_size(size)
    people = draw_factors(count, seed, start)
    pictures = np.empty((count, size, size, 3), np.uint8)
    for place, face in enumerate(people):
        pictures[place] = draw_portrait(face, size)
    rows = np.array([face.row() for face in people], np.float32).reshape(count, len(FACTORS))
    signs = np.array([attributes_of(face) for face in people], np.int8).reshape(count, len(_ATTRIBUTES))
    return SyntheticFaces(pictures, rows, signs)


def draw_factors(count: int, seed: int, start: int = 0) -> list[FaceFactors]:
    """The people of `draw_faces` without their pictures, which take a thousand times longer."""
    for name, value in (("count", count), ("seed", seed), ("start", start)):
        if value < 0:
            raise UsageError(f"{name} is {value}: synthetic faces need a {name} of 0 or more")
    return [_person(seed, index) for index in range(start, start + count)]


def draw_face(factors: FaceFactors | Mapping[str, float | str], size: int) -> np.ndarray:
    """One chosen face: uint8 (size, size, 3). Factors left out of a mapping are those of the plain face.

    Raises UsageError for an unknown factor, a value out of its range, and a size out of 8…1024.
    """
    _check_size(size)
    face = factors if isinstance(factors, FaceFactors) else FaceFactors.named(factors)
    return draw_portrait(face, size)


def attributes_of(face: FaceFactors) -> list[int]:
    """What the face shows, as −1 or 1 for each of `ATTRIBUTE_NAMES`."""
    return [1 if holds(face) else -1 for holds in _ATTRIBUTES.values()]


def _person(seed: int, index: int) -> FaceFactors:
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    return FaceFactors.from_uniforms(generator.random(len(FACTORS)).tolist())


def _hair_is(face: FaceFactors, *colours: str) -> bool:
    """A bald head has no hair colour, whatever its brows say; so it is in CelebA."""
    return face.hair_style != "bald" and face.hair_colour in colours


def _check_size(size: int) -> None:
    if not SMALLEST_SIDE <= size <= LARGEST_SIDE:
        raise UsageError(
            f"size is {size}: synthetic faces are drawn from {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
        )
