"""The command line as the tests call it: in this process, with what it printed."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run `facette …` in an empty folder: `run("vary", photo)` → Outcome."""
    from facette.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments) -> Outcome:
        capsys.readouterr()
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Outcome(code, *capsys.readouterr())

    return call


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
