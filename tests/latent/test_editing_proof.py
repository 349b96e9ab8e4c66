"""The bundled model on real faces: edits as the attribute network sees them, paths as they were promised."""

import numpy as np
import pytest
import torch

import facette
from facette.judges.attributes import ATTRIBUTES, extract
from facette.latent import interpolate, reconstruct
from facette.latent.cloud import encode_set
from facette.latent.directions import fit_directions
from facette.latent.edit import find_shift
from facette.latent.worth import known_worth

FACES, FEWEST, STRENGTH = 200, 8, 2.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return facette.load("faces128")


@pytest.fixture(scope="module")
def store(model, shared):
    return facette.open_dataset(shared / "celeba" / "faces128", model.recipe.input)


@pytest.fixture(scope="module")
def fitted(model, store):
    """Directions as the bundled model has them, from the training faces: a minute on one core."""
    train = store.indices("train")
    posterior = encode_set(model, store.read, train)
    labels = store.attributes
    return fit_directions(posterior, labels.values[train], labels.names, method="both", orthogonal=True)[0]


@pytest.fixture(scope="module")
def before(model, store):
    """Means of 200 validation faces, what the network sees in their reconstructions, and how real faces differ."""
    valid = store.indices("valid")
    real = extract(store.read(valid))
    means = model.encode(store.read(valid[:FACES])).mean
    return means, extract(model.decode(means)), real


def test_an_edit_changes_what_it_says_and_says_what_it_changes(model, fitted, before):
    means, seen, real = before
    unit, centre = real.logits.std(0), real.features.mean(0)
    offered = [name for name, ways in known_worth(model).items() if "raise" in ways and ways["raise"].offered]
    assert len(offered) >= FEWEST
    for name in offered:
        shift, place = find_shift(fitted, {name: STRENGTH}), ATTRIBUTES.index(name)
        edited = extract(model.decode((means.numpy() + shift.latent).astype(np.float32)))
        moved = (edited.logits - seen.logits) / unit  # (200, 40), in deviations of each logit over real faces
        right, target, total = (moved[:, place] > 0).mean(), moved[:, place].mean(), np.abs(moved).mean(0)
        likeness = _cosines(edited.features - centre, seen.features - centre).mean()
        unnamed = {n: total[i] for i, n in enumerate(ATTRIBUTES) if n != name and n not in shift.notable}
        worst = max(unnamed, key=unnamed.__getitem__)
        print(
            f"{name}: right {right:.3f}, moved {target:.2f} (raw {moved[:, place].mean() * unit[place]:.2f}), "
            f"worst unnamed {worst} {unnamed[worst]:.2f}, {len(shift.notable)} named, likeness {likeness:.2f}"
        )
        assert right >= 0.9
        assert target > unnamed[worst]
        assert likeness > 0.6


def test_what_is_kept_moves_less_than_it_would_have(model, fitted, before):
    means, seen, real = before
    kept = ("Male", "Young")
    places = [ATTRIBUTES.index(name) for name in kept]
    for name in ("Heavy_Makeup", "Attractive"):
        moves = []
        for keep in ((), kept):
            latents = (means.numpy() + find_shift(fitted, {name: STRENGTH}, keep).latent).astype(np.float32)
            moved = (extract(model.decode(latents)).logits - seen.logits) / real.logits.std(0)
            moves.append(np.abs(moved.mean(0))[places])
            assert moved[:, ATTRIBUTES.index(name)].mean() > 0.25
        print(name, "moves", kept, "by", *moves)
        assert (moves[1] < moves[0]).all()


@pytest.mark.parametrize("method", ["linear", "slerp", "norm", "geodesic"])
def test_paths_between_real_faces_keep_their_promises(model, store, method):
    photos = store.read(store.indices("valid")[:6])
    kept = reconstruct(model, photos).pictures
    for first in (0, 2, 4):
        made = interpolate(
            model,
            photos[first],
            photos[first + 1],
            steps=10,
            method=method,
            equal_steps=True,
            details="model",
        )
        assert (made.pictures[0] == kept[first]).all()
        assert (made.pictures[-1] == kept[first + 1]).all()
        print(
            method, "unevenness", round(made.unevenness, 4), [(g.length, g.straight) for g in made.geodesics]
        )
        assert made.unevenness <= 0.15
        assert all(found.length <= found.straight for found in made.geodesics)


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return torch.nn.functional.cosine_similarity(torch.from_numpy(a), torch.from_numpy(b)).numpy()
