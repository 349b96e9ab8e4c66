"""A Stable Diffusion pipeline small enough for tests: real classes, real files, nothing downloaded.

The UNet and the text encoder are as their random initialisation leaves them. The autoencoder's weights are set by hand
so that it lets pictures through, because likeness means nothing behind an autoencoder that makes noise of everything:
SiLU(x) − SiLU(−x) = x, so channels that come in pairs of opposite sign pass a normalisation and an activation as they
are, and residual blocks that add nothing are no obstacle. What is left of the photo is its contrast, set to a constant.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

SIDE = 32  # pixels
CONTRAST = 0.5  # root mean square of what the autoencoder gives back, about that of a photo


def save_tiny_pipeline(folder: Path, seed: int = 0, safety_checker: bool = False) -> Path:
    """Write the pipeline as a checkpoint folder; returns it."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    torch.manual_seed(seed)
    checker, extractor = tiny_safety_checker() if safety_checker else (None, None)
    tokenizer = save_tokenizer(folder.parent / "tokenizer-files")
    pipeline = StableDiffusionPipeline(
        vae=tiny_autoencoder(),
        text_encoder=_text_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=_unet(),
        scheduler=PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.004,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            steps_offset=1,
        ),
        safety_checker=checker,
        feature_extractor=extractor,
        requires_safety_checker=safety_checker,
    )
    pipeline.save_pretrained(folder)
    return folder


@torch.no_grad()
def tiny_autoencoder() -> Any:
    """An AutoencoderKL of one resolution that lets pictures through."""
    from diffusers import AutoencoderKL

    vae = AutoencoderKL(
        block_out_channels=(8,),
        down_block_types=("DownEncoderBlock2D",),
        up_block_types=("UpDecoderBlock2D",),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=1,
        mid_block_add_attention=False,
        sample_size=SIDE,
        scaling_factor=1.0,
    )
    for name, weight in vae.named_parameters():
        if "conv2" in name or name.endswith("bias"):
            weight.zero_()
    for inside, channels in ((vae.encoder, 3), (vae.decoder, 4)):
        spread, gather = inside.conv_in.weight.zero_(), inside.conv_out.weight.zero_()
        for channel in range(min(channels, 3)):
            spread[2 * channel, channel, 1, 1], spread[2 * channel + 1, channel, 1, 1] = 1.0, -1.0
            gather[channel, 2 * channel, 1, 1], gather[channel, 2 * channel + 1, 1, 1] = CONTRAST, -CONTRAST
    vae.encoder.conv_out.bias[4:] = -12.0  # the logarithm of a posterior's variance: next to none
    for conv, outputs in ((vae.quant_conv, 8), (vae.post_quant_conv, 4)):
        conv.weight.copy_(torch.eye(outputs)[:, :, None, None])
    return vae.eval()


def _unet() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=SIDE,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
    )


def _text_encoder(tokenizer: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=77,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def save_tokenizer(folder: Path) -> Any:
    """A byte-pair tokenizer of letters, with a handful of merges, from files of its own."""
    from transformers import CLIPTokenizer

    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789,.'-"]
    merges = ["f a", "fa c", "fac e</w>"]
    words = [*letters, *(f"{one}</w>" for one in letters), *(one.replace(" ", "") for one in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    return CLIPTokenizer.from_pretrained(str(folder), model_max_length=77)


@torch.no_grad()
def tiny_safety_checker() -> tuple[Any, Any]:
    """A checker that flags everything, and the picture processor it needs."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessorPil

    config = CLIPConfig(
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 16,
        },
        text_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        projection_dim=16,
    )
    checker = StableDiffusionSafetyChecker(config)
    checker.concept_embeds_weights.fill_(-1.0)  # the threshold that every picture exceeds
    return checker, CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
