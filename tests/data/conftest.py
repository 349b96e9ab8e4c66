"""Pictures on disk for the tests of this room."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.recipe import Frame, ImageInput

PictureFolder = Callable[..., Path]


@pytest.fixture
def spec() -> ImageInput:
    """Small pictures with a frame, so that both paths of the geometry are walked."""
    return ImageInput(
        size=16, fit="cover", frame=Frame(size=(40, 48), box=(4, 8, 36, 40), eyes=((15, 24), (24, 24)))
    )


@pytest.fixture
def picture_folder(tmp_path: Path) -> PictureFolder:
    """make(count=…, names=…, folder=…): smooth random pictures of several sizes and formats, the same each time."""

    def make(count: int = 8, names: list[str] | None = None, folder: str = "pictures") -> Path:
        root = tmp_path / folder
        sizes = ((40, 48), (64, 33), (33, 64), (50, 50), (70, 52))
        suffixes = (".jpg", ".png", ".webp", ".bmp", ".JPG")
        for i, name in enumerate(names or [f"{i:05d}{suffixes[i % 5]}" for i in range(count)]):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = np.random.default_rng(i).integers(0, 256, (4, 4, 3), np.uint8)
            Image.fromarray(coarse).resize(sizes[i % 5], Image.Resampling.BICUBIC).save(path)
        return root

    return make
