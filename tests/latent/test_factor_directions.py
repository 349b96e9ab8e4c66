"""On generated faces the truth is known: a factor's direction moves that factor, as measured from the pictures."""

import numpy as np
import pytest
import torch

from facette.data.factor_labels import factor_labels
from facette.data.generated import FacesSource
from facette.data.synthetic import draw_faces
from facette.latent.cloud import encode_set
from facette.latent.directions import fit_directions
from facette.latent.edit import find_shift

MEASURABLE = {
    False: 0.62,
    True: 0.75,
}  # plain and orthogonalised: area under the curve from which a stick on pictures, or a direction in latents, counts
FACES = 60


class _Sticks:
    """For every factor a ridge regression from pixels, made from drawn pictures and never shown the model.

    The pictures are the store's even ones; directions are fitted to the odd ones. Of the same pictures both would
    share what chance has put into them, and directions that know nothing would seem to move their factor.
    """

    def __init__(self, store, fresh):
        from sklearn.linear_model import Ridge

        table, even = factor_labels(store.factors), store.indices()[::2]
        self.names, truth = table.names, (table.values[even] > 0).astype(float)
        self.regression = Ridge(alpha=200.0).fit(_flat(store.read(even)), truth)
        pictures, labels = fresh
        areas = _areas(labels.values > 0, self.measure(pictures))
        self.areas = dict(zip(self.names, areas, strict=True))

    def measure(self, pictures: np.ndarray) -> np.ndarray:
        """(N, A): higher where a picture shows more of it."""
        return self.regression.predict(_flat(pictures))


def _drawn(count: int, size: int):
    """Faces that neither the model nor a stick has seen."""
    source = FacesSource(count, seed=79)
    return draw_faces(count, size, seed=79).pictures, factor_labels(source.labels()[1])


def _flat(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1) / 255


def _areas(truth: np.ndarray, said: np.ndarray) -> list[float]:
    from sklearn.metrics import roc_auc_score

    return [
        roc_auc_score(column, score) if column.any() and not column.all() else 0.5
        for column, score in zip(truth.T, said.T, strict=True)
    ]


def _moved(model, store, orthogonal: bool) -> dict[str, tuple[float, float]]:
    """For each factor that both the latents and the sticks can tell: share of faces moved the right way, mean move."""
    fresh = _drawn(3 * FACES, model.recipe.input.size)
    sticks = _Sticks(store, fresh)
    table, odd = factor_labels(store.factors), store.indices()[1::2]
    posterior = encode_set(model, store.read, odd)
    made, _ = fit_directions(posterior, table.values[odd], table.names, orthogonal=orthogonal)
    known = [
        n
        for n, quality in zip(made.names, made.quality, strict=True)
        if min(quality.auc, sticks.areas[n]) >= MEASURABLE[orthogonal]
    ]
    means = model.encode(fresh[0][:FACES]).mean
    before = sticks.measure(model.decode(means))
    moved = {}
    for name in known:
        shift = find_shift(made, {name: 2}).latent
        change = sticks.measure(model.decode((means.numpy() + shift).astype(np.float32))) - before
        own = change[:, sticks.names.index(name)]
        moved[name] = (float((own > 0).mean()), float(own.mean()))
    return moved


def _factors(moved) -> set[str]:
    return {name.partition(":")[0] for name in moved}


def test_directions_of_true_factors_move_them(quick_model):
    """A model of sixty steps draws the broad strokes only; those move the right way in nearly every face."""
    import facette

    store = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    moved = _moved(quick_model, store, orthogonal=False)
    broad = {n: figures for n, figures in moved.items() if n.startswith(("skin_tone", "background_hue"))}
    assert len(broad) == 3
    for name, (share, mean) in broad.items():
        assert share >= 0.9, (name, share, mean)


@pytest.mark.slow
@pytest.mark.parametrize("orthogonal", [False, True])
def test_directions_of_every_factor_that_shows_move_it(trained, orthogonal):
    model, store = trained
    moved = _moved(model, store, orthogonal)
    for name, figures in moved.items():
        print(name, figures)
    broad = {
        "skin_tone",
        "hair_colour",
        "hair_style",
        "yaw",
        "tilt",
        "background_hue",
        "clothes_hue",
        "light",
        "glasses",
        "hat",
    }
    fine = {"face_width", "hair_length", "eye_size", "facial_hair"}
    assert (broad if orthogonal else broad | fine) <= _factors(moved)
    for name, (share, mean) in moved.items():
        assert share >= 0.9, (name, share, mean)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The quick recipe with more latents and steps, on 3,000 generated faces: two minutes on one core."""
    import facette
    from facette.checkpoint.native import load_model
    from facette.recipe import load_recipe
    from facette.training import train

    recipe = load_recipe("quick", ["train.steps=1500", "model.latent=48", "train.mixture_components=[1]"])
    store = facette.open_dataset("synthetic-faces:3000", recipe.input)
    folder = tmp_path_factory.mktemp("trained")
    with torch.random.fork_rng(devices=[]):
        train(recipe, store, folder, device="cpu", source="synthetic-faces:3000")
    return load_model(folder), store
