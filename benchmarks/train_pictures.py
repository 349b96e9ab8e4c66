"""Facette's side: the recipe that `facette train FOLDER` makes for the pictures, for so many seconds of the processor.

Nothing is set by hand but the length, which some trial steps tell; they count.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from plain_measuring import SAMPLES, asked_for, measured
from torch import Tensor

TRIED = 8  # steps that tell how long one takes


def main() -> None:
    asked = asked_for(__doc__)
    from facette.data.proposal import proposed
    from facette.images.convert import to_model, to_unit
    from facette.model.mixture_fit import fit_gaussian_mixture
    from facette.model.trained import TrainedModel
    from facette.recipe import Recipe
    from facette.runtime import Rank
    from facette.training.state import TrainState, fresh_state
    from facette.training.step import train_step

    with tempfile.TemporaryDirectory() as folder:
        for number, picture in enumerate(asked.train):
            values = picture[:, :, 0] if picture.shape[2] == 1 else picture
            Image.fromarray(values).save(Path(folder) / f"{number:06d}.png", compress_level=1)
        look = [folder]

        def recipe_of(steps: int) -> Recipe:
            return proposed(look, [f"train.steps={steps}", f"seed={asked.seed}"])

        trial = recipe_of(10_000)
        assert trial.input.kind == "image"
        assert (*trial.input.shape, trial.input.channels) == asked.train.shape[1:]
        draws, batch = np.random.default_rng(asked.seed), trial.train.batch

        def run(state: TrainState, recipe: Recipe, steps: int, until: float) -> int:
            """Steps taken."""
            for step in range(steps):
                if time.process_time() > until:
                    return step
                rows = draws.integers(len(asked.train), size=batch)
                train_step(state, state.vae, asked.train[rows], recipe, recipe.train.steps or 0, Rank(), None)
            return steps

        began = time.process_time()
        state = fresh_state(trial, torch.device("cpu"))
        state.vae.train()
        run(state, trial, 2, began + asked.seconds)
        tried = time.process_time()
        run(state, trial, TRIED, began + asked.seconds)
        each = (time.process_time() - tried) / TRIED
        steps = max(1, int((asked.seconds - (time.process_time() - began)) / each))
        recipe = recipe_of(steps)
    state = fresh_state(recipe, torch.device("cpu"))
    state.vae.train()
    taken = run(state, recipe, steps, began + asked.seconds)
    spent = time.process_time() - began
    vae = state.averaged.eval()
    assert recipe.input.kind == "image"
    range_, channels = recipe.input.range, recipe.input.channels

    def redraw(pictures: Tensor) -> Tensor:
        values = pictures if range_ == "unit" else pictures * 2 - 1
        return to_unit(vae.decode(vae.encode(values).mean), range_)

    fitting = time.process_time()
    with torch.no_grad():
        parts = [
            vae.encode(to_model(asked.train[i : i + 256], range_, channels=channels)).sample(
                generator=torch.Generator().manual_seed(i)
            )
            for i in range(0, len(asked.train), 256)
        ]
    prior = fit_gaussian_mixture(torch.cat(parts), candidates=recipe.train.mixture_components, seed=0)
    more = {"planned_steps": steps, "steps": taken, "fit_s": round(time.process_time() - fitting, 2)}
    model = TrainedModel(vae, recipe, fitted_prior=prior)
    latents = torch.as_tensor(model.sample_latents(SAMPLES, seed=asked.seed)).float()
    measured(asked, redraw, lambda _: to_unit(vae.decode(latents), range_), taken * batch, spent, more)


if __name__ == "__main__":
    main()
