"""Looking at a picture through an affine map."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facette.images.similarity import apply, rotation_of, scale_of, similarity, similarity_between
from facette.images.warp import share_outside, warp


@pytest.fixture(scope="module")
def waves() -> Image.Image:
    """200×160, smooth enough for any resampling to keep."""
    y, x = np.mgrid[0:160, 0:200] + 0.5
    channels = [128 + 90 * np.sin(x / 17), 128 + 90 * np.sin(y / 13), 128 + 90 * np.sin((x + y) / 23)]
    return Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def expected(matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The same waves, drawn where the map says."""
    steps = [np.arange(side) + 0.5 for side in size]
    x, y = np.moveaxis(apply(matrix, np.stack(np.meshgrid(*steps), axis=-1)), -1, 0)
    return np.stack(
        [128 + 90 * np.sin(x / 17), 128 + 90 * np.sin(y / 13), 128 + 90 * np.sin((x + y) / 23)], -1
    )


def test_two_points_determine_the_similarity():
    source, target = ((69.0, 111.0), (107.0, 112.0)), ((300.0, 200.0), (310.0, 290.0))
    matrix = similarity_between(source, target)
    assert apply(matrix, source) == pytest.approx(np.array(target))
    assert scale_of(matrix) == pytest.approx(np.hypot(10, 90) / np.hypot(38, 1))
    assert np.linalg.det(matrix) > 0
    assert rotation_of(similarity(0, 1, 5, 5)) == pytest.approx(90)


def test_the_identity_changes_nothing(waves):
    assert (warp(waves, np.eye(3), waves.size) == np.asarray(waves)).all()


@pytest.mark.parametrize("degrees", [0, 17, -90, 160])
@pytest.mark.parametrize("scale", [0.31, 1.0, 1.7, 2.6])
def test_every_pixel_comes_from_where_the_map_says(waves, degrees, scale):
    turn = np.deg2rad(degrees)
    side = 40
    matrix = similarity(1, 0, 100.3, 80.6) @ similarity(scale * np.cos(turn), scale * np.sin(turn), 0, 0)
    matrix = matrix @ similarity(1, 0, -side / 2, -side / 2)
    assert share_outside(waves.size, matrix, (side, side)) == 0
    assert np.abs(warp(waves, matrix, (side, side)) - expected(matrix, (side, side))).max() < 4


def test_reductions_do_not_alias():
    board = (np.indices((600, 600)).sum(axis=0) % 2 * 255).astype(np.uint8)  # finest possible checks
    for scale in (2.5, 7.3, 14.0):
        turned = similarity(1, 0, 300, 300) @ similarity(scale * np.cos(0.3), scale * np.sin(0.3), 0, 0)
        seen = warp(Image.fromarray(board), turned @ similarity(1, 0, -12, -12), (24, 24)).astype(int)
        assert np.abs(seen - 127).max() < 12, scale


def test_beyond_the_picture_its_edge_goes_on():
    image = Image.fromarray(
        np.arange(40, 140, dtype=np.uint8).repeat(50).reshape(100, 50).T.copy()
    )  # 100 wide
    seen = warp(image, similarity(1, 0, -60, 10), (220, 20))
    assert (seen[:, :55] == 40).all()
    assert (seen[:, 165:] == 139).all()
    assert share_outside(image.size, similarity(1, 0, -60, 10), (220, 20)) == pytest.approx(
        120 / 220, abs=0.02
    )
    assert (warp(image, similarity(1, 0, 500, 10), (20, 20)) == 139).all()


def test_memory_depends_on_what_is_wanted_not_on_the_picture(waves):
    import tracemalloc

    far = similarity(400, 0, -8000, -8000)  # 40 pixels of 400 photo pixels each
    tracemalloc.start()
    assert warp(waves, far, (40, 40)).shape == (40, 40, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
