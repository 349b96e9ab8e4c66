"""How long one photo's encoding and ten variations take in a process that is up, one way of it in each process.

    classic   as scripts do: plain layers, one decode after another, in contiguous memory
    torch     Facette's model where torch draws
    light     the same where onnxruntime does

Enters: a model file. Leaves: milliseconds (the median of the rounds), and how many pictures a second are encoded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measuring import arguments, write

COUNT, FACTOR = 10, 7.0


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("way", choices=("classic", "torch", "light"))
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--pictures", type=int, default=256, help="how many are encoded at once")
    asked = parser.parse_args()
    if asked.way == "classic":
        write(asked.out, {"ms": _milliseconds(classic(asked.model / "network.pth"), asked.rounds)})
        return
    model = opened(asked.model, asked.way)
    side = model.input.size
    pictures = np.random.default_rng(0).integers(0, 256, (asked.pictures, side, side, 3), dtype=np.uint8)
    figures = {"ms": _milliseconds(ours(model, pictures[:1]), asked.rounds)}
    model.encode(pictures[:64])
    began = time.perf_counter()
    model.encode(pictures)
    write(asked.out, figures | {"encoded_per_s": round(len(pictures) / (time.perf_counter() - began), 1)})


def classic(network: Path) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    saved = torch.load(network, weights_only=False)
    encoder, decoder = saved["encoder"].eval(), saved["decoder"].eval()
    photo = torch.rand(1, 3, saved["size"], saved["size"])

    @torch.no_grad()
    def run() -> list[Any]:
        mean, log_variance = encoder(photo).chunk(2, dim=1)
        deviation = torch.exp(0.5 * log_variance)
        draws = (mean + FACTOR * deviation * torch.randn_like(deviation) for _ in range(COUNT))
        return [(decoder(z)[0].permute(1, 2, 0).numpy() * 255).astype("uint8") for z in draws]

    return run


def opened(model: Path, way: str) -> Any:
    if way == "light":
        from facette.checkpoint.drawing import open_onnx

        return open_onnx(model, plain=True)
    import torch

    import facette

    torch.set_num_threads(1)
    return facette.load(model).plain()


def ours(model: Any, photo: np.ndarray) -> Callable[[], object]:
    def run() -> np.ndarray:
        posterior = model.encode(photo)
        noise = np.random.default_rng(1).standard_normal((COUNT, model.latent), np.float32)
        mean, scale = np.asarray(posterior.mean), np.asarray(posterior.scale)
        return model.decode(mean + FACTOR * scale * noise)

    return run


def _milliseconds(run: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds + 2):  # two for warming up
        began = time.perf_counter()
        run()
        taken.append(1000 * (time.perf_counter() - began))
    return round(median(taken[2:]), 2)


if __name__ == "__main__":
    main()
