"""Between photos: what the slider shows is what lies on the way, and what is saved is what was shown."""

import io
import multiprocessing
import shlex
import time

import numpy as np
import pytest
from PIL import Image, ImageSequence
from studio_page import (
    PATIENCE,
    accented,
    commands,
    give,
    nothing_amiss,
    press,
    saved,
    set_to,
    until_count,
    until_drawn,
    until_given,
    until_holds,
    until_says,
)

from facette.latent import blend, interpolate
from facette.studio.path_view import latent_between


def put(page, photos) -> None:
    """Give the photos."""
    for number, photo in enumerate(photos, 1):
        give(page, f"blend-photo-{number}", photo)
        until_given(page, f"blend-photo-{number}", photo.name)


def test_the_slider_walks_from_photo_to_photo_and_the_film_is_the_way(
    visit, there, photos, drawn_faces, model, tmp_path, shot, run
):
    page = visit(there, "Blend")
    put(page, photos[:2])
    ends = drawn_faces[10:12]
    made = interpolate(model, *ends, steps=10)
    until_drawn(page, "#blend-steps-shown", made.pictures)
    shot(page, "blend")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator("#blend-picture img").bounding_box()["width"] >= 120
    page.set_viewport_size({"width": 1200, "height": 900})
    for key, end in (("Home", ends[0]), ("End", ends[1])):
        press(page, "#blend-place", key)
        until_drawn(page, "#blend-picture", [end])  # where a way begins and ends, it is the photo
    _holds_what_was_shown(page, photos, tmp_path, run)

    page.locator("#blend-more button").first.click()
    page.get_by_label("Round the middle").first.check()
    until_drawn(page, "#blend-steps-shown", interpolate(model, *ends, steps=10, method="slerp").pictures)
    set_to(page, "#blend-steps", 3)
    until_count(page, "#blend-steps-shown", 3)
    page.get_by_label("Shortest to the eye").check()
    until_count(page, "#blend-steps-shown", 0)  # nothing slow is done unasked
    page.get_by_role("button", name="Find the shortest way").click()
    page.locator("#blend-told progress:indeterminate").wait_for(timeout=PATIENCE)
    for scheme in ("dark", "light"):
        assert accented(page, "#blend-told progress:indeterminate", scheme), scheme
    page.click("#blend-stop")
    until_says(page, "#blend-told", "Stopped.")
    assert page.locator("#blend-told progress").count() == 0
    end = time.monotonic() + 5  # the words are there before the process has left
    while multiprocessing.active_children() and time.monotonic() < end:
        page.wait_for_timeout(50)
    assert multiprocessing.active_children() == [], "it goes on although it was stopped"
    page.get_by_role("button", name="Find the shortest way").click()
    until_count(page, "#blend-steps-shown", 3)
    until_holds(page, "#blend-offers", "shorter than straight")
    nothing_amiss(page)


def _holds_what_was_shown(page, photos, folder, run) -> None:
    """The sheet and the film that the page saves are those of its commands, and the film is a film."""
    files = {link: saved(page, link, folder) for link in ("Save the sheet", "Save as GIF")}
    kept = {link: path.read_bytes() for link, path in files.items()}
    places = {photo.name: str(photo) for photo in photos}
    for link, command in zip(files, commands(page, "#blend-command"), strict=True):
        words = [places.get(word, word) for word in shlex.split(command)[1:]]
        done = run(*words)
        assert done.code == 0, done.err
        assert files[link].read_bytes() == kept[link], link  # `run` writes into the same folder
    with Image.open(io.BytesIO(kept["Save as GIF"])) as film:
        frames = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
    assert len(frames) / (sum(frames) / 1000) >= 24


