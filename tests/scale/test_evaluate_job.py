"""Measures merged from sums of shards are those of one pass over everything."""

from __future__ import annotations

import json

import numpy as np
import pytest

from facette.evaluation import evaluate
from facette.judges.attributes import extract
from facette.measures.distances import frechet_distance
from facette.scale import Evaluate, run_job
from facette.scale.figures import Collected, collect
from facette.scale.sums import Sums, _in_second_half, add_up

LIKELIHOOD = ("distortion", "rate", "elbo", "bits_per_dimension")
COLUMNS = ("mse", "unexplained_variance", "psnr", "ssim", "sharpness")


@pytest.fixture(scope="module")
def whole(collection, tmp_path_factory):
    """The collection without its damaged picture: then batches, and so the noise, are those of `evaluate`."""
    root = tmp_path_factory.mktemp("whole") / "pictures"
    root.mkdir()
    for path in sorted(collection.rglob("*.png")):
        if path.name != "070.png":
            (root / path.name).hardlink_to(path)
    return root


@pytest.fixture(scope="module")
def collected(whole, quick_run, tmp_path_factory):
    ended = run_job(
        quick_run, whole, Evaluate(seed=3), tmp_path_factory.mktemp("sums"), shard=64, device="cpu"
    )
    assert ended.collected is not None
    return ended


@pytest.fixture(scope="module")
def expected(whole, quick_model):
    return evaluate(quick_model, whole, split="all", seed=3, batch=64)


def test_figures_are_those_of_one_process(collected, expected):
    figures = collected.collected.figures
    for name in LIKELIHOOD:
        assert figures[name].value == pytest.approx(getattr(expected.bound, name).value, rel=1e-9)
    for name in COLUMNS:
        assert figures[f"plain.{name}"].value == pytest.approx(
            getattr(expected.reconstruction, name).value, rel=1e-9
        )
    assert "plain.attributes_kept" not in figures, "the judge of faces is silent on drawn ones"
    assert figures["posterior_scale"].value == pytest.approx(expected.latents.posterior_scale, rel=1e-5)


def test_latents_are_used_as_one_process_sees_it(collected, expected):
    found = collected.collected
    assert found.active == expected.latents.active
    np.testing.assert_allclose(found.activity, expected.latents.activity, rtol=1e-4)
    np.testing.assert_allclose(found.rate_per_unit, expected.latents.rate_per_unit, rtol=1e-4)


def test_distances_are_those_of_all_embeddings(collected, whole, quick_model):
    import facette

    store = facette.open_dataset(whole, quick_model.recipe.input)
    photos = store.read(np.arange(len(store)))
    second = _in_second_half(np.arange(len(photos)))
    assert 0.3 < second.mean() < 0.7
    first = extract(photos[~second]).features
    made = extract(quick_model.decode(quick_model.encode(photos[second]).mean)).features
    figures = collected.collected.figures
    assert figures["frechet.floor"].value == pytest.approx(
        frechet_distance(first, extract(photos[second]).features), rel=1e-4
    )
    assert figures["plain.frechet"].value == pytest.approx(frechet_distance(first, made), rel=1e-4)


@pytest.mark.slow
def test_the_second_stage_is_measured_too(drawn_faces, tmp_path):
    from PIL import Image

    (tmp_path / "drawn").mkdir()
    for number, picture in enumerate(drawn_faces[:20]):
        Image.fromarray(picture).save(tmp_path / "drawn" / f"{number:02d}.png")
    found = run_job(
        "faces128", tmp_path / "drawn", Evaluate(), tmp_path / "out", shard=64, device="cpu"
    ).collected
    expected = evaluate("faces128", drawn_faces[:20], batch=64)
    assert found is not None
    assert expected.sharpened is not None
    assert found.figures["sharpened.mse"].value == pytest.approx(expected.sharpened.mse.value, rel=1e-6)
    assert found.figures["sharpened.ms_ssim"].value == pytest.approx(
        expected.sharpened.ms_ssim.value, rel=1e-6
    )
    plain = run_job("faces128", tmp_path / "drawn", Evaluate(), tmp_path / "plain", plain=True, device="cpu")
    assert plain.collected is not None
    assert not any(name.startswith("sharpened") for name in plain.collected.figures)


