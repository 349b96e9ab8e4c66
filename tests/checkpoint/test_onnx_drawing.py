"""The model that draws without torch gives torch's numbers, or it is not served at all."""

from __future__ import annotations

import shutil
import sys
from itertools import product

import numpy as np
import pytest
import torch
from extras import needs

import facette
from facette.checkpoint.drawing import open_onnx
from facette.checkpoint.graph_files import NETWORKS, find_graph, graph_key, keep_in_cache, shipped_graphs
from facette.checkpoint.native import WEIGHTS, load_model
from facette.checkpoint.tensors import read_tensors, write_tensors
from facette.errors import CheckpointError, DataError
from facette.images.convert import to_model_array
from facette.latent import blend, edit, field, interpolate, sample, strip, traverse, vary
from facette.model.mixture_fit import fit_factor_mixture
from facette.model.prior import FactorMixturePrior, GaussianMixturePrior
from facette.model.trained import TrainedModel
from facette.model.vae import build_sharpener, build_vae
from facette.onnx_graph import Unserved
from facette.recipe import Recipe, SharpenSpec, load_recipe, shipped_recipes

needs("onnxruntime")
PICTURED = [name for name in shipped_recipes() if load_recipe(name).input.kind == "image"]
NEAR = 1e-4  # of values in the recipe's range, of latents


def random_model(recipe: Recipe) -> TrainedModel:
    """A model of random weights, none of them as it begins: norms have seen something, and the sharpener draws."""
    torch.manual_seed(0)
    model = TrainedModel(
        build_vae(recipe), recipe, sharpener=build_sharpener(recipe) if recipe.sharpen else None
    )
    for part in filter(None, (model.vae, model.sharpener)):
        for name, values in part.state_dict().items():
            if name.endswith("running_var"):
                values.uniform_(0.5, 2)
            elif values.is_floating_point():
                values.add_(0.02 * torch.randn_like(values))
    return model


def plain_json(recipe: Recipe) -> dict:
    return recipe.model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize("name", PICTURED)
def test_every_shipped_recipe_has_graphs_that_compute_what_torch_does(name, tmp_path):
    """So a change of the layers that leaves a graph behind is seen here."""
    model = random_model(load_recipe(name))
    drawer = open_onnx(facette.save(model, tmp_path / name))
    draws = np.random.default_rng(0)
    pictures = draws.integers(0, 256, (3, *model.input.shape, model.input.channels), dtype=np.uint8)
    latents = draws.standard_normal((3, model.latent), dtype=np.float32)
    posterior, known = drawer.encode(pictures), model.encode(pictures)
    scale = 1 + known.mean.abs().max().item()
    assert np.abs(posterior.mean - known.mean.numpy()).max() < NEAR * scale
    assert np.abs(posterior.scale / known.scale.numpy() - 1).max() < NEAR
    (drawn,) = drawer.decoder(latents)
    assert np.abs(drawn - model.plain().decode_float(torch.from_numpy(latents)).numpy()).max() < NEAR
    if drawer.sharpener is not None:
        (sharp,) = drawer.sharpener(drawn, latents)
        wanted = model.decode_float(torch.from_numpy(latents)).numpy()
        assert np.abs(wanted - drawn).max() > 0.01  # it does draw over
        assert np.abs(sharp - wanted).max() < NEAR
    assert (drawer.sharpener is None) == (model.sharpener is None)


@pytest.mark.parametrize("plain", [True, False])
def test_the_bundled_model_draws_the_same_variations_within_one_level(plain, drawn_faces):
    model, drawer = facette.load("faces128"), open_onnx("faces128", plain)
    made = vary(model.plain() if plain else model, drawn_faces[0], count=4, seed=3, details="model")
    graphed = vary(drawer, drawn_faces[0], count=4, seed=3, details="model")
    assert isinstance(graphed.latents, np.ndarray)
    np.testing.assert_allclose(graphed.latents, made.latents, atol=NEAR)
    gaps = np.abs(graphed.pictures.astype(int) - made.pictures)
    assert gaps.max() <= 1
    assert (gaps > 0).mean() < 0.001
    assert graphed.settings() == made.settings()


def test_each_picture_is_the_same_alone_as_among_others():
    drawer = open_onnx("faces128")
    latents = np.random.default_rng(0).standard_normal((5, drawer.latent), dtype=np.float32)
    assert (drawer.decode(latents, batch=2)[3] == drawer.decode(latents[3:4])[0]).all()


