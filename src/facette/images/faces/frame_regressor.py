"""A small network that says where exactly the aligned frame lies in a roughly cropped face.

In: grey 64×64 patches around a face. Out: for each, the similarity that puts the frame right, and how sure it
is that a face is there at all. Knows nothing of photos or detectors. Trained by `train_frame_regressor`; computed by
onnxruntime where it is installed, else by torch.

Coordinates: the *canonical square* is the part of CelebA's aligned 178×218 frame from brow to chin, centred at
`CENTRE` and `HALF` pixels wide to each side, in units of −1 to 1. A patch was sampled where the square was
thought to be; the network returns (a, b, tx, ty), and the true place of a canonical point (x, y) in the patch,
in the same units, is (a·x − b·y + tx, b·x + a·y + ty). Estimating, re-sampling and estimating again converges.
"""

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import numpy as np

from facette.images.similarity import similarity
from facette.onnx_graph import Unserved, open_graph

CENTRE = (89.0, 123.0)  # pixels of the aligned 178×218 frame
HALF = 47.0
# Where the trained network puts that square on faces that are known to be aligned exactly. Two in three of the
# crops it learnt from lie a pixel or two higher than they should, and it learnt the mean.
FOUND_CENTRE = (89.0, 123.93)
FOUND_HALF = 46.9
BATCH = 512
WEIGHTS, GRAPH = "frame_regressor.safetensors", "frame_regressor.onnx"
KEY = "frame regressor 1"  # of the graph; another number for other layers


def estimate(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`patches` uint8 (N, 64, 64), grey. Returns matrices (N, 3, 3), canonical to patch, and logits (N,)."""
    look = _shipped()
    scaled = np.ascontiguousarray(patches[:, None], dtype=np.float32) / np.float32(255)  # (N, 1, 64, 64)
    parts = [look(scaled[i : i + BATCH]) for i in range(0, len(scaled), BATCH)]
    similarities, logits = (
        np.concatenate(several).astype(np.float64) for several in zip(*parts, strict=True)
    )
    return np.stack([similarity(*row) for row in similarities.tolist()]), logits


def canonical_to_frame() -> np.ndarray:
    """(3, 3), from canonical units as the shipped network means them to pixels of CelebA's aligned frame."""
    return similarity(FOUND_HALF, 0.0, *FOUND_CENTRE)


@cache
def _shipped() -> Callable[[np.ndarray], list[np.ndarray]]:
    """The trained network: patches (N, 1, 64, 64) to similarities (N, 4) and logits (N,)."""
    from safetensors.numpy import load

    folder = files("facette.images.faces").joinpath("weights")
    state = load(folder.joinpath(WEIGHTS).read_bytes())
    floats = {name: array for name, array in state.items() if array.dtype == np.float32}
    try:
        return open_graph(folder.joinpath(GRAPH).read_bytes(), floats, KEY)
    except Unserved:
        return _by_torch(state)


def _by_torch(state: dict[str, np.ndarray]) -> Callable[[np.ndarray], list[np.ndarray]]:
    import torch

    from facette.images.faces.frame_network import FrameRegressor

    network = FrameRegressor()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    network.eval()

    def look(patches: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            return [part.numpy() for part in network(torch.from_numpy(patches))]

    return look
