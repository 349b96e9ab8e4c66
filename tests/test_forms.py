"""Pictures of any form pass through the whole house: grey, transparent, rectangular, of 16 bits, and masked grey."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import facette
from facette.checkpoint.export import export_model
from facette.data.packed import ImageStore
from facette.errors import UsageError
from facette.form import spoken_form
from facette.images.convert import as_rgb, to_model, to_model_array, to_pictures, to_pictures_array
from facette.images.fit import fit_picture
from facette.images.open import open_image
from facette.latent.attributes import fit_attributes
from facette.latent.edit import edit
from facette.latent.photo import take_photo
from facette.recipe import ImageInput
from facette.training.batches import reader

COUNT = 48
TINY = ("model.latent=4", "model.encoder.widths=[16, 16]", "model.decoder.widths=[16, 16]", "train.steps=12",
        "train.batch=16", "train.validate_every=12", "train.preview_every=12", "train.save_every=12",
        "train.mixture_components=[1]")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A form of pictures: what the recipe says of it, and how a picture of it is drawn."""

    form: tuple[str, ...]
    shape: tuple[int, int, int]
    dtype: str = "uint8"
    pillow: str = "RGB"


KINDS = {
    "grey": Kind(("input.size=28", "input.channels=1"), (28, 28, 1), pillow="L"),
    "rgba": Kind(("input.size=32", "input.channels=4", "input.alpha=channel"), (32, 32, 4), pillow="RGBA"),
    "rectangle": Kind(("input.size=[96, 64]",), (96, 64, 3)),
    "deep": Kind(
        ("input.size=[24, 32]", "input.channels=1", "input.depth=16"), (24, 32, 1), "uint16", "I;16"
    ),
    "masked grey": Kind(("input.size=32", "input.channels=1", "input.alpha=mask"), (32, 32, 1), pillow="LA"),
}


def drawn(kind: Kind, seed: int, scale: int = 1) -> Image.Image:
    """A bright disc on a ramp, at `scale` times the size, transparent beside it where there is alpha; grey ones are
    real digits."""
    if kind.pillow == "L":
        digit = Image.fromarray((load_digits().images[seed] * (255 / 16)).astype(np.uint8))
        return digit.resize((kind.shape[1] * scale, kind.shape[0] * scale), Image.Resampling.BICUBIC)
    high, wide = (side * scale for side in kind.shape[:2])
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[:high, :wide] / max(high, wide)
    away = np.hypot(x - draws.uniform(0.2, 0.6), y - draws.uniform(0.2, 0.6))
    grey = 0.3 * x + 0.7 * np.clip(1.5 - 6 * away, 0, 1)
    if kind.dtype == "uint16":
        return Image.fromarray(np.round(grey * 65535).astype(np.uint16))
    colours = np.stack([grey, grey * draws.uniform(0.2, 1), grey * draws.uniform(0.2, 1)], axis=-1)
    values = np.dstack([colours, away < 0.25])
    return Image.fromarray(np.round(values * 255).astype(np.uint8)).convert(kind.pillow)


def opened(path: Path) -> Image.Image:
    """A picture of a file, which is closed again."""
    with Image.open(path) as image:
        image.load()
    return image


@dataclass(frozen=True, slots=True)
class Ran:
    """A folder of pictures of one kind, its store, and the model of a short run."""

    kind: Kind
    folder: Path
    store: ImageStore
    run: Path
    best: Path


