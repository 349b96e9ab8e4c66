"""The network of who, for losses: what holds of it whatever it has learnt."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from facette.model.identity import FEATURES, IdentityFeatures, IdentityNetwork

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_identity_network.py"


@pytest.fixture(scope="module")
def trainer():
    spec = importlib.util.spec_from_file_location("train_identity_network", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def moved(norm: bool) -> IdentityNetwork:
    """A network whose norms have seen something, so that folding them in is not trivial."""
    torch.manual_seed(0)
    network = IdentityNetwork(norm=norm).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 3, 64, 64))
    return network.eval()


def test_features_are_of_unit_length_and_of_one_picture_alone(pictures):
    network = IdentityFeatures(moved(norm=False))
    features = network.features(pictures)
    assert features.shape == (5, FEATURES)
    assert torch.allclose(features.norm(dim=1), torch.ones(5), atol=1e-5)
    assert torch.allclose(features[2:3], network.features(pictures[2:3]), atol=1e-5)


def test_a_loss_moves_the_pictures_and_never_the_network(pictures):
    network = IdentityFeatures(moved(norm=False))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    drawn = (0.5 * pictures).requires_grad_()
    (1 - (network.features(drawn) * network.features(pictures)).sum(dim=1)).sum().backward()
    assert drawn.grad is not None
    assert drawn.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.parameters())
    network.train()
    network.features(pictures)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_what_lies_outside_of_the_face_is_not_looked_at(pictures):
    network = IdentityFeatures(moved(norm=False))
    other = pictures.clone()
    other[:, :, :10], other[..., 56:] = 0.0, 1.0
    assert torch.equal(network.features(pictures), network.features(other))


def test_norms_folded_in_compute_the_same(trainer, pictures):
    network = moved(norm=True)
    with torch.no_grad():
        expected, plain = network(pictures), trainer.folded(network)(pictures)
    assert torch.allclose(expected, plain, atol=1e-4 * expected.abs().max().item())


class Pixels:
    """A store of noise whose reader stops the run once, at the given batch."""

    def __init__(self, stop_at: int | None = None):
        self.pixels = np.random.default_rng(0).integers(0, 256, (24, 64, 64, 3), dtype=np.uint8)
        self.left = stop_at

    def read(self, rows: np.ndarray) -> np.ndarray:
        if self.left is not None and len(rows) == 4:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise KeyboardInterrupt
        return self.pixels[rows]


def test_the_run_goes_on_where_it_stopped(trainer, tmp_path, monkeypatch):
    from safetensors.torch import load_file

    monkeypatch.setattr(trainer, "SAVE_EVERY", 2)
    people = np.repeat(np.arange(6), 4)

    def run(store: Pixels, out: Path) -> None:
        training = trainer.Faces(store, np.arange(20), people[:20])
        held = trainer.Faces(store, np.arange(12, 24), people[12:])
        trainer.train(training, held, out, steps=4, batch=4, lr=1e-3, seed=3)

    run(Pixels(), tmp_path / "whole.safetensors")
    stopping = Pixels(stop_at=3)  # in the fourth step, after the run was saved at the second
    with pytest.raises(KeyboardInterrupt):
        run(stopping, tmp_path / "stopped.safetensors")
    run(stopping, tmp_path / "stopped.safetensors")
    whole, resumed = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "stopped.safetensors")
    assert all(torch.allclose(whole[name], resumed[name], atol=2e-3) for name in whole)


def test_figures_of_pairs(trainer):
    people = np.array([1, 1, 2, 2, 3])
    same = (people[:, None] == people[None, :]).astype(float)
    perfect = trainer.pair_figures(same, people)
    assert perfect["pair_accuracy"] == 1
    assert perfect["tar_at_1_percent"] == 1
    assert (perfect["same_pairs"], perfect["different_pairs"]) == (2, 8)
    blind = trainer.pair_figures(np.random.default_rng(0).random((400, 400)), np.arange(400) // 2)
    assert blind["pair_accuracy"] < 0.6
    assert blind["tar_at_1_percent"] < 0.05


def test_the_shipped_network_tells_people_apart(shared):
    """As its card says, on people of whom neither the training nor the choice of it has seen a picture."""
    from PIL import Image

    from facette.data.people import find_people, read_people
    from facette.images.convert import to_model
    from facette.model.identity import identity_features

    network = identity_features()
    assert network is not None
    folder = shared / "celeba" / "faces128" / "valid"
    names = sorted(path.name for path in folder.iterdir())[:400]
    listed = find_people(folder)
    assert listed is not None
    people = read_people(listed, names)
    pixels = [np.asarray(Image.open(folder / name).convert("RGB").reduce(2)) for name in names]
    with torch.no_grad():
        features = network.features(to_model(np.stack(pixels), "symmetric"))
    cosines = (features @ features.T).numpy()
    same = people[:, None] == people[None, :]
    upper = np.triu(np.ones_like(same), 1)
    strangers = np.quantile(cosines[upper & ~same], 0.95)
    assert (cosines[upper & same] > strangers).mean() > 0.5
