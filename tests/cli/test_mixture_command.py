"""`facette mixture`: one command from nothing to the page and the table, on a model too small to be good."""

import json

import pytest
from PIL import Image

TINY = [
    "synthetic-mixture:components=3,count=600",
    *("--set", "train.steps=40", "--set", "objective.warmup_steps=10", "--set", "train.batch=64"),
    *(
        "--set",
        "model.prior.components=4",
        "--set",
        "model.encoder.widths=[16]",
        "--set",
        "model.decoder.widths=[16]",
    ),
]


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    """The measures of a few hundred points: their noise does not matter here."""
    for name, value in (("SAMPLES", 120), ("FRESH", 200), ("IMPORTANCE", 20), ("EM_CANDIDATES", (2, 3))):
        monkeypatch.setattr(f"facette.evaluation.mixture.{name}", value)
    monkeypatch.setattr("facette.cli.mixture.MAPPED", 60)


def test_it_trains_measures_draws_and_goes_on_from_what_is_there(run, tmp_path):
    ended = run("mixture", *TINY, "--out", "page.png", "--table", "docs/table.md", "--seeds", 2, "--json")
    assert ended.code == 0, ended.err
    said = ended.json
    assert (said["page"], said["seeds"]) == ("page.png", [0, 1])
    with Image.open(tmp_path / "page.png") as page:
        assert min(page.size) > 1000
    for figures in said["figures"].values():
        assert len(figures) == 2
    first, second = said["figures"]["VAE"]
    assert first["divergence"] != second["divergence"]
    assert all(0 <= one["junk"] <= 1 and one["found"] <= one["modes"] == 3 for one in (first, second))
    assert said["figures"]["truth"][0]["divergence"] == 0
    # 40 steps teach a network less than expectation-maximisation knows
    assert 0 < said["figures"]["EM fit"][0]["divergence"] < first["divergence"]
    table = (tmp_path / "docs" / "table.md").read_text("utf-8")
    mean = (first["divergence"] + second["divergence"]) / 2
    assert f"| VAE, mean of 2 seeds | {mean:.3f} |" in table
    assert {line.count("|") for line in table.splitlines()} == {8}

    weights = (
        tmp_path
        / "runs"
        / "mixture3d"
        / "synthetic-mixture-components-3-count-600"
        / "seed-0"
        / "last"
        / "model.safetensors"
    )
    trained = weights.stat().st_mtime_ns
    again = run("mixture", *TINY, "--json").json
    assert again["figures"]["VAE"] == [first]
    assert weights.stat().st_mtime_ns == trained


def test_models_of_vectors_pass_through_the_other_commands(run, tmp_path):
    assert run("train", "mixture3d", *TINY, "--out", "run").code == 0
    drawn = run("sample", "--model", "run", "-n", 7, "--out", "points.csv", "--json")
    assert drawn.code == 0, drawn.err
    assert len((tmp_path / "points.csv").read_text().splitlines()) in (7, 8)
    judged = run("evaluate", "run", TINY[0], "--split", "valid", "--importance", 5, "--json")
    assert judged.code == 0, judged.err
    bound = json.loads(judged.out)["bound"]
    assert bound["importance_weighted"]["value"] >= bound["elbo"]["value"]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--recipe", "quick"], "use mixture3d"),
        (["--set", "input.size=2"], "use mixture3d"),
        (["synthetic-mixture:seeds=3"], "seed, components, count"),
        (["faces"], "its name is synthetic-mixture"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(run, arguments, remedy):
    ended = run("mixture", *arguments)
    assert ended.code == 2
    assert remedy in ended.err
    assert "Traceback" not in ended.err
