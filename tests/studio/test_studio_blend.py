"""Between photos: what the slider shows is what lies on the way, and what is saved is what was shown."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from studio_page import (
    give,
    nothing_amiss,
    pictures,
    press,
    saved,
    set_to,
    sources,
    until_count,
    until_drawn,
    until_other,
    until_says,
)

from facette.latent import blend, interpolate
from facette.latent.points import decode_each, encode_each
from facette.studio.path_view import latent_between


@pytest.fixture(scope="module")
def here(open_studio, model):
    with open_studio(model, "faces64", pages=("blend",)) as one:
        yield one


@pytest.fixture(scope="module")
def photos(tmp_path_factory, drawn_faces):
    """Four pictures of nobody in the model's own frame, so that what a page takes in is known to the pixel."""
    folder = tmp_path_factory.mktemp("four")
    paths = [folder / f"{name}.png" for name in ("ada", "ben", "cleo", "dan")]
    for path, face in zip(paths, drawn_faces[10:14], strict=True):
        Image.fromarray(face).save(path)
    return paths


def put(page, photos) -> list[np.ndarray]:
    """Give the photos; returns them as the page took them in."""
    for number, photo in enumerate(photos, 1):
        give(page, f"blend-photo-{number}", photo)
        until_count(page, "#blend-taken", number)
    return pictures(page, "#blend-taken")


def test_the_slider_walks_from_photo_to_photo_and_the_film_is_the_way(
    visit, here, photos, drawn_faces, model, tmp_path, shot
):
    page = visit(here, "Blend")
    ends = put(page, photos[:2])
    assert np.array_equal(ends, drawn_faces[10:12])
    until_count(page, "#blend-steps-shown", 10)
    made = interpolate(model, *ends, steps=10)
    until_drawn(page, "#blend-steps-shown", made.pictures)
    shot(page, "blend")
    means, _ = encode_each(model, np.stack(ends))
    for key, mean in (("Home", means[0]), ("End", means[1])):
        before = sources(page, "#blend-picture")
        press(page, "#blend-place", key)
        until_other(page, "#blend-picture", before)
        until_drawn(page, "#blend-picture", [decode_each(model, mean[None])[0]])
    _holds_what_was_shown(page, made, tmp_path)
    assert "facette interpolate ada.png ben.png --steps 10 --path linear" in page.inner_text("#page-blend")

    before = sources(page, "#blend-steps-shown")
    page.get_by_label("Along the sphere").first.check()
    until_other(page, "#blend-steps-shown", before)
    round_way = interpolate(model, *ends, steps=10, method="slerp")
    until_drawn(page, "#blend-steps-shown", round_way.pictures)
    set_to(page, "#blend-steps", 3)
    until_count(page, "#blend-steps-shown", 3)
    page.get_by_label("Shortest in pictures").check()
    until_count(page, "#blend-steps-shown", 0)  # nothing slow is done unasked
    page.get_by_role("button", name="Find the shortest way").click()
    until_count(page, "#blend-steps-shown", 3)
    until_says(page, "#page-blend", "shorter than straight")
    nothing_amiss(page)


def _holds_what_was_shown(page, made, folder) -> None:
    """The sheet and both films that the page saves are of the pictures that it shows."""
    told = page.locator("#blend-taken figcaption").all_inner_texts()
    remark = " · ".join(words.partition(": ")[2].replace(", ", ": ", 1) for words in told)
    with Image.open(saved(page, "Save the sheet", folder)) as sheet:
        assert np.array_equal(np.asarray(sheet), np.asarray(replace(made, remark=remark).sheet().image))
    with Image.open(saved(page, "Save as GIF", folder)) as film:
        assert getattr(film, "n_frames", 1) == 18  # there and back, without both ends again
        first = np.asarray(film.convert("RGB").resize((64, 64)), float)
        assert np.abs(first - made.pictures[0]).mean() < 12
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(str(saved(page, "Save as MP4", folder))) as film:
        assert sum(1 for _ in film.decode(video=0)) == 18


@pytest.mark.slow
def test_four_photos_on_a_phone_make_a_field_and_one_face_and_each_can_be_left_out(
    visit, here, photos, model, shot
):
    page = visit(here, "Blend", width=390, height=844)
    page.get_by_role("button", name="A third and a fourth photo").click()
    corners = put(page, photos)
    shot(page, "blend-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("tab", name="Field of four").click()
    until_count(page, "#blend-field-shown", 25)
    for slider in ("#blend-across", "#blend-down"):
        before = sources(page, "#blend-field-picture")
        press(page, slider, "End")
        until_other(page, "#blend-field-picture", before)
    means, _ = encode_each(model, np.stack(corners))
    until_drawn(page, "#blend-field-picture", [decode_each(model, means[3:])[0]])
    shot(page, "blend-field-phone")

    page.get_by_role("tab", name="One face").click()
    set_to(page, "#blend-weight-2", -0.5)
    until_says(page, "#page-blend", "--weights 1,-0.5,1,1")
    made = blend(model, *corners, weights=(1, -0.5, 1, 1))
    until_drawn(page, "#blend-one-picture", [made.pictures[0]])
    before = sources(page, "#blend-one-picture")
    page.get_by_role("button", name="Leave photo 2 out").click()
    until_count(page, "#blend-taken", 3)
    until_other(page, "#blend-one-picture", before)
    made = blend(model, corners[0], corners[2], corners[3])
    until_drawn(page, "#blend-one-picture", [made.pictures[0]])
    until_count(page, "#blend-field-shown", 0)

    page.get_by_role("button", name="Leave photo 3 out").click()
    until_count(page, "#blend-taken", 2)
    set_to(page, "#blend-weight-4", -1)
    until_says(page, "body", "add up to nearly nothing")  # a sentence, and the page goes on
    set_to(page, "#blend-weight-4", 0.5)
    until_says(page, "#page-blend", "--weights 1,0.5")
    nothing_amiss(page)


def test_places_of_a_grid_lie_straight_between_its_latents():
    grid = np.random.default_rng(0).normal(size=(3, 4, 7)).astype(np.float32)
    for row, down in enumerate((0.0, 0.5, 1.0)):
        for column in range(4):
            found = latent_between(grid, column / 3, down)[0]
            assert torch.allclose(found, torch.tensor(grid[row, column]), atol=1e-5)
    middle = (grid[0, 0] + grid[0, 1] + grid[1, 0] + grid[1, 1]) / 4
    assert torch.allclose(latent_between(grid, 1 / 6, 0.25)[0], torch.tensor(middle), atol=1e-5)
    half = (grid[0, 1] + grid[0, 2]) / 2
    assert torch.allclose(latent_between(grid[:1], 0.5)[0], torch.tensor(half), atol=1e-5)
