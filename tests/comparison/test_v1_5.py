"""Stable Diffusion v1.5 itself, as far as it goes without its weights: every shape and every name of its networks.

The values below are those of the configuration files that are published with the checkpoint. Networks are built on
the meta device, which has shapes and no numbers; the slow proof loads a checkpoint of the full size through the very
code that loads the real one, from files whose numbers are all zero and take no room on disk.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from facette.comparison.checkpoint import find_checkpoint, missing_parts
from facette.comparison.diffusion import DiffusionSettings, latent_count, native_size

PARAMETERS = {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.6.0",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
UNET = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.6.0",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
VAE = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.6.0",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 512,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
TEXT = {
    "architectures": ["CLIPTextModel"],
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "dropout": 0.0,
    "eos_token_id": 2,
    "hidden_act": "quick_gelu",
    "hidden_size": 768,
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "projection_dim": 768,
    "vocab_size": 49408,
}
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
PROCESSOR = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}
CONFIGS = {
    "feature_extractor/preprocessor_config.json": PROCESSOR,
    "unet/config.json": UNET,
    "vae/config.json": VAE,
    "text_encoder/config.json": TEXT,
    "scheduler/scheduler_config.json": SCHEDULER,
}
# Names as the published files have them, with their shapes, one from every kind of layer.
NAMED = {
    "unet": {
        "conv_in.weight": (320, 4, 3, 3),
        "time_embedding.linear_1.weight": (1280, 320),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (320, 768),
        "down_blocks.2.attentions.1.transformer_blocks.0.ff.net.0.proj.weight": (10240, 1280),
        "mid_block.attentions.0.proj_in.weight": (1280, 1280, 1, 1),
        "up_blocks.3.resnets.2.conv_shortcut.weight": (320, 640, 1, 1),
        "conv_out.weight": (4, 320, 3, 3),
    },
    "vae": {
        "encoder.conv_in.weight": (128, 3, 3, 3),
        "encoder.down_blocks.1.resnets.0.conv_shortcut.weight": (256, 128, 1, 1),
        "decoder.up_blocks.0.upsamplers.0.conv.weight": (512, 512, 3, 3),
        "decoder.mid_block.attentions.0.group_norm.weight": (512,),
        "quant_conv.weight": (8, 8, 1, 1),
        "post_quant_conv.weight": (4, 4, 1, 1),
    },
    "text_encoder": {
        "embeddings.token_embedding.weight": (49408, 768),
        "embeddings.position_embedding.weight": (77, 768),
        "encoder.layers.11.mlp.fc1.weight": (3072, 768),
        "final_layer_norm.weight": (768,),
    },
}


def write_configs(folder: Path) -> Path:
    for name, content in {"model_index.json": INDEX, **CONFIGS}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2))
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, Any]:
    """The three networks as the configuration files describe them, without numbers."""
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from facette.comparison.loading import quiet

    folder = write_configs(tmp_path_factory.mktemp("v1-5"))
    with quiet(), torch.device("meta"):
        from diffusers import AutoencoderKL, UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        return {
            "unet": UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet")),
            "vae": AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae")),
            "text_encoder": CLIPTextModel(CLIPTextConfig.from_pretrained(folder / "text_encoder")),
        }


@pytest.mark.parametrize("name", PARAMETERS)
def test_shapes_and_names_are_those_of_the_published_checkpoint(networks, name):
    network = networks[name]
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]
    shapes = {
        key.removeprefix("text_model."): tuple(tensor.shape) for key, tensor in network.state_dict().items()
    }
    for tensor, shape in NAMED[name].items():
        assert shapes[tensor] == shape


def test_it_draws_512_pixels_from_16384_latents(networks):
    pipeline = type("Pipeline", (), {"unet": networks["unet"], "vae_scale_factor": 8})()
    assert native_size(pipeline) == 512
    assert latent_count(networks["vae"], 512) == 16_384


def test_its_configuration_alone_is_only_half_a_checkpoint(tmp_path):
    missing = missing_parts(write_configs(tmp_path), autoencoder_only=False)
    assert missing == [
        "safety_checker/config.json",
        "safety_checker/model.safetensors",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    assert "safety_checker/config.json" not in missing_parts(
        tmp_path, autoencoder_only=False, safety_checker=False
    )
    assert missing_parts(tmp_path, autoencoder_only=True) == ["vae/diffusion_pytorch_model.safetensors"]


@pytest.mark.slow
def test_a_checkpoint_of_the_full_size_goes_through_the_code_that_loads_the_real_one(tmp_path, networks):
    from facette.comparison.loading import load_diffusion, quiet

    folder = write_configs(tmp_path / "stable-diffusion-v1-5")
    with quiet():
        from tiny_pipeline import save_tokenizer

        save_tokenizer(folder / "tokenizer")
    stems = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
    for name, stem in stems.items():
        write_zeros(folder / name / f"{stem}.safetensors", networks[name].state_dict())
    found = find_checkpoint(str(folder), safety_checker=False)
    diffusion = load_diffusion(
        found, DiffusionSettings(prompt="a face"), torch.device("cpu"), safety_checker=False
    )
    for name, network in diffusion.networks.items():
        assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]
        assert not any(p.is_meta for p in network.parameters())
    assert (diffusion.size, diffusion.scheduler) == (512, "PNDMScheduler")


def write_zeros(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """A safetensors file of half-precision zeros with these names and shapes, as a hole in the disk."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + 2 * tensor.numel()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
