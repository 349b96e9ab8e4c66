"""`facette align --eyes LIST` and `facette train` on what comes of it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

HEADER = "image_id,left_eye_x,left_eye_y,right_eye_x,right_eye_y,face_score\n"


@pytest.fixture
def crops(tmp_path):
    folder = tmp_path / "crops"
    folder.mkdir()
    draws = np.random.default_rng(0)
    for number in range(8):
        coarse = Image.fromarray(draws.integers(0, 256, (6, 6, 3), np.uint8))
        coarse.resize((120, 120), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")
    rows = "".join(f"{number}.jpg,36,37,83,37,{-1 if number == 2 else 1}\n" for number in range(7))
    (tmp_path / "eyes.csv").write_text(HEADER + rows)
    return folder


def test_known_eyes_bring_a_folder_into_the_frame_with_its_mask(crops, run):
    outcome = run("align", crops, "--eyes", crops.parent / "eyes.csv", "--out", "aligned", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["aligned"] == 6
    reasons = {entry["photo"].rsplit("/", 1)[-1]: entry["reason"] for entry in outcome.json["left_out"]}
    assert "face_score" in reasons["2.jpg"]
    assert "not listed" in reasons["7.jpg"]
    face = Image.open(crops.parent / "aligned" / "0.png")
    assert face.mode == "RGBA"
    seen = np.asarray(face)[..., 3]
    assert 0.3 < (seen == 255).mean() < 0.8
    assert seen[64, 64] == 255
    assert seen[2, 2] == 0

    small = (
        *("train.steps=2", "train.batch=4", "model.latent=8"),
        *("sharpen.steps=2", "sharpen.batch=2", "sharpen.widths=[8, 8, 16]", "sharpen.critic_width=8"),
    )
    recipe = [word for setting in small for word in ("--set", setting)]
    plan = run("train", "faces128", "aligned", crops, "--dry-run", "--json", *recipe)
    assert plan.code == 0, plan.err
    assert 10 <= plan.json["pictures"] <= 13  # of 6 + 8, but for those set apart


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image_id,left_eye_x\n0.jpg,1\n", "no column left_eye_y"),
        (HEADER + "0.jpg,36,37,eighty,37,1\n", "line 2"),
    ],
)
def test_a_list_without_places_is_refused(crops, run, text, words):
    (crops.parent / "eyes.csv").write_text(text)
    outcome = run("align", crops, "--eyes", crops.parent / "eyes.csv", "--out", "aligned")
    assert outcome.code == 2
    assert words in outcome.err
    assert not (crops.parent / "aligned").exists()
