"""`facette blend`: several photos in, one face out."""

import numpy as np
import pytest
from PIL import Image

from facette.cli.photo import parse_faces
from facette.latent import blend


def test_it_makes_what_the_python_call_makes(run, quick_run, photo_files, tmp_path):
    options = ["--weights", "2,-1", "--norm", "--each", "each", "--json", "--model", quick_run]
    said = run("blend", *photo_files, *options).json
    made = blend(quick_run, *photo_files, weights=(2, -1), norm_corrected=True)
    assert (said["sheet"], said["weights"], said["shares"]) == ("blend.png", [2, -1], [2, -1])
    assert (np.asarray(Image.open(tmp_path / said["each"][0])) == made.pictures[0]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--weights", "1,two"], "takes numbers"),
        (["--weights", "1,2,3"], "3 weights for 2 photos"),
        (["--weights", "1,-1"], "add up to nearly nothing"),
        (["--out", "blend.mp4"], "choose a file name"),
        (["--face", "0"], "a number from 1 on, or middle"),
        (["--face", "1,2,1"], "for all 2 photos or for each"),
    ],
)
def test_senseless_wishes_end_in_a_sentence(run, quick_run, photo_files, options, words):
    ended = run("blend", *photo_files, *options, "--model", quick_run)
    assert ended.code == 2
    assert words in ended.err


def test_each_photo_has_the_face_that_is_meant():
    assert parse_faces("2", 3) == [2, 2, 2]
    assert parse_faces("1, 3,middle", 3) == [1, 3, None]


def test_one_photo_is_no_blend(run, quick_run, photo_files):
    ended = run("blend", photo_files[0], "--model", quick_run)
    assert ended.code == 2
    assert "at least two photos" in ended.err
