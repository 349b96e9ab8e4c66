"""FID, KID and LPIPS: never without their own networks; with them, what the established libraries themselves say.

The networks' shapes are the libraries' own, their weights here are random: the real ones are not for a repository.
"""

import importlib.util

import numpy as np
import pytest
import torch

from facette.errors import CheckpointError, MissingExtraError, UsageError
from facette.evaluation import evaluate
from facette.judges.standard import inception_features, lpips_distances, weights_name


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    """A file of random weights for the library's network, and the network itself."""
    library = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason="torch-fidelity is in the extra `metrics`"
    )

    class Grown(library.FeatureExtractorInceptionV3):
        """The library's network before weights are loaded into it."""

        def load_state_dict(self, state, *rest):
            return super().load_state_dict(state, *rest) if state else None

    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "nothing.pth")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Grown("random", ["2048"], feature_extractor_weights_path=str(folder / "nothing.pth"))
    torch.save(network.state_dict(), folder / "random.pth")
    return folder / "random.pth", network


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory):
    pytest.importorskip("lpips", reason="lpips is in the extra `metrics`")
    models = pytest.importorskip("torchvision.models")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = models.alexnet(weights=None)
    path = tmp_path_factory.mktemp("alexnet") / "alexnet.pth"
    torch.save(network.state_dict(), path)
    return path, network


def test_features_are_the_librarys(pictures, inception):
    path, network = inception
    expected = network(torch.from_numpy(pictures).permute(0, 3, 1, 2))[0].numpy()
    np.testing.assert_array_equal(inception_features(pictures, path), expected)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of lpips, about torchvision's older spelling
def test_distances_are_the_librarys(pictures, alexnet):
    import lpips

    path, network = alexnet
    reference = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    for part in reference.net.children():
        for number, layer in part.named_children():
            layer.load_state_dict(network.features[int(number)].state_dict())
    pair = [
        torch.from_numpy(p).permute(0, 3, 1, 2).float() / 127.5 - 1 for p in (pictures, pictures[::-1].copy())
    ]
    found = lpips_distances(pictures, pictures[::-1], path)
    np.testing.assert_allclose(found, reference(*pair).flatten().detach().numpy(), rtol=1e-5, atol=1e-7)
    assert (lpips_distances(pictures, pictures, path) == 0).all()


@pytest.mark.slow
def test_the_card_has_them_with_their_protocol(quick_model, inception, tmp_path):
    from facette.reports.table import lines

    photos = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    evaluation = evaluate(quick_model, photos, inception=inception[0])
    assert [row.of for row in evaluation.standard.rows][:2] == ["other photos (floor)", "reconstructions"]
    assert evaluation.standard.protocol.network.startswith("Inception v3 ")
    assert evaluation.standard.protocol.count == 20
    assert "Standard networks" in {line.group for line in lines(evaluation)}


def test_another_networks_weights_are_refused(pictures, inception, tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="not the Inception network of FID"):
        inception_features(pictures, tmp_path / "other.pth")


def test_code_in_a_file_is_not_run(pictures, inception, tmp_path):
    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    torch.save({"a": Touch()}, tmp_path / "hostile.pth")
    with pytest.raises(CheckpointError, match="no plain tensors"):
        inception_features(pictures, tmp_path / "hostile.pth")
    assert not (tmp_path / "touched").exists()


def test_without_the_weights_nothing_is_called_fid(quick_model):
    photos = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    assert evaluate(quick_model, photos).standard is None
    with pytest.raises(UsageError, match=r"there is no file .*nowhere\.pth. FID and KID take"):
        evaluate(quick_model, photos, inception="nowhere.pth")


@pytest.mark.skipif(
    importlib.util.find_spec("torch_fidelity") is not None, reason="torch-fidelity is installed"
)
def test_a_missing_library_is_named_before_anything_is_measured(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"")
    with pytest.raises(MissingExtraError, match=r'torch_fidelity.*pip install "facette\[metrics\]"'):
        evaluate("faces128", "nowhere", inception=tmp_path / "weights.pth")


def test_the_name_of_a_network_changes_with_its_file(tmp_path):
    for content in (b"one", b"two"):
        (tmp_path / content.decode()).write_bytes(content)
    assert weights_name("net", tmp_path / "one") != weights_name("net", tmp_path / "two")
    with pytest.raises(UsageError, match="cannot read"):
        weights_name("net", tmp_path / "three")
