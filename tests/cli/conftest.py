"""Photos for the commands to work on."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def photo_files(quick_model, tmp_path_factory):
    """Two drawn faces as PNG files of 96 × 96 px."""
    import facette

    folder = tmp_path_factory.mktemp("photos")
    pictures = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input).read(np.array([5, 17]))
    paths = [folder / "anna.png", folder / "bert.png"]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).resize((96, 96)).save(path)
    return paths
