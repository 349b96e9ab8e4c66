"""A model out of networks of one's own.

Enters: an encoder and a decoder, as classes, functions or networks, and a recipe for everything else. Leaves: an
untrained TrainedModel, which trains, saves, varies and samples like any other. The model file names the code and does
not hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from facette.code import Modules, module_that_has, modules_of, name_of
from facette.errors import UsageError
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae, check_networks
from facette.recipe import Recipe, load_recipe, parse_recipe
from facette.runtime import derive_seed

Network = nn.Module | Callable[..., nn.Module]


def build(
    *,
    encoder: Network,
    decoder: Network,
    latent: int,
    recipe: Recipe | str | Path = "quick",
    overrides: Iterable[str] = (),
    encoder_arguments: Mapping[str, Any] | None = None,
    decoder_arguments: Mapping[str, Any] | None = None,
    code: ModuleType | Iterable[ModuleType] | None = None,
) -> TrainedModel:
    """A model of these networks; `facette.train(model, data, run)` trains it.

    `encoder`: (N, C, H, W) in the recipe's range → (N, 2 · latent), means and then log variances. `decoder`:
    (N, latent) → (N, C, H, W). Each is a class or function of a module, called with its arguments, or a network whose
    class is called so again and then given its weights. `recipe` says all else: size, range, likelihood, training;
    `overrides` change it, as `input.size=64`. `code`: modules to look in besides those of the networks. Raises
    UsageError where a network cannot be found again by its name, does not take its arguments, or does not fit.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, tuple(overrides))
    networks = {"encoder": encoder, "decoder": decoder}
    arguments = {"encoder": dict(encoder_arguments or {}), "decoder": dict(decoder_arguments or {})}
    factories = {part: type(n) if isinstance(n, nn.Module) else n for part, n in networks.items()}
    data = recipe.model_dump(mode="json", exclude_none=True)
    data["model"] |= {"latent": latent} | {
        part: {"kind": "own", "name": name_of(factory), "arguments": arguments[part]}
        for part, factory in factories.items()
    }
    modules: Modules = (*modules_of(code), *(module_that_has(factory) for factory in factories.values()))
    built = parse_recipe(data, recipe.name).with_code(modules)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(built.seed, "weights"))
        vae = build_vae(built)
    for part, network in networks.items():
        if isinstance(network, nn.Module):
            _lend(network, getattr(vae, part), arguments[part])
    check_networks(vae, built)
    return TrainedModel(vae, built)


def _lend(network: nn.Module, copy: nn.Module, arguments: dict[str, Any]) -> None:
    try:
        copy.load_state_dict(network.state_dict())
    except RuntimeError as error:
        raise UsageError(
            f"{type(network).__name__} built with {arguments} is not the network that was given; name its arguments: "
            f"{error}"
        ) from None
