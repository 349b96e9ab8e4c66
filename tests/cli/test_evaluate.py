"""`facette evaluate`: the table, the JSON and the card."""

import json

from facette.evaluation import evaluate


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
    assert said["reconstruction"] == expected.to_dict()["reconstruction"]
    assert said["bound"] == expected.to_dict()["bound"]


def test_the_card_is_written_where_asked(run, quick_run, tmp_path):
    said = run("evaluate", quick_run, "synthetic-faces:256", "--out", "card", "--json").json
    assert {path.name for path in (tmp_path / "card").iterdir()} == {
        "evaluation.json",
        "evaluation.md",
        "reconstructions.png",
        "samples-fitted.png",
        "samples-normal.png",
    }
    assert len(said["written"]) == 5
    assert json.loads((tmp_path / "card" / "evaluation.json").read_text("utf-8"))["model"] == "quick"


def test_data_that_is_not_there_is_said(run, quick_run):
    ended = run("evaluate", quick_run, "nowhere")
    assert ended.code == 2
    assert "nowhere" in ended.err