@pytest.fixture(scope="module", params=KINDS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    kind = KINDS[request.param]
    folder = tmp_path_factory.mktemp("pictures")
    lines = ["name,light,kind"]
    for number in range(COUNT):
        picture = drawn(kind, number, scale=2)
        picture.save(folder / f"{number:02d}.png")
        lines.append(f"{number:02d}.png,{1 if number % 2 else -1},{'abc'[number % 3]}")
    (folder / "attributes.csv").write_text("\n".join(lines), "utf-8")
    recipe = facette.load_recipe("quick", [*kind.form, *TINY])
    store = facette.open_dataset(folder, recipe.input)
    assert isinstance(store, ImageStore)
    run = tmp_path_factory.mktemp("run")
    ended = facette.train(recipe, store, run)
    assert ended.model is not None
    return Ran(kind, folder, store, run, ended.model)


def test_the_store_and_the_model_keep_the_form(ran):
    pictures = ran.store.read(np.arange(5))
    assert pictures.shape == (5, *ran.kind.shape)
    assert pictures.dtype == ran.kind.dtype
    model = facette.load(ran.best)
    again = model.decode(model.encode(pictures).mean)
    assert again.shape == pictures.shape
    assert again.dtype == pictures.dtype
    assert opened(ran.run / "previews" / "step-0000012.png").mode == "RGB"


def test_what_is_hidden_is_drawn_without_being_seen(ran, tmp_path):
    model, photo, box = facette.load(ran.best), ran.folder / "00.png", (16, 24, 20, 16)
    if "input.alpha=mask" not in ran.kind.form:
        with pytest.raises(UsageError, match="hidden from it"):
            take_photo(model, photo, hide=[box])
        return
    scribbled = opened(photo)
    scribbled.paste((255, 255), (16, 24, 36, 40))
    scribbled.save(tmp_path / "scribbled.png")
    plain, *hidden = (
        take_photo(model, path, hide=boxes)
        for path, boxes in ((photo, ()), (photo, [box]), (tmp_path / "scribbled.png", [box]))
    )
    assert hidden[0].hidden is not None
    assert hidden[0].hidden[12:20, 8:18].all()  # the photo has twice the model's size
    gaps = [float(np.abs(hidden[0].mean - other.mean).max()) for other in (hidden[1], plain)]
    assert gaps[0] < 0.02 * gaps[1]  # whatever stands there
    still = facette.vary(model, hidden[1], count=1, diversity=0.0, side=64)
    scribble, drawn = (picture[24:40, 16:36] for picture in (still.photo, still.pictures[0]))
    assert scribble.min() > 200  # the photo is shown as it is
    assert np.abs(scribble.astype(int) - drawn).mean() > 20  # and the relative drawn anew
    seen = ~hidden[1].unseen(64)
    assert (still.photo[seen] == still.pictures[0][seen]).all()


def test_what_is_hidden_is_drawn_anew_in_the_whole_photo(ran, run, tmp_path):
    if "input.alpha=mask" not in ran.kind.form:
        pytest.skip("this model can be kept from seeing nothing")
    high, wide = (2 * side for side in ran.kind.shape[:2])
    photo = tmp_path / "photo.png"
    canvas = Image.fromarray(np.full((high, wide), 60, np.uint8))
    canvas.paste(255, (20, 20, 40, 40))
    canvas.save(photo)
    ended = run(
        *("vary", photo, "--model", ran.best, "--hide", "20,20,20,20", "-d", 0, "-n", 1, "--paste"),
        *("--out", tmp_path / "sheet.png"),
    )
    assert ended.code == 0
    before, after = (np.asarray(opened(path)) for path in (photo, tmp_path / "sheet-photo-01.png"))
    inside = np.zeros(before.shape, bool)
    inside[14:46, 14:46] = True  # and three of the model's pixels around the box
    assert (before[~inside] == after[~inside]).all()
    assert after[22:38, 22:38].mean() < 200


@pytest.mark.parametrize("details", ["photo", "model"])
def test_changes_go_into_the_whole_photo(ran, run, tmp_path, details):
    photo = tmp_path / "photo.png"
    shutil.copy(ran.folder / "00.png", photo)
    pasted = {}
    for factor in (0, 3):
        side = ("--side", 2 * max(ran.kind.shape[:2])) if details == "model" else ()
        ended = run(
            *(
                "vary",
                photo,
                "--model",
                ran.best,
                "-n",
                1,
                "-d",
                factor,
                "--paste",
                "--details",
                details,
                *side,
            ),
            *("--out", tmp_path / f"{factor}.png"),
        )
        assert ended.code == 0
        pasted[factor] = np.asarray(opened(tmp_path / f"{factor}-photo-01.png"))
    before = np.asarray(opened(photo))
    assert pasted[3].shape[:2] == before.shape[:2]
    assert (pasted[0] != pasted[3]).any()
    if details == "photo":
        assert pasted[3].shape == before.shape
        assert pasted[3].dtype == before.dtype
        if "input.alpha=mask" not in ran.kind.form:  # there, what was not seen is drawn
            assert (pasted[0] == before).all()


def test_every_tool_draws_in_the_form(ran, tmp_path):
    photo, other = ran.folder / "00.png", ran.folder / "01.png"
    for details in ("photo", "model"):
        result = facette.vary(ran.best, photo, count=2, diversity=0.0, details=details)
        assert result.pictures.shape[3:] == ran.kind.shape[2:]
        assert result.pictures.dtype == ran.kind.dtype
        wanted = result.photo if details == "photo" else result.reconstruction
        shown = result.pictures[0] == wanted  # factor 0 is the photo, or its reconstruction
        hidden = "input.alpha=mask" in ran.kind.form and details == "photo"  # what was not seen is drawn
        assert shown.mean() > 0.05 if hidden else shown.all()
    path = facette.vary(ran.best, photo, count=3, diversity=1.0).save(tmp_path / "sheet.png")
    assert opened(path).mode == "RGB"
    longest = max(ran.kind.shape[:2])
    large = facette.sample(ran.best, 2, seed=1, side=2 * longest)
    assert large.pictures.shape == (2, *(2 * side for side in ran.kind.shape[:2]), ran.kind.shape[2])
    assert large.pictures.dtype == ran.kind.dtype
    assert f"enlarged to {2 * longest}" in large.settings_of(0)["drawn"]
    way = facette.interpolate(facette.load(ran.best), photo, other, steps=3)
    assert way.pictures.shape[3:] == ran.kind.shape[2:]
    assert way.save(tmp_path / "way.gif").is_file()
    samples = facette.sample(ran.best, 4, seed=1)
    assert samples.pictures.shape == (4, *ran.kind.shape)
    files = samples.save_each(tmp_path / "each")
    kept = np.asarray(opened(files[0]))
    assert kept.dtype == ran.kind.dtype
    assert kept.reshape(ran.kind.shape).tolist() == samples.pictures[0].tolist()
    assert facette.reconstruct(ran.best, [photo, other]).pictures.shape == (2, *ran.kind.shape)
    labelled = tmp_path / "labelled"
    shutil.copytree(ran.best, labelled)
    fit_attributes(labelled, ran.store, split="all").save(labelled)
    edited = edit(labelled, photo, {"light": 1.0})
    assert edited.pictures.shape[3:] == ran.kind.shape[2:]
    assert (edited.pictures[0] != edited.photo).any()
    chart = facette.map(facette.load(ran.best), ran.store, method="pca", color="kind")
    assert chart.chart.shown == "kind"
    assert chart.save(tmp_path / "map.html").is_file()


def test_it_is_calibrated_at_its_own_size(ran, tmp_path):
    calibration = facette.calibrate(ran.best, ran.store, photos=2)
    assert calibration.curves == {}  # nobody judges who these are
    copy = calibration.save(ran.best, tmp_path / "copy")
    relatives = facette.vary(copy, ran.folder / "00.png", count=2, noise="people", diversity=1.0)
    assert relatives.pictures.shape[3:] == ran.kind.shape[2:]


def test_the_studio_shows_it(ran, tmp_path):
    """What its pages do at an event: a photo comes, the dial is let go, samples, an edit, a map."""
    pytest.importorskip("gradio", reason="the extra studio is not installed")
    from facette.studio.app import Studio
    from facette.studio.chart import draw_map
    from facette.studio.pages import edit as edit_page
    from facette.studio.pages import sample as sample_page
    from facette.studio.pages import vary as vary_page
    from facette.studio.varying import DETAILS, NOISES, reaches_of

    labelled = tmp_path / "labelled"
    shutil.copytree(ran.best, labelled)
    fit_attributes(labelled, ran.store, split="all").save(labelled)
    studio = Studio(facette.load(labelled), str(labelled))
    photo = studio.photos.put((ran.folder / "00.png").read_bytes(), "00.png")
    acts = vary_page._Acts(studio, reaches_of(studio.model))
    seen, _, _, drawn, *_ = acts.arrive(
        "tab", photo, next(iter(NOISES)), next(iter(DETAILS)), 50.0, 0, (), ()
    )
    assert seen.count("<img") == 2
    assert drawn.count("<img") >= 10
    assert (
        sample_page._Acts(studio)
        .show("tab", 4, next(iter(sample_page.PRIORS)), 1.0, 0, None)[0]
        .count("<img")
        == 4
    )
    shown, effects, _ = edit_page._changed(studio, "tab", photo, {"light": 1.0}, [])
    assert "<img" in shown
    assert effects
    _, chart = draw_map(studio.named.open(), str(ran.folder), "pca", COUNT, 0, lambda *words: None)
    assert len(chart.points) == COUNT


@pytest.mark.slow
def test_it_is_measured_and_exported(ran, tmp_path):
    pytest.importorskip("onnxscript")
    model = facette.load(ran.best)
    report = facette.evaluate(model, ran.store, split="all", importance_samples=0)
    assert report.bound.bits_per_dimension.value > 0
    exported = export_model(model, tmp_path / "exported", "onnx")
    assert exported.difference < 1e-4


@pytest.mark.slow
def test_the_commands_go_the_whole_way(ran, tmp_path, run):
    """From the folder to the card, as somebody would type it."""
    form = [word for change in (*ran.kind.form, *TINY) for word in ("--set", change)]
    model, folder, one, other = "model", str(ran.folder), *(str(ran.folder / f"0{n}.png") for n in range(2))
    ways = [
        ["prepare", folder, "--recipe", "quick", *form[: 2 * len(ran.kind.form)]],
        ["train", "quick", folder, "--out", model, *form],
        ["reconstruct", one, other, "--model", model],
        ["sample", "--count", "4", "--model", model, "--each", "samples"],
        ["vary", one, "--count", "3", "--model", model, "--each", "relatives"],
        ["interpolate", one, other, "--model", model, "--out", "way.gif"],
        ["map", model, folder, "--method", "pca", "--color", "kind", "--out", "map.png"],
        ["attributes", "fit", model, folder, "--split", "all"],
        ["edit", one, "kind:a=+1", "--model", model, "--each", "edited"],
        ["evaluate", model, folder, "--split", "all", "--out", "card"],
    ]
    for words in ways:
        ended = run(*words)
        assert ended.code == 0, (words, ended.err)
    for place in ("samples", "relatives", "edited"):
        for path in Path(place).iterdir():
            assert np.asarray(opened(path)).dtype == ran.kind.dtype, path


@pytest.mark.slow
def test_it_draws_without_torch_the_same(ran):
    pytest.importorskip("onnxscript")
    from facette.checkpoint.drawing import open_onnx
    from facette.checkpoint.trace import keep_graphs

    model = facette.load(ran.best)
    keep_graphs(model)
    light = open_onnx(ran.best)
    pictures = ran.store.read(np.arange(3))
    mean = np.asarray(light.encode(pictures).mean)
    np.testing.assert_allclose(mean, model.encode(pictures).mean.numpy(), atol=1e-4)
    level = np.iinfo(ran.kind.dtype).max / 255
    assert np.abs(light.decode(mean).astype(float) - model.decode(mean)).max() <= level


# ── one by one ───────────────────────────────────────────────────────────────────────────────────────────


def test_sixteen_bits_survive_from_the_file_to_the_loss(tmp_path):
    """Two pictures that are one at 8 bits stay two, exactly."""
    level = np.full((8, 8), 20_000, np.uint16)
    for name, step in (("a", 0), ("b", 100)):
        Image.fromarray(level + np.uint16(step)).save(tmp_path / f"{name}.png")
    recipe = facette.load_recipe(
        "quick", ["input.size=8", "input.channels=1", "input.depth=16", *TINY, "input.range=unit"]
    )
    store = facette.open_dataset(tmp_path, recipe.input)
    pictures = reader(store, recipe)(np.arange(2))
    assert pictures[:, 0, 0, 0].tolist() == [20_000, 20_100]
    x = to_model(torch.from_numpy(pictures), "unit", channels=1)
    assert (x[:, 0, 0, 0] * 65535).round().tolist() == [20_000, 20_100]
    shallow = facette.open_dataset(tmp_path, recipe.input.model_copy(update={"depth": 8}))
    assert len(set(shallow.read(np.arange(2))[:, 0, 0, 0].tolist())) == 1


@pytest.mark.parametrize("range_", ["unit", "symmetric"])
@pytest.mark.parametrize(("channels", "depth"), [(1, 8), (3, 8), (4, 8), (1, 16)])
def test_values_come_back_as_they_went_in(channels, depth, range_):
    white = 2**depth - 1
    levels = np.linspace(0, white, 64 * channels).round().astype(f"u{depth // 8}")
    pictures = levels.reshape(1, 8, 8, channels)
    x = to_model(pictures, range_, channels=channels)
    assert torch.equal(x, torch.from_numpy(to_model_array(pictures, range_, channels)))
    assert (to_pictures(x, range_, depth) == pictures).all()
    assert (to_pictures_array(x.numpy(), range_, depth) == pictures).all()


def test_what_nobody_sees_is_black_and_stays_out_of_the_rest():
    """Colours under full transparency are noise of whoever drew the picture: they reach neither store nor edge."""
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, :8] = (200, 100, 50, 255)
    pixels[:, 8:] = (0, 255, 0, 0)
    spec = ImageInput(size=8, channels=4, alpha="channel")
    picture = fit_picture(open_image(Image.fromarray(pixels), mode="RGBA").image, spec)
    visible = picture[picture[..., 3] > 32]
    assert np.abs(visible[:, :3].astype(int) - (200, 100, 50)).max() <= 3
    assert (picture[picture[..., 3] == 0] == 0).all()


