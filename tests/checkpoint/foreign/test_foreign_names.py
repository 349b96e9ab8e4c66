"""What a checkpoint wants called is on the list of known names, or it is told."""

from __future__ import annotations

import pickle
from importlib import import_module

import pytest
from foreign_malice import torch_zip

from facette.checkpoint.foreign import import_checkpoint, inspect_checkpoint, known
from facette.checkpoint.foreign.inert import Name
from facette.errors import CheckpointError

INNOCENT = "Plain weights"


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def instruction(kind: str, module: str, name: str) -> bytes:
    """A pickle that wants `module.name` called by this instruction."""
    by_line = f"{module}\n{name}\n".encode()
    body = {
        "REDUCE": named(module, name) + b")R",
        "NEWOBJ": named(module, name) + b")\x81",
        "NEWOBJ_EX": named(module, name) + b")}\x92",
        "INST": b"(i" + by_line,
        "OBJ": b"(" + named(module, name) + b"o",
        "a tensor's maker": named("torch._tensor", "_rebuild_from_type_v2")
        + b"("
        + named(module, name)
        + b"N)Nt"
        + b"R",
        "a base of _reconstructor": named("copyreg", "_reconstructor")
        + named("builtins", "object")
        + named(module, name)
        + b"N\x87R",
    }
    return torch_zip(b"\x80\x04" + body[kind] + b".")


KINDS = ["REDUCE", "NEWOBJ_EX", "INST", "OBJ", "a tensor's maker", "a base of _reconstructor"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dotted", ["somebody.make", "torchvision.datasets.utils.download_url"])
def test_a_call_of_an_unknown_name_is_dangerous(kind, dotted, tmp_path):
    file = tmp_path / "file.pth"
    file.write_bytes(instruction(kind, *dotted.rsplit(".", 1)))
    verdict = inspect_checkpoint(file).verdict
    assert verdict.startswith("Dangerous")
    assert dotted in verdict


@pytest.mark.parametrize("kind", [*KINDS, "NEWOBJ"])
@pytest.mark.parametrize(
    "dotted",
    [
        "torch.nn.modules.module._WrappedHook",
        "torch.nn.modules.utils.reduce",
        "torch.utils.data.datapipes.datapipe._IterDataPipeSerializationWrapper",
        "torch.optim.optimizer._use_grad_for_differentiable",
        "torch.distributions.utils.lazy_property",
    ],
)
def test_rooms_of_torch_are_not_trusted_by_their_name(kind, dotted, tmp_path):
    file = tmp_path / "file.pth"
    file.write_bytes(instruction(kind, *dotted.rsplit(".", 1)))
    assert inspect_checkpoint(file).verdict.startswith("Dangerous")
    with pytest.raises(CheckpointError, match="could run code"):
        import_checkpoint(file)


def test_a_class_of_somebody_is_told_and_never_called_plain(tmp_path):
    file = tmp_path / "file.pth"
    file.write_bytes(instruction("NEWOBJ", "somebody", "Network"))
    assert "somebody.Network" in inspect_checkpoint(file).verdict
    file.write_bytes(torch_zip(b"\x80\x04" + named("somebody", "activation") + b"."))  # mentioned alone
    assert "somebody.activation" in inspect_checkpoint(file).verdict
    file.write_bytes(torch_zip(pickle.dumps({"epoch": 3}, 2)))
    assert inspect_checkpoint(file).verdict.startswith(INNOCENT)


def test_the_hostile_cases_are_named(shared):
    folder = shared / "cases" / "hostile"
    files = sorted(folder.glob("gadget_*.pth"))
    if not files:
        pytest.skip(f"there are no cases in {folder}")
    for file in files:
        assert inspect_checkpoint(file).verdict.startswith(
            "Dangerous: it asks for the name 'torch.utils.data"
        )
        with pytest.raises(CheckpointError, match="nothing of it was run"):
            import_checkpoint(file)


def test_known_names_of_torch_are_classes_and_makers_of_its_own():
    """Not what a room has imported from elsewhere: its `reduce` would be anybody's."""
    strangers = []
    for dotted in known.KNOWN:
        module, name = dotted.rsplit(".", 1)
        if not module.startswith(("torch.nn", "torch.optim", "torch.distributions", "torch._utils")):
            continue
        try:
            value = getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue  # of another version of torch
        if value.__module__ != module:
            strangers.append(dotted)
    assert strangers == []


def test_a_name_reached_through_another_is_not_known():
    assert known.is_known(Name("torch.nn.modules.linear", "Linear"))
    assert not known.is_known(Name("torch.nn.modules", "linear.Linear"))