@pytest.mark.slow
def test_four_photos_on_a_phone_make_a_field_and_one_face_and_each_can_be_left_out(
    visit, there, photos, drawn_faces, model, shot
):
    page = visit(there, "Blend", width=390, height=844)
    page.get_by_role("button", name="A third and a fourth photo").click()
    put(page, photos)
    corners = drawn_faces[10:14]
    shot(page, "blend-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("tab", name="Field of four").click()
    until_count(page, "#blend-field-shown", 25)
    for slider in ("#blend-across", "#blend-down"):
        press(page, slider, "End")
    until_drawn(page, "#blend-field-picture", corners[3:])

    page.get_by_role("tab", name="One face").click()
    set_to(page, "#blend-weight-2", -0.5)
    until_holds(page, "#blend-one-command", "--weights 1,-0.5,1,1")
    until_drawn(page, "#blend-one-picture", [blend(model, *corners, weights=(1, -0.5, 1, 1)).pictures[0]])
    page.locator('.photo-box[data-input="blend-photo-2"]').get_by_role("button", name="Take it away").click()
    three = blend(model, corners[0], corners[2], corners[3])
    until_drawn(page, "#blend-one-picture", [three.pictures[0]])
    until_count(page, "#blend-field-shown", 0)
    page.locator('.photo-box[data-input="blend-photo-3"]').get_by_role("button", name="Take it away").click()
    set_to(page, "#blend-weight-4", -1)
    until_says(page, "body", "add up to nearly nothing")  # a sentence, and the page goes on at once
    set_to(page, "#blend-weight-4", 0.5)
    until_holds(page, "#blend-one-command", "--weights 1,0.5")
    nothing_amiss(page)


def test_other_faces_and_middles_have_commands_that_draw_the_same(visit, there, photos, group, tmp_path, run):
    page = visit(there, "Blend")
    give(page, "blend-photo-1", group)
    box = page.locator('.photo-box[data-input="blend-photo-1"]')
    box.get_by_role("button", name="Face 2").click()
    give(page, "blend-photo-2", photos[0])
    until_given(page, "blend-photo-2", photos[0].name)
    until_holds(page, "#blend-command", "--face 2,1")
    page.get_by_role("tab", name="One face").click()
    until_holds(page, "#blend-one-command", "--face 2,1")
    file = saved(page, "Save the sheet", tmp_path)
    kept, places = file.read_bytes(), {photo.name: str(photo) for photo in (group, photos[0])}
    words = [places.get(word, word) for word in shlex.split(commands(page, "#blend-one-command")[0])[1:]]
    done = run(*words)
    assert done.code == 0, done.err
    assert file.read_bytes() == kept
    nothing_amiss(page)


def test_the_field_that_the_page_saves_is_that_of_its_command(visit, there, photos, tmp_path, run, shot):
    page = visit(there, "Blend")
    page.get_by_text("Give two photos, three or four.").first.wait_for(timeout=PATIENCE)
    assert not page.locator("#blend-place").is_visible(), "a slider that turns nothing"
    page.get_by_role("button", name="A third and a fourth photo").click()
    put(page, photos[:2])
    page.get_by_role("tab", name="One face").click()
    page.locator("#blend-one-picture img").wait_for(timeout=PATIENCE)
    weights = [page.locator(f"#blend-weight-{number}") for number in (1, 2, 3, 4)]
    assert [weight.is_visible() for weight in weights] == [True, True, False, False]
    page.get_by_role("tab", name="Field of four").click()
    assert not page.locator("#blend-across").is_visible(), "a slider that turns nothing"
    put(page, photos)
    until_count(page, "#blend-field-shown", 25)
    assert page.locator("#blend-across").is_visible()
    shot(page, "blend-field")
    page.locator("#blend-field-more button").first.click()
    page.locator("#blend-field-way").get_by_label("Round the middle").check()
    until_holds(page, "#blend-field-command", "--path slerp")
    file = saved(page, "Save the sheet", tmp_path)
    kept, places = file.read_bytes(), {photo.name: str(photo) for photo in photos}
    (command,) = commands(page, "#blend-field-command")
    done = run(*(places.get(word, word) for word in shlex.split(command)[1:]))
    assert done.code == 0, done.err
    assert file.read_bytes() == kept
    page.get_by_role("tab", name="One face").click()
    assert all(weight.is_visible() for weight in weights)
    nothing_amiss(page)


def test_places_of_a_grid_lie_straight_between_its_latents():
    grid = np.random.default_rng(0).normal(size=(3, 4, 7)).astype(np.float32)
    for row, down in enumerate((0.0, 0.5, 1.0)):
        for column in range(4):
            found = latent_between(grid, column / 3, down)[0]
            assert np.allclose(found, grid[row, column], atol=1e-5)
    middle = (grid[0, 0] + grid[0, 1] + grid[1, 0] + grid[1, 1]) / 4
    assert np.allclose(latent_between(grid, 1 / 6, 0.25)[0], middle, atol=1e-5)
    half = (grid[0, 1] + grid[0, 2]) / 2
    assert np.allclose(latent_between(grid[:1], 0.5)[0], half, atol=1e-5)