def test_what_travels_with_the_model_comes_along():
    drawer, model = open_onnx("faces128"), facette.load("faces128")
    assert drawer.name == model.name
    assert drawer.extras.keys() == model.extras.keys()
    name = "typicality.norm"
    assert np.array_equal(drawer.extras[name], model.extras[name].numpy())
    given = model.recipe.input
    assert (drawer.input.size, drawer.input.range, drawer.input.fit) == (given.size, given.range, given.fit)
    assert (drawer.input.frame.size, drawer.input.frame.box) == (given.frame.size, given.frame.box)
    assert drawer.input.frame.eyes == given.frame.eyes


def test_a_key_knows_everything_that_decides_what_is_computed_and_nothing_else():
    known = plain_json(load_recipe("faces64"))

    def keys(*overrides: str) -> list[str]:
        recipe = plain_json(load_recipe("faces64", overrides))
        return [graph_key(network, recipe) for network in NETWORKS]

    before = [graph_key(network, known) for network in NETWORKS]
    assert len(set(before)) == 3
    assert (
        keys("train.lr=0.5", "seed=9", "objective.beta=2.0", "name='other'", "model.prior.kind='vamp'")
        == before
    )
    assert [a == b for a, b in zip(keys("model.encoder.activation='relu'"), before, strict=True)] == [
        False,
        True,
        True,
    ]
    assert [a == b for a, b in zip(keys("model.decoder.output='tanh'"), before, strict=True)] == [
        True,
        False,
        True,
    ]
    assert [a == b for a, b in zip(keys("sharpen.condition=64"), before, strict=True)] == [True, True, False]
    for all_three in ("model.latent=64", "input.range='unit'", "input.size=32"):
        assert not set(keys(all_three)) & set(before)
    assert keys("model.posterior.scale='softplus'")[0] != before[0]
    assert keys("model.likelihood.sigma='predicted'")[1] != before[1]


def test_every_number_that_changes_a_sharpeners_layers_changes_its_key():
    """Asked of the section's own fields, so that a new one cannot be forgotten."""

    def layers_and_key(*overrides: str) -> tuple[str, str]:
        recipe = load_recipe("faces64", overrides)
        return repr(build_sharpener(recipe)), graph_key("sharpener", plain_json(recipe))

    before = layers_and_key()
    changed = []
    for name, known in SharpenSpec.model_fields.items():
        if isinstance(known.default, tuple):
            value = [8 * (n + 1) for n in range(len(known.default))] if name == "widths" else None
        else:
            value = 8 if isinstance(known.default, int) and not isinstance(known.default, bool) else None
        if value is not None:
            layers, key = layers_and_key(f"sharpen.{name}={value}")
            assert (layers != before[0]) == (key != before[1]), name
            changed += [name] * (layers != before[0])
    assert changed == ["widths", "full_width", "condition"]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder of this test's own."""
    monkeypatch.setenv("FACETTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_model_of_other_layers_is_never_served_by_a_graph_of_the_same_shapes(tmp_path, own_cache):
    """Another activation leaves every shape as it is; a graph under a wrong name is refused by the key inside it."""
    recipe = load_recipe("quick", ["model.encoder.activation='relu'"])
    folder = facette.save(random_model(recipe), tmp_path / "other")
    with pytest.raises(Unserved, match="no graph"):
        open_onnx(folder)
    stale = find_graph(graph_key("encoder", plain_json(load_recipe("quick"))))
    keep_in_cache(graph_key("encoder", plain_json(recipe)), stale)
    keep_in_cache(graph_key("decoder", plain_json(recipe)), stale)
    with pytest.raises(Unserved, match="written under the key"):
        open_onnx(folder)


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """A model of layers that no shipped recipe has, and a folder with its two graphs: a trace takes a second."""
    pytest.importorskip("onnxscript")
    from facette.checkpoint import trace

    recipe = load_recipe("quick", ["model.latent=5"])
    model, folder = TrainedModel(build_vae(recipe), recipe), tmp_path_factory.mktemp("traced")
    assert len(trace.keep_graphs(model, folder)) == 2
    return model, folder


def test_a_graph_that_lies_beside_a_model_is_never_opened(tmp_path, own_cache, traced):
    """A graph is a program: whoever sends a model sends numbers only."""
    model, graphs = traced
    folder = facette.save(model, tmp_path / "sent")
    shutil.copytree(
        graphs, folder / shipped_graphs().name
    )  # honest ones, and the layers are those of the model
    with pytest.raises(Unserved, match="no graph"):
        open_onnx(folder)


def test_the_reading_graph_of_a_hostile_folder_is_not_run(tmp_path, own_cache, shared, run, drawn_faces):
    """Its external data is a private file beside the photo; drawn pictures would show its bytes."""
    from PIL import Image

    hostile = shared / "cases" / "hostile" / "onnx_readfile_rel"
    if not hostile.is_dir():
        pytest.skip(f"there is no {hostile}")
    sent = tmp_path / "sent"
    shutil.copytree(hostile, sent)
    honest = tmp_path / "honest"
    honest.mkdir()
    shutil.copy(hostile / "model.safetensors", honest)
    Image.fromarray(drawn_faces[0]).save(tmp_path / "face.png")
    drawn = []
    for model, out in ((sent, "a.png"), (honest, "b.png")):
        ended = run("vary", "face.png", "--model", model, "--plain", "--no-align", "--count", 2, "-o", out)
        drawn.append((ended.code, (tmp_path / out).read_bytes() if (tmp_path / out).exists() else b""))
    assert drawn[0] == drawn[1]  # the weights decide, whatever graphs lie beside them


def test_a_cached_graph_that_changed_or_that_others_may_write_is_left_alone(own_cache):
    content, key = find_graph(graph_key("encoder", plain_json(load_recipe("quick")))), "0" * 24
    path = keep_in_cache(key, content)
    assert find_graph(key) == content
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Unserved):
        find_graph(key)
    path = keep_in_cache(key, content)
    path.parent.chmod(0o777)
    with pytest.raises(Unserved):
        find_graph(key)


