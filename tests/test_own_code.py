"""People's own networks and terms: found in what the caller passes and nowhere else, trained, saved, used again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import own_nets
import pytest
import torch
from safetensors.torch import load_file

import facette
from facette.code import name_of, resolve, run_file
from facette.data import open_dataset
from facette.errors import RecipeError, UsageError
from facette.recipe import load_recipe
from facette.training.journal import read_journal
from facette.training.state import STATE

NETS = Path(own_nets.__file__)
SHORT = [
    "input.size=16",
    "train.steps=6",
    "train.batch=8",
    "train.log_every=2",
    "train.validate_every=3",
    "train.preview_every=100",
    "train.save_every=3",
    "train.preview_count=2",
    "train.validate_count=30",
    "train.mixture_components=[1]",
]
OWN = ["model.latent=5", "model.encoder={kind='own',name='own_nets:Encoder'}"]
OWN += ["model.decoder={kind='own',name='own_nets:Decoder'}"]


@pytest.fixture(scope="module")
def store():
    return open_dataset("synthetic-faces:60", load_recipe("quick", SHORT).input)


@pytest.fixture(scope="module")
def own_run(store, tmp_path_factory):
    """The folder of a run of a model with networks of its own."""
    model = facette.build(
        encoder=own_nets.Encoder,
        decoder=own_nets.Decoder(),
        latent=5,
        overrides=SHORT,
        encoder_arguments={"width": 4},
    )
    folder = tmp_path_factory.mktemp("own")
    ended = facette.train(model, store, folder, device="cpu")
    assert ended.model is not None
    return folder


def test_it_is_loaded_with_its_code_and_draws_varies_and_is_measured(own_run, store, tmp_path):
    model = facette.load(own_run, code=own_nets)
    assert isinstance(model.vae.encoder, own_nets.Encoder)
    photo = store.read(np.arange(1))[0]
    assert facette.vary(model, photo, count=3).save(tmp_path / "relatives.png")
    assert facette.sample(model, count=2).save(tmp_path / "samples.png")
    assert facette.reconstruct(model, [photo]).save(tmp_path / "again.png")
    assert np.isfinite(facette.evaluate(model, store).bound.rate.value)
    facette.save(model, tmp_path / "copy")
    again = facette.load(tmp_path / "copy", code=[own_nets])
    assert torch.equal(again.vae.decoder.out.weight, model.vae.decoder.out.weight)


def test_without_its_code_nothing_is_imported_and_a_sentence_says_what_is_missing(own_run):
    """In a process that could import the module: the file alone does not make it."""
    told = f"""
import sys
sys.path.insert(0, {str(NETS.parent)!r})
import facette
try:
    facette.load({str(own_run)!r})
except facette.FacetteError as error:
    print(type(error).__name__, error)
