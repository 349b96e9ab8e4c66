"""Ways to compute are chosen by the clock, kept for the machine, and agree with each other."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, replace

import pytest
import torch

from facette.model.kernels import choices as kernels
from facette.model.kernels.choices import (
    USUAL,
    KernelChoices,
    Probe,
    choose_kernels,
    decide,
    kept_choices,
    machine_choices,
    measure_choices,
    probes_here,
    threads,
)
from facette.model.vae import build_vae
from facette.recipe import load_recipe

OTHER = KernelChoices("contiguous", False, 1000, False, False, False, 1)


class Clock:
    """Time that passes only where work says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: dict, field: str):
        def work(choices: KernelChoices):
            def run() -> None:
                self.now += seconds[getattr(choices, field)]

            return run

        return work


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({True: 0.010, False: 0.008}, False),
        ({True: 0.010, False: 0.0095}, True),  # less than the margin
        ({True: 0.010, False: 0.012}, True),
    ],
)
def test_what_is_clearly_quicker_is_chosen(seconds, expected):
    clock = Clock()
    probe = Probe("bias_apart", (True, False), clock.takes(seconds, "bias_apart"))
    assert measure_choices([probe], clock) == replace(USUAL, bias_apart=expected)


def test_a_later_question_knows_the_earlier_answer():
    clock, asked = Clock(), []

    def work(choices: KernelChoices):
        asked.append(choices.norm_in_place)
        return clock.takes({True: 0.01, False: 0.01}, "bias_apart")(choices)

    first = Probe("norm_in_place", (True, False), clock.takes({True: 0.02, False: 0.01}, "norm_in_place"))
    assert measure_choices([first, Probe("bias_apart", (True, False), work)], clock) == replace(
        USUAL, norm_in_place=False
    )
    assert asked == [False, False]


def test_a_machine_that_is_too_slow_computes_as_usual():
    clock = Clock()
    slow = Probe("bias_apart", (True, False), clock.takes({True: 9.0, False: 8.0}, "bias_apart"))
    never = Probe("picture_blocks", (True, False), clock.takes({True: 1.0, False: 0.1}, "picture_blocks"))
    assert measure_choices([slow, never], clock).picture_blocks
    assert clock.now < 20


def test_a_way_that_is_quicker_only_now_and_then_is_noise():
    usual = [1.0, 1.0, 1.0, 1.0, 1.0]
    assert decide({"a": usual, "b": [0.5, 0.5, 1.1, 0.5, 0.5]}, "a") == "b"
    assert decide({"a": usual, "b": [0.5, 0.5, 1.1, 1.1, 0.5]}, "a") == "a"
    assert decide({"a": usual, "b": [0.9] * 5, "c": [0.8] * 5}, "a") == "c"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACETTE_CACHE", str(tmp_path))
    return tmp_path


def test_what_was_measured_is_kept_for_this_machine_and_torch(cache, monkeypatch):
    assert kept_choices() is None
    monkeypatch.setattr(kernels, "measure_choices", lambda: OTHER)
    assert machine_choices() == OTHER
    monkeypatch.setattr(kernels, "measure_choices", lambda: USUAL)
    assert machine_choices() == kept_choices() == OTHER
    file = cache / kernels.KEPT
    kept = json.loads(file.read_text())
    file.write_text(json.dumps(kept | {"machine": kept["machine"] | {"torch": "1.0"}}))
    assert kept_choices() is None
    for damaged in ("", "[]", "{}", '{"machine": 1}', "\x00"):
        file.write_text(damaged)
        assert kept_choices() is None
    assert machine_choices() == USUAL  # measured again


def test_where_measuring_fails_the_usual_ways_are_taken(cache, monkeypatch):
    def broken() -> KernelChoices:
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(kernels, "measure_choices", broken)
    assert machine_choices() == USUAL
    assert kept_choices() is None


def test_what_an_older_version_knows_not_is_as_usual():
    assert KernelChoices.read(None) == KernelChoices.read({"of a later version": 3}) == USUAL
    assert KernelChoices.read({"threads": 2}) == replace(USUAL, threads=2)
    assert OTHER.unusual().keys() == {field.name for field in fields(KernelChoices)}
    assert USUAL.unusual() == {}


@pytest.mark.parametrize("number", range(len(probes_here())), ids=lambda n: probes_here()[n].field)
def test_every_question_is_about_work_that_can_be_done(number):
    probe = probes_here()[number]
    assert probe.values[0] == getattr(USUAL, probe.field)
    for value in probe.values:
        probe.work(replace(USUAL, **{probe.field: value}))()


@pytest.mark.parametrize("name", ["celeba150", "quick"])
def test_all_ways_compute_the_same(name):
    recipe = load_recipe(
        name, ["input.size=40", *(["model.decoder.start_size=2"] if name == "celeba150" else [])]
    )
    torch.manual_seed(0)
    usual = build_vae(recipe).train()
    other = copy.deepcopy(usual)
    choose_kernels(other, OTHER)
    x = torch.rand(4, 3, 40, 40).to(memory_format=torch.channels_last)
    noise = torch.randn(4, recipe.model.latent)
    drawn = []
    for vae in (usual, other):
        decoded = vae(x.clone(memory_format=torch.preserve_format), noise).decoded
        decoded.square().sum().backward()
        drawn.append(decoded.detach())
    torch.testing.assert_close(*drawn, rtol=1e-3, atol=1e-4)
    theirs = dict(usual.named_parameters())
    for parameter_name, parameter in other.named_parameters():
        assert parameter.grad is not None
        expected = theirs[parameter_name].grad
        assert expected is not None
        assert (parameter.grad - expected).norm() <= 1e-3 * expected.norm() + 1e-2
    assert other.state_dict().keys() == usual.state_dict().keys()


def test_layers_take_their_way(monkeypatch):
    recipe = load_recipe("celeba150", ["input.size=40", "model.decoder.start_size=2"])
    vae = build_vae(recipe).train()
    choose_kernels(vae, OTHER)
    assert not any(layer.works_in_place() for layer in vae.modules() if hasattr(layer, "works_in_place"))
    maps = []
    for layer in vae.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _, __, drawn: maps.append(drawn.is_contiguous()))
    vae(torch.rand(2, 3, 40, 40), torch.randn(2, recipe.model.latent))
    assert len(maps) > 5
    assert all(maps)


def test_threads_are_as_before_afterwards():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with threads(None):
        assert torch.get_num_threads() == before
