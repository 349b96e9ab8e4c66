"""Whether a model's dial keeps its word on photos that calibration did not see.

    python scripts/verify_dial.py MODEL DATA --photos 100

Enters: a calibrated model and photos of faces. Leaves: for both kinds of noise, the figures of `facette.dial.verify`.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from facette.data import open_dataset
from facette.dial.calibrate import judged_side, people_of
from facette.dial.verify import study
from facette.latent.inputs import resolve_model
from facette.latent.noise import Noise


def main() -> None:
    """The study of both kinds of noise, on stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--noise", choices=["people", "posterior"], action="append")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    model = resolve_model(asked.model)
    store = open_dataset(asked.data, model.input.model_copy(update={"size": judged_side(model)}))
    indices = np.sort(np.random.default_rng(asked.seed).permutation(store.indices("all"))[: asked.photos])
    people = people_of(store, indices)
    noises: list[Noise] = asked.noise or ["people", "posterior"]
    for noise in noises:
        found = study(model, store.read(indices), people, noise=noise, seed=asked.seed)
        sys.stdout.write("\n".join(found.lines()) + "\n")


if __name__ == "__main__":
    main()
