"""`synthetic-faces` as a source: drawn faces, packed like any other pictures.

In: a count and a seed. Out: blocks of drawn pictures, and the table of their true factors and attributes. Knows
nothing of how a face is drawn.
"""

from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from facette.data.attributes import AttributeTable, FactorTable
from facette.data.names import NameTable
from facette.data.source import Block, with_full_mask
from facette.images.fit import fit_picture
from facette.recipe import ImageInput


class FacesSource:
    """Faces 0 to `count` of the endless set that `seed` names; a longer set begins with the shorter one."""

    kind = "synthetic-faces"

    def __init__(self, count: int, seed: int = 0):
        self.count, self.seed = count, seed
        self.location = f"synthetic-faces:{count}"
        self.names = NameTable.of(f"face-{index:07d}" for index in range(count))

    def signature(self) -> str:
        """Changes with count, seed and the code that draws: a store never outlives the faces it shows."""
        from facette.data import portrait, synthetic

        digest = blake2b(f"synthetic-faces\0{self.count}\0{self.seed}\0".encode(), digest_size=16)
        drawing = sorted(Path(str(portrait.__file__)).parent.glob("*.py"))
        for file in (Path(str(synthetic.__file__)), *drawing):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def block(self, start: int, stop: int, spec: ImageInput) -> Block:
        from facette.data.synthetic import draw_faces

        pictures = draw_faces(stop - start, spec.longest, self.seed, start).pictures
        if (spec.size, spec.mode) != (spec.longest, "RGB"):
            pictures = np.stack([fit_picture(Image.fromarray(picture), spec) for picture in pictures])
        return Block(with_full_mask(pictures) if spec.masked else pictures, {})

    def labels(self) -> tuple[AttributeTable, FactorTable]:
        from facette.data import synthetic

        people = synthetic.draw_factors(self.count, self.seed)
        attributes = np.array([synthetic.attributes_of(face) for face in people], np.int8)
        factors = np.array([face.row() for face in people], np.float32)
        return (
            AttributeTable(tuple(synthetic.ATTRIBUTE_NAMES), attributes),
            FactorTable(tuple(synthetic.FACTOR_NAMES), factors),
        )