PRIORS = [
    ["model.prior.kind=normal"],
    ["model.prior.kind=mixture", "model.prior.components=3"],
    ["model.prior.kind=vamp", "model.prior.components=3"],
    ["model.prior.kind=flow", "model.prior.layers=2"],
]


@pytest.mark.parametrize("rank", [0, 3], ids=["full", "factors"])
@pytest.mark.parametrize("changes", PRIORS, ids=lambda changes: changes[0].rpartition("=")[2])
def test_one_seed_draws_the_same_latents_with_and_without_torch(changes, rank, tmp_path):
    model = random_model(load_recipe("quick", changes))
    draws = torch.Generator().manual_seed(0)
    if rank:
        latents = 3 * torch.randn(400, model.latent, generator=draws)
        model.fitted_prior = fit_factor_mixture(latents, candidates=[4], rank=rank)
    else:
        model.fitted_prior = GaussianMixturePrior(model.latent, 4, spread=3.0, generator=draws)
    drawer = open_onnx(facette.save(model, tmp_path / "model"))
    for prior, temperature in product(("normal", "fitted"), (1.0, 0.6)):
        ours = drawer.sample_latents(40, 3, prior, temperature)
        theirs = model.sample_latents(40, 3, prior, temperature)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        assert np.abs(ours - drawer.sample_latents(40, 4, prior, temperature)).max() > 0.1
    assert drawer.fitted_prior.components == 4
    ours, theirs = (sample(one, 3, seed=1).pictures.astype(int) for one in (drawer, model))
    assert np.abs(ours - theirs).max() <= 1


DRAWN = {
    "edit": lambda model, photo: edit(model, photo, {"Smiling": 2, "Male": -1}, keep=["Young"]),
    "strip": lambda model, photo: strip(model, photo, "Young", (-2, 2), 3),
    "interpolate": lambda model, photo: interpolate(
        model, photo, photo[:, ::-1].copy(), steps=4, method="slerp"
    ),
    "equal steps": lambda model, photo: interpolate(
        model, photo, photo[:, ::-1].copy(), steps=4, equal_steps=True
    ),
    "field": lambda model, photo: field(model, [photo, photo[:, ::-1].copy()] * 2, 3, 3, "norm"),
    "blend": lambda model, photo: blend(model, photo, photo[:, ::-1].copy(), weights=[2, 1]),
    "traverse": lambda model, photo: traverse(model, photo, "axes", rows=2, steps=3),
    "sample": lambda model, photo: sample(model, 6, seed=2, temperature=0.7),
    "likeness": lambda model, photo: vary(model, photo, 3, likeness=0.5),
}


@pytest.fixture(scope="module")
def both_ways():
    return facette.load("faces128"), open_onnx("faces128")


@pytest.mark.parametrize("way", DRAWN)
def test_every_way_to_draw_agrees_with_torch_within_one_level(way, both_ways, drawn_faces):
    theirs, ours = (DRAWN[way](model, drawn_faces[3]) for model in both_ways)
    assert type(ours.latents) is np.ndarray
    np.testing.assert_allclose(ours.latents, theirs.latents, atol=1e-3 if way == "equal steps" else NEAR)
    gaps = np.abs(ours.pictures.astype(int) - theirs.pictures)
    assert gaps.max() <= 1
    assert ours.settings() == theirs.settings()


