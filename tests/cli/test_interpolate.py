"""`facette interpolate`: the path between two photos."""

import numpy as np
import pytest
from PIL import Image

from facette.latent import interpolate


@pytest.mark.parametrize("method", ["linear", "slerp"])
def test_it_makes_what_the_python_call_makes(run, quick_run, quick_model, photo_files, tmp_path, method):
    options = ["--steps", 4, "--method", method, "--each", "each", "--json"]
    said = run("interpolate", *photo_files, *options, "--model", quick_run).json
    assert (said["sheet"], said["method"], len(said["each"])) == ("anna-to-bert.png", method, 4)
    made = interpolate(quick_model, *photo_files, steps=4, method=method)
    for path, picture in zip(said["each"], made.pictures, strict=True):
        assert (np.asarray(Image.open(tmp_path / path)) == picture).all()


def test_an_unknown_method_is_refused(run, quick_run, photo_files):
    ended = run("interpolate", *photo_files, "--method", "bow", "--model", quick_run)
    assert ended.code == 2
    assert "--method" in ended.err
