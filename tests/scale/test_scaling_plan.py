"""The page that plans 100 million pictures says what the code does."""

from __future__ import annotations

import importlib.util
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import facette
from facette.data.names import NameTable
from facette.scale.run import SHARD
from facette.scale.tables import write_table

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def plan():
    path = REPOSITORY / "scripts" / "docs" / "scaling_plan.py"
    spec = importlib.util.spec_from_file_location("scaling_plan", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scaling_plan"] = module
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_fresh(plan):
    text = plan.PAGE.read_text("utf-8")
    assert plan.refreshed(text) == text, "run: python scripts/docs/scaling_plan.py"
    assert plan.refreshed(text.replace("| encode |", "| decode |")) == text


def test_shards_are_as_large_as_the_plan_says(plan):
    assert {name.removesuffix("-all"): size for name, size in plan.SHARD.items()} == SHARD


def test_a_table_takes_the_bytes_that_the_plan_says(plan, drawn_faces, tmp_path):
    model = facette.load("faces128")
    posterior = model.encode(drawn_faces)
    assert model.latent == plan.LATENTS
    for kind, bytes_each in ((np.float32, 4), (np.float16, 2)):
        columns = {
            "mean": posterior.mean.numpy().astype(kind),
            "scale": posterior.scale.numpy().astype(kind),
        }
        path = write_table(tmp_path / f"{bytes_each}.parquet", columns, {})
        share = path.stat().st_size / (len(drawn_faces) * 2 * plan.LATENTS * bytes_each)
        assert share == pytest.approx(
            plan.PARQUET_SHARE[bytes_each], rel=0.15
        )  # drawn faces, and few of them


def test_a_packed_store_and_a_listing_take_the_bytes_that_the_plan_says(plan, tmp_path):
    store = facette.open_dataset(
        "synthetic-faces:80", facette.load_recipe("faces64").input, tmp_path / "cache"
    )
    packed = sum(path.stat().st_size for path in store.path.iterdir())
    name = len(store.names[0])
    expected = 80 * (64 * 64 * 3 + plan.PACKED_EXTRA + name)
    assert packed == pytest.approx(expected, rel=0.01)
    (tmp_path / "names").mkdir()
    NameTable.of(f"{number:024d}" for number in range(1000)).save(tmp_path / "names")
    listed = sum(path.stat().st_size for path in (tmp_path / "names").iterdir())
    assert listed == pytest.approx(1000 * (plan.NAME + 8), rel=0.02)


def test_a_relative_takes_the_bytes_that_the_plan_says(plan, drawn_faces):
    from PIL import Image

    sizes = []
    for picture in drawn_faces[:100]:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=95, subsampling=0)
        sizes.append(buffer.tell())
    assert np.mean(sizes) == pytest.approx(plan.VARIATION_BYTES, rel=0.15)


def test_ten_times_the_pictures_take_ten_times_the_money(plan):
    def core_hours(pictures: int) -> list[float]:
        rows = re.findall(r"^\| [a-z][^|]*\| ([\d,]+) \|", plan.cost_table(pictures), flags=re.M)
        return [float(row.replace(",", "")) for row in rows]

    small, large = core_hours(10**9), core_hours(10**10)
    assert len(small) == len(plan.RATES)
    np.testing.assert_allclose(large, [10 * one for one in small], rtol=2e-3)
    assert plan.card_rate(plan.RATES[0]) <= plan.CARD_CORES * plan.DECODED
