"""A model file opened without torch, where that can be done.

Enters: what `load_model` takes. Leaves: an `OnnxModel`, or `Unserved` where only torch can serve: onnxruntime is not
installed, there is no graph for the model's layers, its prior is of an unknown kind, or it is not one of pictures. What
is wrong with a file is said by the same errors as torch's way raises. `load` takes torch where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError

from facette.checkpoint.check import check_extras
from facette.checkpoint.digest import verify_content
from facette.checkpoint.graph_files import NETWORKS, PREFIX, Network, find_graph, graph_key
from facette.checkpoint.locate import describe_model, find_model, open_tensors
from facette.condition import PlainCondition, width
from facette.errors import CheckpointError, import_extra
from facette.model.draws import FlowDraws, MixtureDraws, PriorDraws, fitted_mixture_of
from facette.model.onnx_model import OnnxInput, OnnxModel
from facette.onnx_graph import Graph, Unserved, can_run, open_graph

if TYPE_CHECKING:
    from facette.model.trained import TrainedModel

EXTRAS, FITTED, PRIOR = "extras.", "fitted_prior.", "vae.prior."  # of the names in the file

Arrays = dict[str, np.ndarray]


def load(
    source: str | Path, device: str = "cpu", code: ModuleType | Iterable[ModuleType] | None = None
) -> TrainedModel | OnnxModel:
    """A bundled model by name, a model folder, a run's folder, or a single .safetensors file.

    By torch where it is installed (`facette[train]`), on `device`: to train, to measure and to draw. Without it the
    model draws all the same, by onnxruntime on the CPU, with what `DrawingModel` promises.

    `code` holds the classes of a model with networks of its own; the file brings none and runs none.

    Raises CheckpointError when there is no such model, it is damaged, or it was written by a newer format, UsageError
    where it has networks of its own and comes without their code, and MissingExtraError for one that only torch can
    serve where that is not installed.
    """
    return open_to_draw(source, device) if find_spec("torch") is None else _by_torch(source, device, code)


def open_to_draw(source: str | Path, device: str = "cpu", plain: bool = False) -> TrainedModel | OnnxModel:
    """The same model to encode photos and decode latents, a few: without torch where that can be had, for torch alone
    takes longer to import than ten pictures to draw; `plain` leaves its second stage out. Raises as `load` does."""
    if device in ("auto", "cpu"):
        with suppress(Unserved):
            return open_onnx(source, plain)
    model = _by_torch(source, device)
    return model.plain() if plain else model


def open_onnx(source: str | Path, plain: bool = False) -> OnnxModel:
    """The model behind a bundled name, a folder, a run or a file; `plain` leaves its second stage out.

    Raises Unserved where torch must be used instead, and CheckpointError as `load_model` does.
    """
    path = find_model(source)
    header = describe_model(path)
    verify_content(path)
    if not can_run():
        raise Unserved("onnxruntime is not installed")
    recipe = header.get("recipe", {})
    if recipe.get("input", {}).get("kind") != "image":
        raise Unserved("the model is not one of pictures")
    try:
        with open_tensors(path, "np") as file:
            names = list(file.keys())
            extras = {n.removeprefix(EXTRAS): file.get_tensor(n) for n in names if n.startswith(EXTRAS)}
            latent = recipe["model"]["latent"]
            conditions = tuple(PlainCondition.of(each) for each in recipe["model"].get("condition", ()))
            told = sum(map(width, conditions))
            fitted = _state(file, names, FITTED)
            mixture = fitted_mixture_of(fitted, latent) if fitted else None
            components = 0 if mixture is None else mixture.components
            check_extras({name: extra.shape for name, extra in extras.items()}, latent, told, components)
            for name, extra in extras.items():
                _check_finite(name, extra)
            trained = _state(file, names, PRIOR)
            sharp = not plain and any(name.startswith(PREFIX["sharpener"]) for name in names)
            # onnxruntime takes as long to prepare a network as to draw ten pictures with it, and holds no lock.
            with ThreadPoolExecutor() as side_by_side:
                graphs = [
                    side_by_side.submit(open_graph, *_parts(network, recipe, file, names))
                    for network in NETWORKS
                    if network != "sharpener" or sharp
                ]
            networks = [graph.result() for graph in graphs]
            kind = recipe["model"].get("prior", {}).get("kind", "normal")
            return OnnxModel(
                recipe["name"],
                OnnxInput.of(recipe["input"]),
                latent + told,
                *networks,
                fitted_prior=mixture,
                prior=_prior(kind, trained, latent, networks[0]),
                extras=extras,
                metrics=header.get("metrics", {}),
                conditions=conditions,
            )
    except KeyError as error:
        raise Unserved(f"the recipe in {path} does not say {error}") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from None


def _by_torch(
    source: str | Path, device: str, code: ModuleType | Iterable[ModuleType] | None = None
) -> TrainedModel:
    import_extra("torch", "train", f"the model {str(source)!r}")
    from facette.checkpoint.native import load_model

    return load_model(source, device, code)


def _state(file: Any, names: list[str], prefix: str) -> Arrays:
    """The tensors whose names begin so, without that, as float32; they are finite."""
    state = {name.removeprefix(prefix): file.get_tensor(name) for name in names if name.startswith(prefix)}
    for name, values in state.items():
        _check_finite(prefix + name, values)
    return {name: values.astype(np.float32) for name, values in state.items()}


def _prior(kind: str, state: Arrays, latent: int, encoder: Graph) -> Callable[[], PriorDraws] | None:
    """What the model was trained with: made when it is drawn from, since few ask for it."""
    match kind:
        case "normal":
            return None
        case "mixture":
            return partial(MixtureDraws.of_state, state, latent)
        case "flow":
            return partial(FlowDraws.of_state, state, latent)
        case "vamp":
            return partial(_vamp, state, latent, encoder)
    raise Unserved(f"nothing but torch draws from a prior of kind {kind!r}")


def _vamp(state: Arrays, latent: int, encoder: Graph) -> MixtureDraws:
    """The mean of the posteriors at the pseudo-inputs."""
    mean, scale = encoder(np.ascontiguousarray(state["pseudo_inputs"]))
    moments = {"logits": state["logits"], "means": mean, "log_scales": np.log(scale)}
    return MixtureDraws.of_state(moments, latent)


def _parts(
    network: Network, recipe: dict[str, Any], file: Any, names: list[str]
) -> tuple[bytes, dict[str, np.ndarray], str]:
    """What `open_graph` takes for a network of the model."""
    key = graph_key(network, recipe)
    content = find_graph(key)
    weights = {name: file.get_tensor(name) for name in names if name.startswith(PREFIX[network])}
    # Counters, such as how many batches a norm has seen, are no part of what is computed.
    for name, values in weights.items():
        _check_finite(name, values)
    floats = {n: w.astype(np.float32) for n, w in weights.items() if np.issubdtype(w.dtype, np.floating)}
    return content, floats, key


def _check_finite(name: str, values: np.ndarray) -> None:
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise CheckpointError(f"its tensor {name[:80]!r} holds numbers that are not finite")
