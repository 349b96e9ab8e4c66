"""A pipeline's weights under the names of the original Stable Diffusion code, as single files carry them.

The names are facts of that format: blocks are counted through instead of by level, and each network has a prefix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def save_single_file(pipeline: Any, path: Path) -> Path:
    """Write all weights of a Stable Diffusion pipeline into one file; returns its path."""
    tensors = {f"model.diffusion_model.{n}": t for n, t in _unet(pipeline.unet).items()}
    tensors |= {f"first_stage_model.{n}": t for n, t in _autoencoder(pipeline.vae).items()}
    text = {n.removeprefix("text_model."): t for n, t in pipeline.text_encoder.state_dict().items()}
    tensors |= {f"cond_stage_model.transformer.text_model.{n}": t for n, t in text.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


def _unet(unet: Any) -> dict[str, Tensor]:
    layers, last = unet.config.layers_per_block, len(unet.config.block_out_channels) - 1
    places = dict(UNET_ENDS)
    for level in range(last + 1):
        down, up = f"down_blocks.{level}", f"up_blocks.{level}"
        for j in range(layers):
            place = f"input_blocks.{(layers + 1) * level + j + 1}"
            places[f"{down}.resnets.{j}"], places[f"{down}.attentions.{j}"] = f"{place}.0", f"{place}.1"
        places[f"{down}.downsamplers.0.conv"] = f"input_blocks.{(layers + 1) * (level + 1)}.0.op"
        for j in range(layers + 1):
            place = f"output_blocks.{(layers + 1) * level + j}"
            places[f"{up}.resnets.{j}"], places[f"{up}.attentions.{j}"] = f"{place}.0", f"{place}.1"
        attends = hasattr(unet.up_blocks[level], "attentions")
        end = f"output_blocks.{(layers + 1) * level + layers}"
        places[f"{up}.upsamplers.0.conv"] = f"{end}.{2 if attends else 1}.conv"
    middle = ("resnets.0", "attentions.0", "resnets.1")
    places |= {f"mid_block.{part}": f"middle_block.{j}" for j, part in enumerate(middle)}
    return _renamed(unet.state_dict(), places, RESNET)


def _autoencoder(vae: Any) -> dict[str, Tensor]:
    last = len(vae.config.block_out_channels) - 1
    places = {}
    for half, blocks, level_of in (
        ("encoder", "down_blocks", lambda i: f"down.{i}"),
        ("decoder", "up_blocks", lambda i: f"up.{last - i}"),
    ):
        places[f"{half}.conv_norm_out"] = f"{half}.norm_out"
        for level in range(last + 1):
            for j in range(vae.config.layers_per_block + 1):
                places[f"{half}.{blocks}.{level}.resnets.{j}"] = f"{half}.{level_of(level)}.block.{j}"
        for j in (0, 1):
            places[f"{half}.mid_block.resnets.{j}"] = f"{half}.mid.block_{j + 1}"
    return _renamed(vae.state_dict(), places, {"conv_shortcut": "nin_shortcut"})


def _renamed(tensors: dict[str, Tensor], places: dict[str, str], inner: dict[str, str]) -> dict[str, Tensor]:
    """Tensors under their original names: the longest place that a name begins with, and a resnet's own layers."""
    renamed = {}
    for name, tensor in tensors.items():
        place = max((one for one in places if name.startswith(f"{one}.")), key=len, default="")
        rest = name[len(place) :].lstrip(".")
        if ".resnets." in name:
            layer, _, kind = rest.rpartition(".")
            rest = f"{inner.get(layer, layer)}.{kind}"
        renamed[f"{places[place]}.{rest}" if place else name] = tensor
    return renamed
