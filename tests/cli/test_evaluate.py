"""`facette evaluate`: the table, the JSON and the card."""

import json

from facette.evaluation import evaluate
from facette.reports.card import to_dict


def test_it_prints_a_sentence_for_every_figure(run, quick_run):
    ended = run("evaluate", quick_run, "synthetic-faces:256", "--count", 9)
    assert ended.code == 0
    for words in (
        "unexplained variance",
        "PSNR",
        "rate",
        "bits per dimension",
        "active units",
        "The latents are",
    ):
        assert words in ended.out
    assert "split valid" in ended.out


def test_json_holds_what_the_python_call_gives(run, quick_run, quick_model):
    options = ["--split", "train", "--count", 20, "--seed", 2, "--importance", 3, "--json"]
    said = run("evaluate", quick_run, "synthetic-faces:256", *options).json
    import facette

    store = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    expected = evaluate(quick_model, store, split="train", count=20, seed=2, importance_samples=3)
    assert said["reconstruction"] == to_dict(expected)["reconstruction"]
    assert said["bound"] == to_dict(expected)["bound"]


def test_the_card_is_written_where_asked(run, quick_run, tmp_path):
    said = run("evaluate", quick_run, "synthetic-faces:256", "--out", "card", "--json").json
    assert {path.name for path in (tmp_path / "card").iterdir()} == {
        "evaluation.html",
        "evaluation.json",
        "evaluation.md",
        "reconstructions.png",
        "samples-fitted.png",
        "samples-normal.png",
    }
    assert len(said["written"]) == 6
    assert json.loads((tmp_path / "card" / "evaluation.json").read_text("utf-8"))["model"] == "quick"


def test_models_stand_side_by_side_under_names_of_their_own(run, quick_run, tmp_path):
    words = ("evaluate", quick_run, quick_run, "synthetic-faces:256", "--split", "all", "--count", 40)
    said = run(*words, "--out", "card", "--json").json
    first, second = said["evaluations"]
    assert (first["model"], second["model"]) == ("quick", quick_run.stem)
    assert first["reconstruction"] == second["reconstruction"]
    assert first["distributions"] == second["distributions"]
    card = (tmp_path / "card" / "evaluation.md").read_text("utf-8")
    assert f"| measure | quick | {quick_run.stem} | meaning |" in card
    assert f"| {second['model']}: other photos (floor) |" in card
    assert len(list((tmp_path / "card").glob(f"{quick_run.stem}-*.png"))) == 3
    page = (tmp_path / "card" / "evaluation.html").read_text("utf-8")
    assert page.count('src="data:image/svg+xml') == 3  # bars of reconstructions, rates, bars of distributions
    assert page.count('src="data:image/jpeg') == 6  # pairs and two walls of each


def test_full_mode_bounds_more_tightly(run, quick_run, monkeypatch):
    monkeypatch.setattr("facette.cli.evaluate.FULL_SAMPLES", 8)
    monkeypatch.setattr("facette.cli.evaluate.FULL_COUNT", 9)
    said = run("evaluate", quick_run, "synthetic-faces:256", "--count", 9, "--full", "--json").json
    assert said["bound"]["importance_samples"] == 8
    assert said["bound"]["importance_count"] == 9
    assert said["bound"]["importance_weighted"]["value"] > said["bound"]["elbo"]["value"]


def test_a_model_alone_is_not_enough(run, quick_run):
    ended = run("evaluate", quick_run)
    assert ended.code == 2
    assert "at least one model and then the data" in ended.err


def test_data_that_is_not_there_is_said(run, quick_run):
    ended = run("evaluate", quick_run, "nowhere")
    assert ended.code == 2
    assert "nowhere" in ended.err