def test_transparency_is_seen_on_a_checkerboard():
    clear = np.zeros((32, 32, 4), np.uint8)
    assert len(np.unique(as_rgb(clear, checkered=True))) == 2
    assert (as_rgb(clear) == 255).all()
    solid = np.full((4, 4, 4), 255, np.uint8)
    assert (as_rgb(solid, checkered=True) == 255).all()


def test_grey_is_repeated_and_16_bits_are_rounded():
    assert as_rgb(np.full((2, 2, 1), 7, np.uint8)).tolist() == np.full((2, 2, 3), 7).tolist()
    assert as_rgb(np.array([[[0], [65535], [257 * 9]]], np.uint16))[0, :, 0].tolist() == [0, 255, 9]


@pytest.mark.parametrize(("fit", "box"), [("cover", (20, 0, 80, 40)), ("squash", (0, 0, 100, 40))])
def test_a_rectangle_is_cut_in_its_own_proportions(fit, box):
    from facette.images.fit import crop_box

    assert crop_box((100, 40), ImageInput(size=(32, 48), fit=fit)) == box


def test_a_frame_of_a_rectangle_is_the_photo_at_any_side(tmp_path):
    """The photo's own pixels come back at its own side, so nothing is squeezed on the way."""
    kind = KINDS["rectangle"]
    drawn(kind, 3, scale=4).save(tmp_path / "photo.png")
    recipe = facette.load_recipe("quick", [*kind.form, *TINY])
    from facette.model.trained import TrainedModel
    from facette.model.vae import build_vae

    model = TrainedModel(build_vae(recipe), recipe)
    photo = take_photo(model, tmp_path / "photo.png")
    assert photo.own_side == 384
    whole = np.asarray(opened(tmp_path / "photo.png"))
    assert (np.rint(photo.frame(384) * 255) == whole).all()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("input.size=[8]", "[height, width]"),
        ("input.size=[8, 0]", "[height, width]"),
        ("input.channels=2", "input.channels is 2"),
        ("input.channels=4", "alpha 'channel'"),
        ("input.alpha=channel", "alpha 'channel'"),
        ("input.depth=16", "depth 16 is for grey"),
        ("input.depth=12", "input.depth is 12"),
    ],
)
def test_forms_that_do_not_exist_are_refused(override, said):
    with pytest.raises(facette.FacetteError) as refused:
        facette.load_recipe("quick", [override])
    assert said in str(refused.value)


def test_a_square_is_a_number_again():
    recipe = facette.load_recipe("quick", ["input.size=[32, 32]"])
    assert recipe.input.size == 32
    wide = facette.load_recipe("quick", ["input.size=[32, 48]"])
    assert "size = [\n    32,\n    48,\n]" in wide.to_toml()


@pytest.mark.parametrize(
    ("size", "channels", "depth", "words"),
    [(64, 3, 8, "64×64 RGB"), ([24, 32], 1, 16, "32×24 grey of 16 bits"), (64, 4, 8, "64×64 RGB and alpha")],
)
def test_a_form_is_said_as_people_write_it(size, channels, depth, words):
    assert spoken_form(size, channels, depth) == words
