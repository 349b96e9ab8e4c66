"""A model file of a stranger is believed in nothing: one sentence, no large network, no control codes."""

from __future__ import annotations

import resource
from itertools import islice

import hostile_models
import pytest

import facette
from facette.checkpoint.drawing import open_onnx
from facette.checkpoint.native import WEIGHTS, describe_model, find_model, load_model
from facette.cli.info import describe
from facette.errors import CheckpointError, FacetteError
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.onnx_graph import Unserved
from facette.recipe import load_recipe


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The file of a small model with weights as they are drawn."""
    recipe = load_recipe("quick")
    model = TrainedModel(build_vae(recipe), recipe)
    return facette.save(model, tmp_path_factory.mktemp("honest")) / WEIGHTS


def attempt(folder) -> list[str]:
    """What each reader says of a model; "" where it takes it."""
    sentences = []
    for reader in (load_model, open_onnx, lambda place: describe("x", describe_model(find_model(place)))):
        try:
            reader(folder)
        except FacetteError as error:
            sentences.append(str(error))
        except Unserved:
            sentences.append("")
        else:
            sentences.append("")
    return sentences


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_every_false_header_is_one_sentence(honest, tmp_path, every):
    """Places of the header with junk in them; what is harmless may be taken, but nothing ends in a traceback."""
    data, refused, tried = honest.read_bytes(), 0, 0
    (tmp_path / "m").mkdir()
    for name, content in islice(hostile_models.hostile_headers(data), 0, None, every):
        (tmp_path / "m" / WEIGHTS).write_bytes(content)
        try:
            sentences = attempt(tmp_path / "m")
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
        refused, tried = refused + bool(sentences[0]), tried + 1
        assert all("\n" not in sentence for sentence in sentences), name
    assert refused > 0.6 * tried


def test_no_network_is_built_that_is_larger_than_its_file(honest, tmp_path):
    data = honest.read_bytes()
    (tmp_path / "m").mkdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, content in hostile_models.greedy_recipes(data):
        (tmp_path / "m" / WEIGHTS).write_bytes(content)
        print(name)  # shown when it is not refused
        with pytest.raises(CheckpointError):
            load_model(tmp_path / "m")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 300 << 20


def test_numbers_that_are_not_finite_and_tensors_that_do_not_fit_are_refused(honest, tmp_path):
    data = honest.read_bytes()
    (tmp_path / "m").mkdir()
    for name, content in hostile_models.wrong_numbers(data):
        (tmp_path / "m" / WEIGHTS).write_bytes(content)
        for reader in (load_model, open_onnx):
            print(name, reader)  # shown when it is not refused
            with pytest.raises((CheckpointError, Unserved)):
                reader(tmp_path / "m")


def test_info_shows_no_control_codes_and_writes_nowhere(run, honest, tmp_path):
    data = honest.read_bytes()

    def steer(header) -> None:
        header["provenance"] = {"data": "\x1b]0;owned\x07\x9b31m", "notes": ["\x1b[2J"], "terms": "\u202egpj"}

    (tmp_path / "m").mkdir()
    (tmp_path / "m" / WEIGHTS).write_bytes(hostile_models.with_header(data, steer))
    for flags in ((), ("--json",)):
        ended = run("info", tmp_path / "m", *flags)
        assert ended.code == 0
        assert not set(ended.out) & set("\x1b\x07\x9b\u202e")

    def elsewhere(header) -> None:
        header["recipe"]["name"] = str(tmp_path / "written")

    (tmp_path / "m" / WEIGHTS).write_bytes(hostile_models.with_header(data, elsewhere))
    ended = run("sample", "--model", tmp_path / "m", "--count", 2)
    assert ended.code == 2
    assert "is no name" in ended.err
    assert not list(tmp_path.glob("written*"))