def test_the_figures_do_not_depend_on_the_shards(collected, whole, quick_run, tmp_path):
    other = run_job(quick_run, whole, Evaluate(seed=3), tmp_path / "sums", shard=128, device="cpu").collected
    assert other is not None
    for name, figure in collected.collected.figures.items():
        assert other.figures[name].value == pytest.approx(figure.value, rel=1e-9), name


def parts_of(columns: np.ndarray, groups: int) -> list[Sums]:
    """Sums of shards that hold nothing but two columns and what every shard holds."""
    made = []
    for part in np.array_split(columns, groups):
        count = len(part)
        made.append(
            Sums(
                {
                    "pictures": np.array(float(count)),
                    "picture": np.zeros((2, 2, 3)),
                    "likelihood.rate": np.asarray(part[:, 0].sum()),
                    **{f"latent.{name}": np.zeros(3) for name in ("mean", "square", "rate", "scale")},
                    **{
                        f"photos.{half}.{name}": value
                        for half in ("first", "second")
                        for name, value in (
                            ("count", np.array(float(count))),
                            ("features", np.zeros(2)),
                            ("products", np.eye(2) * count),
                        )
                    },
                }
            )
        )
    return made


def collected_of(parts: list[Sums]) -> Collected:
    return collect(iter(parts), len(parts))


def test_intervals_cover_the_truth_as_often_as_they_say():
    draws = np.random.default_rng(0)
    covered = 0
    for _ in range(150):
        figure = collected_of(parts_of(draws.normal(5.0, 2.0, (300, 2)), 20)).figures["rate"]
        assert figure.low is not None
        assert figure.high is not None
        covered += figure.low <= 5.0 <= figure.high
    assert 0.88 < covered / 150 < 0.99


def test_few_shards_give_no_interval_and_many_are_gathered():
    values = np.random.default_rng(1).normal(5.0, 2.0, (600, 2))
    assert collected_of(parts_of(values, 4)).figures["rate"].low is None
    few, many = (collected_of(parts_of(values, n)).figures["rate"] for n in (50, 300))
    assert few.value == pytest.approx(many.value, rel=1e-12)
    assert few.high == pytest.approx(many.high, rel=1e-9)


def test_a_shard_without_a_readable_picture_changes_nothing():
    parts = parts_of(np.random.default_rng(3).normal(5.0, 2.0, (300, 2)), 10)
    whole, holed = collected_of(parts), collected_of([*parts[:4], Sums({}), *parts[4:]])
    assert holed.figures["rate"] == whole.figures["rate"]


def test_adding_does_not_depend_on_how_it_is_bracketed():
    parts = parts_of(np.random.default_rng(2).normal(size=(90, 2)), 9)
    whole, other = add_up(parts), add_up([add_up(parts[:4]), add_up(parts[4:])])
    assert whole.values.keys() == other.values.keys()
    for name, value in whole.values.items():
        np.testing.assert_allclose(value, other.values[name], rtol=1e-12)


def test_the_command_shows_the_figures_and_keeps_them(run, quick_run, whole, tmp_path):
    ended = run("evaluate-all", quick_run, whole, "--out", "e", "--shard", 128)
    assert ended.code == 0, ended.err
    assert "plain.unexplained_variance" in ended.out
    kept = json.loads((tmp_path / "e" / "evaluation.json").read_text("utf-8"))
    again = run("evaluate-all", quick_run, whole, "--out", "e", "--shard", 128, "--json").json
    assert again["shards_here"] == 0
    assert again["evaluation"]["figures"] == kept["figures"]