def test_the_component_that_is_responsible_is_the_one_that_torch_names():
    prior = GaussianMixturePrior(5, 4, spread=1.0, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    z = prior.sample(200, np.random.default_rng(0))
    means = prior.means[prior.responsibilities(z).argmax(dim=1)]
    np.testing.assert_allclose(prior.draws().centres(z.numpy()), means.detach())


@pytest.mark.parametrize(
    ("name", "shape", "sentence"),
    [
        ("fitted_prior.means", (4, 7), "its prior's 'means' is 4×7, not 4×16"),
        ("fitted_prior.log_scales", None, "its prior's 'log_scales' is not there, not 4×16"),
        ("fitted_prior.logits", (), "no weights of components"),
        ("fitted_prior.means", "nan", "not finite"),
        ("fitted_prior.common", (16, 15), "its prior's 'common' is 16×15, not 16×16"),
        ("fitted_prior.directions", (4, 3, 15), "its prior's 'directions' is 4×3×15, not 4×3×16"),
        ("fitted_prior.variances", (4, 3), "variances that are not positive"),
        ("fitted_prior.rest", (3,), "its prior's 'rest' is 3, not 4"),
    ],
)
def test_a_prior_that_does_not_fit_its_model_is_one_sentence(name, shape, sentence, tmp_path):
    recipe = load_recipe("quick")
    full = not name.endswith(("common", "directions", "variances", "rest"))
    prior = GaussianMixturePrior(16, 4) if full else FactorMixturePrior(16, 4, 3)
    model = TrainedModel(build_vae(recipe), recipe, prior)
    folder = facette.save(model, tmp_path / "model")
    tensors, header = read_tensors(folder / WEIGHTS)
    if shape is None:
        del tensors[name]
    else:
        tensors[name] = tensors[name] * torch.nan if shape == "nan" else torch.zeros(shape)
    write_tensors(folder / WEIGHTS, tensors, header)
    with pytest.raises(CheckpointError, match=sentence):
        open_onnx(folder)
    with pytest.raises(CheckpointError, match="prior"):
        load_model(folder)


def test_a_prior_that_nobody_knows_here_is_left_to_torch(tmp_path):
    recipe = load_recipe("quick")
    folder = facette.save(TrainedModel(build_vae(recipe), recipe), tmp_path / "model")
    tensors, header = read_tensors(folder / WEIGHTS)
    header["recipe"]["model"]["prior"] = {"kind": "logistic"}
    write_tensors(folder / WEIGHTS, tensors, header)
    with pytest.raises(Unserved, match="'logistic'"):
        open_onnx(folder)


def test_tracing_forgets_the_weights_and_serves_a_recipe_of_ones_own(tmp_path, own_cache, traced):
    from facette.checkpoint import trace

    second, graphs = traced
    first = random_model(second.recipe)
    folder = facette.save(first, tmp_path / "model")
    written = trace.keep_graphs(first)
    assert len(written) == 2
    assert trace.keep_graphs(second) == []  # what is there is left alone
    again = {path.stem: path.read_bytes() for path in graphs.iterdir()}
    for path in written:
        content = path.read_bytes()
        assert content == again[path.name.partition("-")[0]]  # the layers decide, not the weights
        assert len(content) < 30_000  # the network has 300,000 numbers
        assert b"/" + b"src/" not in content
    latents = np.random.default_rng(1).standard_normal((4, 5), dtype=np.float32)
    gap = open_onnx(folder).decode(latents).astype(int) - first.decode(torch.from_numpy(latents))
    assert np.abs(gap).max() <= 1


def test_where_it_cannot_serve_it_says_so(tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match="there is no model"):
        open_onnx("nobody")
    vectors = load_recipe("mixture3d")
    with pytest.raises(Unserved, match="not one of pictures"):
        open_onnx(facette.save(TrainedModel(build_vae(vectors), vectors), tmp_path / "points"))
    with pytest.raises(DataError, match="128×128×3"):
        open_onnx("faces128", plain=True).encode(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(DataError, match="N×384"):
        open_onnx("faces128", plain=True).decode(np.zeros((1, 3), np.float32))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Unserved, match="not installed"):
        open_onnx("faces128")


def test_a_damaged_model_is_one_sentence(tmp_path):
    folder = shutil.copytree(shipped_graphs().parent / "models" / "faces128", tmp_path / "copy")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=str(weights)):
        open_onnx(folder)


def test_no_graph_is_large_and_none_is_left_over():
    used = set()
    for name in PICTURED:
        recipe = plain_json(load_recipe(name))
        used |= {graph_key(n, recipe) for n in NETWORKS if n != "sharpener" or "sharpen" in recipe}
    assert {p.stem for p in shipped_graphs().glob("*.onnx")} == used
    assert sum(p.stat().st_size for p in shipped_graphs().iterdir()) < 360_000


def test_what_enters_a_graph_is_what_enters_the_network(drawn_faces):
    from facette.images.convert import to_model

    for range_ in ("unit", "symmetric"):
        assert np.array_equal(
            to_model_array(drawn_faces[:2], range_), to_model(drawn_faces[:2], range_).numpy()
        )
