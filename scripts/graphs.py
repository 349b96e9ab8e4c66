"""Traces the networks of every shipped recipe of pictures, and the frame regressor, so that they run without torch.

    python scripts/graphs.py

Graphs that are there already are left alone; take one away to have it made anew, or raise `FORMAT` in
facette/checkpoint/graph_files.py when the layers of a recipe come to compute something else.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch

from facette.checkpoint.graph_files import shipped_graphs
from facette.checkpoint.tensors import write_atomically
from facette.checkpoint.trace import keep_graphs, trace
from facette.images.faces.find import PATCH
from facette.images.faces.frame_network import FrameRegressor
from facette.images.faces.frame_regressor import GRAPH, KEY
from facette.model.trained import TrainedModel
from facette.model.vae import build_sharpener, build_vae
from facette.recipe import load_recipe, shipped_recipes


def main() -> None:
    for name in shipped_recipes():
        recipe = load_recipe(name)
        if recipe.input.kind == "image":
            sharpener = build_sharpener(recipe) if recipe.sharpen else None
            model = TrainedModel(build_vae(recipe), recipe, sharpener=sharpener)
            for path in keep_graphs(model, shipped_graphs()):
                print(name, path.name, f"{path.stat().st_size:,} bytes")
    looking = Path(str(files("facette.images.faces"))) / "weights" / GRAPH
    if not looking.exists():
        write_atomically(looking, trace(FrameRegressor(), (torch.zeros(2, 1, PATCH, PATCH),), KEY))
        print(looking.name, f"{looking.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