print("own_nets" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    sentence, imported = done.stdout.splitlines()
    assert sentence.startswith("UsageError 'own_nets:Encoder' is somebody's own code")
    assert imported == "False"


def test_commands_take_the_file_with_the_code(commands, own_run, tmp_path):
    """In a process of its own: it knows the classes by the file alone."""
    words = ["sample", "--model", own_run, "--count", 2, "--out", tmp_path / "two.png", "--device", "cpu"]
    bare = commands.start(*words)
    assert bare.wait() == 2
    assert "pass its module, own_nets, by --code" in bare.text
    assert "Traceback" not in bare.text
    commands.run(*words, "--code", NETS)
    assert (tmp_path / "two.png").is_file()


def test_a_run_by_recipe_resumes_and_is_the_same(store, tmp_path):
    recipe = load_recipe("quick", [*SHORT, *OWN])
    facette.train(recipe, store, tmp_path / "a", device="cpu", code=own_nets)
    shorter = load_recipe("quick", [*SHORT, *OWN, "train.minutes=1e-9"])
    assert facette.train(shorter, store, tmp_path / "b", device="cpu", code=own_nets).step == 1
    facette.train(recipe, store, tmp_path / "b", device="cpu", code=own_nets)
    one, other = (load_file(tmp_path / folder / STATE) for folder in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            ["model.decoder.name=own_nets:crooked"],
            "own_nets:crooked makes 7 of 5, and the recipe asks for 3×16×16",
        ),
        (["model.encoder.name=own_nets:nothing"], "own_nets:nothing gives str, not a torch.nn.Module"),
        (["model.encoder.name=own_nets:Missing"], "own_nets has no class or function 'Missing'"),
        (["model.encoder.arguments={depth=3}"], "own_nets:Encoder does not take the arguments"),
        (["input.size=32"], "own_nets:Encoder does not take 3×32×32"),
        (["objective.terms=[{name='own_nets:crooked_term'}]"], "own_nets:crooked_term gives"),
        (
            ["objective.terms=[{name='others:far_from'}]"],
            "pass its module, others, by `code`, not .*own_nets",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(changes, says, tmp_path):
    recipe = load_recipe("quick", [*SHORT, *OWN, *changes])
    with pytest.raises(UsageError, match=says):
        facette.train(recipe, "synthetic-faces:60", tmp_path, device="cpu", code=own_nets)


def test_names_are_checked_before_anything_is_looked_for():
    for name in ("os.path:join", "own_nets", "own_nets:", "own_nets:__import__('os')", ":far_from"):
        with pytest.raises(RecipeError, match=r"model\.encoder\.name"):
            load_recipe("quick", ["model.encoder.kind=own", f"model.encoder.name={name}"])
    with pytest.raises(UsageError, match="is somebody's own code"):
        resolve("os:system")


def test_an_instance_lends_its_weights_and_must_be_what_its_arguments_build():
    network = own_nets.Encoder(width=2)
    build = {"decoder": own_nets.Decoder, "latent": 5, "overrides": SHORT}
    model = facette.build(encoder=network, encoder_arguments={"width": 2}, **build)
    assert torch.equal(model.vae.encoder.layers[0].weight, network.layers[0].weight)
    with pytest.raises(UsageError, match="name its arguments"):
        facette.build(encoder=network, **build)
    with pytest.raises(UsageError, match="inside a function"):
        facette.build(encoder=lambda: network, **build)


def test_a_term_of_ones_own_is_priced_shown_and_sees_labels(store, tmp_path):
    terms = "objective.terms=[{name='own_nets:far_from',weight=50.0,arguments={centre=2.0}},"
    terms += "{name='own_nets:smiles_apart',weight=0.1}]"
    steady = [*SHORT, "train.steps=30", "train.ema=0.0", "train.lr=1e-2", "train.accumulate=2"]
    plain = facette.train(load_recipe("quick", steady), store, tmp_path / "plain", device="cpu")
    drawn = facette.train(
        load_recipe("quick", [*steady, terms]), store, tmp_path / "own", device="cpu", code=own_nets
    )
    distances = []
    for ended in (plain, drawn):
        assert ended.model is not None
        mean = facette.load(ended.model, code=own_nets).encode(store.read(np.arange(40))).mean
        distances.append(float((mean - 2.0).square().sum(1).mean()))
    assert distances[1] < 0.5 * distances[0]
    rows = read_journal(tmp_path / "own")
    assert all(np.isfinite(row["own_nets:far_from"]) for row in rows)
    assert own_nets.RAN
    header = json.loads((tmp_path / "own" / "best" / "config.json").read_text("utf-8"))
    assert header["recipe"]["objective"]["terms"][0]["name"] == "own_nets:far_from"


def test_a_file_is_run_only_where_it_is_one(tmp_path):
    with pytest.raises(UsageError, match="there is no Python file"):
        run_file(tmp_path / "missing.py")
    broken = tmp_path / "broken_nets.py"
    broken.write_text("raise ValueError('not today')\n", "utf-8")
    with pytest.raises(UsageError, match="cannot be run: ValueError: not today"):
        run_file(broken)
    shadow = tmp_path / "json.py"
    shadow.write_text("x = 1\n", "utf-8")
    with pytest.raises(UsageError, match="called like a module that is in use"):
        run_file(shadow)
    assert name_of(own_nets.Encoder) == "own_nets:Encoder"


def test_a_watcher_may_have_any_of_the_methods(store, tmp_path):
    class Tracker:
        def __init__(self):
            self.rows, self.ends = [], []

        def measured(self, row):
            self.rows.append(row)

        def finished(self, ended):
            self.ends.append(ended)

    tracker = Tracker()
    ended = facette.train(load_recipe("quick", SHORT), store, tmp_path, device="cpu", watcher=tracker)
    assert tracker.ends == [ended]
    assert {row["event"] for row in tracker.rows} == {"train", "validation"}


def test_a_file_that_was_passed_is_run_when_its_name_is_needed(tmp_path, monkeypatch):
    import facette.code

    monkeypatch.setattr(facette.code, "_passed", [])
    late = tmp_path / "late_nets.py"
    facette.code.pass_code(late)
    late.write_text("def term(batch):\n    return batch.z.sum(1)\n", "utf-8")
    assert resolve("late_nets:term").__module__ == "late_nets"
    late.write_text(
        "def term(batch):\n    return batch.z.mean(1)\n\ndef more(batch):\n    return 0\n", "utf-8"
    )
    facette.code.pass_code(late)
    assert callable(resolve("late_nets:more"))  # the newest counts
    facette.code.pass_code(tmp_path / "missing.py")
    with pytest.raises(UsageError, match="there is no Python file"):
        resolve("missing:term")
