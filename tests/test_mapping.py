"""A map as a Python call: what is in it, what it is worth, what it refuses."""

import numpy as np
import pytest

import facette
from facette.errors import UsageError


@pytest.fixture(scope="module")
def store(quick_model):
    return facette.open_dataset("synthetic-faces:256", quick_model.input)


@pytest.fixture(scope="module")
def drawn(quick_model, store):
    return facette.map(quick_model, store, method="pca", color="Smiling", count=100, seed=2)


def test_a_map_holds_what_it_shows(drawn, quick_model, store):
    chart = drawn.chart
    assert drawn.points.shape == (100, 2)
    assert [one.name for one in chart.columns] == list(store.attributes.names)
    chosen = [list(store.names).index(name) for name in chart.names]
    np.testing.assert_array_equal(chart.pictures, store.read(np.array(chosen)))
    posterior = quick_model.encode(chart.pictures)
    redrawn = quick_model.decode(posterior.mean).astype(int)
    assert np.abs(chart.reconstructions - redrawn).max() <= 1  # batches of another size round otherwise
    values = store.attributes.column("Smiling")[chosen]
    np.testing.assert_array_equal(chart.column.codes == 0, values == 1)
    latents = (posterior.mean / posterior.scale.mean(0)).numpy()
    far = np.linalg.norm(latents[:, None] - latents[None], axis=2) + 1e9 * np.eye(100)
    np.testing.assert_array_equal(chart.neighbours[:, 0], far.argmin(1))


def test_figures_are_shares_and_are_said(drawn):
    assert set(drawn.figures) == {
        "trustworthiness",
        "base_rate",
        "purity_in_latent_space",
        "purity_on_the_map",
    }
    assert all(0 <= value <= 1 for value in drawn.figures.values())
    assert f"{drawn.figures['purity_on_the_map']:.0%} on the map" in drawn.chart.remarks
    assert f"by chance {drawn.figures['base_rate']:.0%}" in drawn.chart.remarks


def test_unknown_labels_do_not_count(quick_model, store, drawn):
    from copy import copy

    from facette.data.attributes import AttributeTable

    values = store.attributes.values.copy()
    values[::3] = 0
    other = copy(store)
    other.attributes = AttributeTable(store.attributes.names, values)
    partly = facette.map(quick_model, other, method="pca", color="Smiling", count=100, seed=2)
    codes = partly.chart.column.codes
    assert (codes == 2).any()
    share = (codes == 0).sum() / (codes < 2).sum()
    assert partly.figures["base_rate"] == pytest.approx(min(share, 1 - share))
    np.testing.assert_array_equal(partly.points, drawn.points)


def test_a_saved_map_takes_new_data(quick_model, store, drawn, tmp_path):
    kept = drawn.save(tmp_path / "map.npz")
    later = facette.map(
        quick_model, store, onto=kept, count=None, place={"me": store.read(np.array([3]))[0]}, color="Smiling"
    )
    assert later.points.shape == (257, 2)
    places = dict(zip(later.chart.names, later.points, strict=True))
    for name, point in zip(drawn.chart.names, drawn.points, strict=True):
        np.testing.assert_array_equal(places[name], point)
    np.testing.assert_allclose(later.points[-1], places[store.names[3]], atol=1e-3 * np.ptp(drawn.points))
    np.testing.assert_array_equal(later.chart.ground, drawn.points)
    assert later.chart.placed == 1


def test_it_shows_itself_and_saves_by_ending(drawn, tmp_path):
    assert drawn._repr_png_().startswith(b"\x89PNG")
    for ending in ("png", "svg", "html", "npz"):
        assert drawn.save(tmp_path / "new" / f"map.{ending}").stat().st_size > 1000
    with pytest.raises(UsageError, match=r"map\.txt"):
        drawn.save(tmp_path / "map.txt")


def test_an_array_without_names_is_mapped_too(quick_model, store):
    plain = facette.map(quick_model, store.read(np.arange(20)), method="pca", reconstructions=False)
    assert plain.chart.names == tuple(str(n) for n in range(20))
    assert plain.chart.reconstructions is None
    assert set(plain.figures) == {"trustworthiness"}
    with pytest.raises(UsageError, match="no attributes"):
        facette.map(quick_model, store.read(np.arange(20)), method="pca", color="Smiling")


@pytest.mark.slow
def test_the_bundled_model_keeps_fair_hair_together(shared):
    """On the valid faces: neighbours share the colour of their hair far beyond chance, there and on the map."""
    drawn = facette.map(
        "faces128", shared / "celeba" / "faces128" / "valid", color="Blond_Hair", reconstructions=False
    )
    base = drawn.figures["base_rate"]
    assert base == pytest.approx(0.0945, abs=1e-4)
    assert drawn.figures["purity_in_latent_space"] > 3.5 * base
    assert drawn.figures["purity_on_the_map"] > 2.5 * base
    assert drawn.figures["trustworthiness"] > 0.8
