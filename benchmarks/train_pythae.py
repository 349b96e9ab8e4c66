"""pythae's side: its CelebA network and its training pipeline, from a folder of JPEGs. Runs in pythae's environment.

The pictures become one array and are divided by 255, as pythae's own script does it (examples/scripts/training.py).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Clock, Memory, arguments, write
from PIL import Image

SIZE = 64


class StopError(Exception):
    """The time that was given is over."""


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--steps", type=int, required=True, help="at most so many")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="at most so long, imports included"
    )
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    asked = parser.parse_args()
    clock = Clock(asked.began)
    with Memory() as memory, tempfile.TemporaryDirectory() as folder:
        model, losses = train(asked, clock, folder)
    figures = {"ends": clock.ends, "loss": losses, **memory.figures()}
    held_out = sorted((asked.pictures / "valid").glob("*.jpg"))
    if held_out:
        figures["validation"] = validate(model, load(held_out) / 255.0)
    write(asked.out, figures)


def train(asked: Any, clock: Clock, folder: str) -> tuple[Any, list[float]]:
    from pythae.models import VAE, VAEConfig  # type: ignore
    from pythae.models.nn.benchmarks.celeba import Decoder_Conv_AE_CELEBA, Encoder_Conv_VAE_CELEBA  # type: ignore
    from pythae.pipelines import TrainingPipeline  # type: ignore
    from pythae.trainers import BaseTrainerConfig  # type: ignore
    from pythae.trainers.training_callbacks import TrainingCallback  # type: ignore

    train_data = load(sorted((asked.pictures / "train").glob("*.jpg"))) / 255.0
    losses: list[float] = []

    class Watch(TrainingCallback):
        def on_train_step_end(self, training_config: Any, **_: Any) -> None:
            clock.step()
            if len(clock.ends) >= asked.steps or clock.now() > asked.seconds:
                raise StopError

    class Network(VAE):
        def loss_function(self, *given: Any) -> Any:
            found = super().loss_function(*given)
            losses.append(found[0].item())
            return found

    shape = VAEConfig(input_dim=(3, SIZE, SIZE), latent_dim=64)
    model = Network(shape, encoder=Encoder_Conv_VAE_CELEBA(shape), decoder=Decoder_Conv_AE_CELEBA(shape))
    config = BaseTrainerConfig(
        output_dir=folder,
        num_epochs=1_000_000,
        learning_rate=asked.lr,
        per_device_train_batch_size=asked.batch,
        no_cuda=True,
    )
    try:
        TrainingPipeline(model=model, training_config=config)(train_data=train_data, callbacks=[Watch()])
    except StopError:
        return model, losses[1:]  # the first is that of the trainer's trial before training
    raise AssertionError("a million epochs are over")


def load(files: list[Path]) -> np.ndarray:
    """JPEGs as uint8 (N, 3, 64, 64): the shorter side to 64, then the centre."""
    pictures = np.empty((len(files), 3, SIZE, SIZE), np.uint8)
    for row, file in enumerate(files):
        picture = Image.open(file).convert("RGB")
        scale = SIZE / min(picture.size)
        wide, high = (round(side * scale) for side in picture.size)
        left, top = (wide - SIZE) // 2, (high - SIZE) // 2
        picture = picture.resize((wide, high), Image.Resampling.BILINEAR).crop(
            (left, top, left + SIZE, top + SIZE)
        )
        pictures[row] = np.asarray(picture).transpose(2, 0, 1)
    return pictures


def validate(model: Any, pictures: np.ndarray) -> dict[str, float]:
    """Mean squared error of reconstructions from the posterior means, and the variance around the mean picture.

    Measured with the running averages of its norms and, since these are far behind after a short training, with the
    statistics of the batch too: the better one is what the network can do.
    """
    import torch

    x = torch.from_numpy(pictures).float()
    squared = {}
    for way in ("running", "batch"):
        model.train(way == "batch")
        with torch.no_grad():
            parts = [model.decoder(model.encoder(p).embedding)["reconstruction"] - p for p in x.split(64)]
        squared[way] = torch.cat(parts).square().mean().item()
    variance = (x - x.mean(0)).square().mean().item()
    return {"mse": min(squared.values()), "mse_running": squared["running"], "variance": variance}


if __name__ == "__main__":
    main()
