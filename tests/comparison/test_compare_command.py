"""`facette compare`: a page and a sheet that say whose pictures are whose, or one sentence and exit code 2."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys

import pytest

from facette.images.sheets.grid import read_metadata


@pytest.fixture
def asked(photo_file, tiny, gauged):
    """The arguments that every run of these tests has."""
    return ["compare", photo_file, "--with", tiny, "--model", gauged, "--device", "cpu", "--no-align"]


def test_ten_pictures_of_each_a_page_and_a_sheet(run, asked, tmp_path):
    code, out, err = run(*asked, "--steps", 2, "--prompt", "a face, smiling", "--out", "both.html", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert len(set(told["seeds"])) == 10
    assert [method["name"] for method in told["methods"]] == ["quick", "tiny-diffusion"]
    assert re.search(
        r"tiny-diffusion on cpu: \S+ s a step, so \d+ s for 10 pictures of 32 × 32 in 10 steps", err
    )

    page = (tmp_path / "both.html").read_text("utf-8")
    for wanted in (
        *(
            "a face, smiling",
            "PNDMScheduler",
            "StableDiffusionImg2ImgPipeline",
            "strength",
            "guidance",
            "7.5",
        ),
        *(
            "steps",
            "seed 0",
            "device",
            "cpu",
            "float32",
            "diffusers",
            "transformers",
            "torch",
            "safety checker",
        ),
        *("similarity", "realism", "spread", "sharpness", "seconds", "memory", "parameters", "weights"),
        *(f"seed {seed}" for seed in told["seeds"]),
    ):
        assert wanted in page, wanted
    assert page.count("<img") >= 1 + 20 + 3, (
        "the sheet, every picture by itself, and what the autoencoders keep"
    )
    assert "http" not in re.sub(r"http-equiv", "", page), "the page asks nobody for anything"
    assert read_metadata(tmp_path / "both.png")["seeds"] == told["seeds"]


def test_the_command_on_the_page_makes_the_same_pictures_again(run, asked, tmp_path):
    arguments = [*asked, "--steps", 2, "--count", 2, "--diversity", 3, "--seed", 4, "--scheduler", "ddim"]
    code, out, err = run(*arguments, "--out", "first.html", "--json")
    assert code == 0, err
    command = json.loads(out)["command"]
    assert command in (tmp_path / "first.html").read_text("utf-8").replace("&#x27;", "'").replace(
        "&amp;", "&"
    )
    program, *words = shlex.split(command)
    assert program == "facette"
    code, again, err = run(*words, "--out", "second.html", "--json")
    assert code == 0, err
    first, second = json.loads(out), json.loads(again)
    for mine, theirs in zip(first["methods"], second["methods"], strict=True):
        assert {k: mine[k] for k in ("level", "similarity", "spread", "sharpness")} == {
            k: theirs[k] for k in ("level", "similarity", "spread", "sharpness")
        }


def test_matched_similarity_draws_the_curves(run, asked, tmp_path):
    options = [
        "--steps",
        32,
        "--strength",
        0.25,
        "--count",
        3,
        "--match",
        "similarity",
        "--levels",
        3,
        "--seed",
        5,
    ]
    code, out, err = run(*asked, *options, "--out", "matched.html", "--json")
    assert code == 0, err
    told = json.loads(out)
    ours, theirs = told["methods"]
    assert ours["matched"] is True
    assert abs(ours["similarity"]["value"] - theirs["similarity"]["value"]) <= told["tolerance"]
    assert len(ours["curve"]) >= 9
    assert len(theirs["curve"]) >= 3
    page = (tmp_path / "matched.html").read_text("utf-8")
    assert "Over the whole range" in page
    assert "data:image/svg+xml" in page


def test_the_autoencoder_alone(run, asked, tmp_path):
    code, out, err = run(*asked, "--vae-only", "--out", "kept.html", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert [one["name"] for one in told["autoencoders"]] == ["quick", "tiny-diffusion"]
    assert told["autoencoders"][1]["latents"] == 4096
    assert (tmp_path / "kept.html").is_file()
    assert (tmp_path / "kept.png").is_file()


def test_a_dry_run_says_how_long_it_will_take_and_makes_nothing(run, asked, tmp_path):
    code, out, err = run(*asked, "--steps", 4, "--dry-run", "--match", "similarity")
    assert code == 0, err
    assert "at most" in err
    assert out == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("gone", ["unet/diffusion_pytorch_model.safetensors", "model_index.json"])
def test_a_half_present_folder_is_one_sentence_and_exit_code_2(run, asked, tiny, tmp_path, gone):
    broken = shutil.copytree(tiny, tmp_path / "broken")
    (broken / gone).unlink()
    code, out, err = run(*[broken if one is tiny else one for one in asked])
    assert (code, out) == (2, "")
    assert err.startswith("facette: ")
    assert gone in err
    assert err.count("\n") == 1
    assert [one.name for one in tmp_path.iterdir()] == ["broken"], "nothing is half done"


def test_weights_that_are_not_here_are_one_sentence_with_the_way_to_get_them(
    run, asked, tiny, monkeypatch, tmp_path
):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    name = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    code, _, err = run(*[name if one is tiny else one for one in asked])
    assert code == 2
    assert f"hf download {name}" in err
    assert "--allow-download" in err
    assert err.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(run, asked, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    code, _, err = run(*asked)
    assert code == 2
    assert 'needs accelerate, which is not installed: pip install "facette[compare]"' in err


def test_another_place_than_a_page_is_refused_before_anything_is_loaded(run, asked):
    code, _, err = run(*asked, "--out", "both.pdf")
    assert code == 2
    assert "ends in .html" in err
    assert "loading" not in err
