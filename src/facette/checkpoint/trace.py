"""A model's networks as graphs without weights, which run without torch.

Enters: a TrainedModel, of which only the layers matter. Leaves: files named by their keys (`graph_files`). Tracing
takes seconds, needs the packages of the extra `export`, and is done once for a recipe: the shipped recipes' graphs
travel in the package, others are kept in this user's cache, never beside a model's weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facette.checkpoint.export import quiet
from facette.checkpoint.graph_files import (
    Network,
    cached_graphs,
    find_cached,
    find_shipped,
    graph_key,
    keep_in_cache,
)
from facette.errors import UsageError, import_extra
from facette.files import write_atomically
from facette.model.band import with_mask
from facette.model.sharpener import Sharpener
from facette.model.trained import TrainedModel
from facette.model.vae import VAE, data_shape
from facette.onnx_graph import KEY

_EXAMPLE = 2  # pictures; a batch of 1 would be taken for the only one there is
ELSEWHERE = "weights"  # where a graph says its weights are; they are handed over when it is opened


def keep_graphs(model: TrainedModel, folder: Path | None = None) -> list[Path]:
    """Trace the networks of a model that have no graph yet; returns the new files, in this user's cache.

    `folder`: put them there instead, by their keys, as for the package. Models of vectors have none, nor those with
    networks of one's own. Raises MissingExtraError where ONNX is not installed, UsageError where they cannot be
    written.
    """
    if model.input.kind == "vector" or model.recipe.model.own:
        return []
    recipe, written = model.recipe.model_dump(mode="json", exclude_none=True), []
    for network, layers, example in _networks(model):
        key = graph_key(network, recipe)
        if find_shipped(key) or (folder is None and find_cached(key)):
            continue
        content = trace(layers, example, key)
        try:
            if folder is None:
                written.append(keep_in_cache(key, content))
            else:
                write_atomically(folder / f"{key}.onnx", content)
                written.append(folder / f"{key}.onnx")
        except OSError as error:
            place = folder or cached_graphs()
            raise UsageError(f"cannot write graphs to {place}: {error.strerror or error}") from error
    return written


def trace(network: nn.Module, example: tuple[Tensor, ...], key: str) -> bytes:
    """The network as a graph for any number of rows, with `key` in its record and none of its weights.

    The same layers give the same bytes, whatever their weights. Raises MissingExtraError where ONNX is not installed.
    """
    for module in ("onnx", "onnxscript"):
        import_extra(module, "export", "Tracing a network")
    network.eval()
    rows = torch.export.Dim("rows", min=1)
    with quiet():
        shapes = tuple({0: rows} for _ in example)
        program = torch.export.export(network, example, dynamic_shapes=shapes)
        # Not optimised: that would fold weights into constants. onnxruntime does it when it knows them.
        traced: Any = torch.onnx.export(program, verbose=False, optimize=False)
    graph = traced.model_proto
    _forget_weights(graph, set(network.state_dict()))
    graph.metadata_props.add(key=KEY, value=key)
    return graph.SerializeToString(deterministic=True)


class Encoding(nn.Module):
    """Pictures in the recipe's range to mean and scale. Its weights have their names in the model file."""

    def __init__(self, vae: VAE):
        super().__init__()
        self.vae = nn.Module()
        self.vae.encoder = vae.encoder
        self.encode = vae.encode

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.encode(pictures)
        return posterior.mean, posterior.scale


class Decoding(nn.Module):
    """Latents to the mean of p(x|z), in the recipe's range."""

    def __init__(self, vae: VAE):
        super().__init__()
        self.vae = nn.Module()
        self.vae.decoder = vae.decoder
        self.decode = vae.decode

    def forward(self, latents: Tensor) -> Tensor:
        return self.decode(latents)


class Sharpening(nn.Module):
    """That mean and its latents to sharp pictures, in the recipe's range."""

    def __init__(self, sharpener: Sharpener):
        super().__init__()
        self.sharpener = sharpener

    def forward(self, mean: Tensor, latents: Tensor) -> Tensor:
        return self.sharpener(mean, latents)


def _networks(model: TrainedModel) -> Iterator[tuple[Network, nn.Module, tuple[Tensor, ...]]]:
    """Each network of a model of pictures with an example of what it takes."""
    pictures, latents = torch.zeros(_EXAMPLE, *data_shape(model.recipe)), torch.zeros(_EXAMPLE, model.latent)
    yield "encoder", Encoding(model.vae), (with_mask(pictures) if model.vae.masked else pictures,)
    yield "decoder", Decoding(model.vae), (latents,)
    if model.sharpener is not None:
        yield "sharpener", Sharpening(model.sharpener), (pictures, latents)


def _forget_weights(model: Any, weights: set[str]) -> None:
    """Take the weights out, and the exporter's notes, among which are paths of this machine's files."""
    from onnx import TensorProto

    graph = model.graph
    graph.ClearField("value_info")
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    for initializer in graph.initializer:
        if initializer.name in weights:
            initializer.ClearField("raw_data")
            initializer.data_location = TensorProto.EXTERNAL
            initializer.external_data.add(key="location", value=ELSEWHERE)
