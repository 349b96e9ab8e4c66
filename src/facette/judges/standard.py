"""FID, KID and LPIPS with the networks they are defined by, where the user has those networks' weights.

Enters: uint8 pictures and a local file of weights. Leaves: Inception features, or LPIPS distances. Nothing is ever
downloaded, and nothing else is ever called by these names. The networks are those of established libraries,
torch-fidelity (Inception v3 as TensorFlow's FID has it) and lpips; files are read as tensors only, never run.

Legend: N pictures, S side in pixels.
"""

from __future__ import annotations

from hashlib import blake2b, file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.errors import CheckpointError, UsageError, import_extra
from facette.images.convert import as_rgb
from facette.latent.inputs import Picture
from facette.progress import Advance, unheard

EXTRA = "metrics"
BATCH = 32
FEATURES = "2048"  # torch-fidelity's name of the last pooled layer, which FID and KID are defined on
INCEPTION_RESIZE = "bilinear to 299 px as TensorFlow 1 did"
WHERE = (
    "FID and KID take pt_inception-2015-12-05, LPIPS takes torchvision's AlexNet (alexnet-owt): get the file where the "
    "library's documentation says, and name it here."
)


def check_weights(inception: str | Path | None, lpips: str | Path | None) -> None:
    """Refuse what cannot be measured before anything is: UsageError for a file that is not there,
    MissingExtraError for a library that is not installed."""
    for path, load in ((inception, _inception_library), (lpips, _lpips_library)):
        if path is not None:
            if not Path(path).is_file():
                raise UsageError(f"there is no file {path}. {WHERE}")
            load()


def inception_features(
    pictures: Picture, weights: str | Path, advance: Advance = unheard
) -> NDArray[np.float32]:
    """The 2,048 features of Inception v3 that FID and KID compare, for pictures (N, S, S, 3): (N, 2048).

    Raises MissingExtraError without torch-fidelity, CheckpointError for a file that is not those weights.
    """
    network = _inception(Path(weights))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(pictures), BATCH):
            part = torch.from_numpy(np.ascontiguousarray(as_rgb(pictures[start : start + BATCH]))).permute(
                0, 3, 1, 2
            )
            parts.append(network(part)[0].numpy())
            advance(len(part))
    return np.concatenate(parts)


def lpips_distances(
    photos: Picture, drawn: Picture, weights: str | Path, advance: Advance = unheard
) -> NDArray[np.float64]:
    """LPIPS (arXiv 1801.03924, version 0.1 on AlexNet) of each pair of pictures (N, S, S, 3): (N,), ≥ 0, 0 is equal.

    Pictures are compared at their own size. Raises MissingExtraError without lpips, CheckpointError for a file that
    is not AlexNet's weights, UsageError for pictures under 32 px, which AlexNet shrinks to nothing.
    """
    if photos.shape != drawn.shape or min(photos.shape[1:3]) < 32:
        raise UsageError(
            f"LPIPS compares pictures of one shape of 32 px or more, not {photos.shape} and {drawn.shape}."
        )
    network = _lpips(Path(weights))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(photos), BATCH):
            pair = [_symmetric(pictures[start : start + BATCH]) for pictures in (photos, drawn)]
            parts.append(network(*pair).flatten().double().numpy())
            advance(len(pair[0]))
    return np.concatenate(parts)


def weights_name(network: str, weights: str | Path) -> str:
    """The network and the file it came from, in a form that changes with the file."""
    path = Path(weights)
    try:
        with path.open("rb") as file:
            digest = file_digest(file, lambda: blake2b(digest_size=4))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}. {WHERE}") from None
    return f"{network} {digest.hexdigest()}"


def _inception_library() -> Any:
    return import_extra("torch_fidelity.feature_extractor_inceptionv3", EXTRA, "an FID or a KID")


def _lpips_library() -> Any:
    return import_extra("lpips", EXTRA, "LPIPS")


def _inception(path: Path) -> Any:
    library = _inception_library()
    state = _tensors(path)
    with TemporaryDirectory() as folder:
        # The library unpickles whatever file it is given; so it is given one of plain tensors.
        clean = Path(folder) / "inception.pth"
        torch.save(state, clean)
        try:
            return library.FeatureExtractorInceptionV3(
                "inception-v3-compat", [FEATURES], feature_extractor_weights_path=str(clean)
            )
        except RuntimeError:
            raise CheckpointError(f"{path} is not the Inception network of FID. {WHERE}") from None


def _lpips(path: Path) -> Any:
    library = _lpips_library()
    state = _tensors(path)
    network = library.LPIPS(net="alex", pnet_rand=True, verbose=False)
    # The library's slices keep the layers' numbers: "slice2.3.weight" is torchvision's "features.3.weight".
    wanted = {name: "features." + name.partition(".")[2] for name in network.net.state_dict()}
    if not set(wanted.values()) <= set(state):
        raise CheckpointError(f"{path} is not torchvision's AlexNet. {WHERE}")
    network.net.load_state_dict({name: state[source] for name, source in wanted.items()})
    return network.eval().requires_grad_(False)


def _tensors(path: Path) -> dict[str, Tensor]:
    """A file's tensors by name; nothing in it is run."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile file makes of the reader
        raise CheckpointError(f"{path} holds no plain tensors: {type(error).__name__}. {WHERE}") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path} is not a state dict. {WHERE}")
    return state


def _symmetric(pictures: Picture) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(as_rgb(pictures))).permute(0, 3, 1, 2).float() / 127.5 - 1
