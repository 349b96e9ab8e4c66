"""The map in the browser: whoever is picked is drawn, ways lead from one to the other, photos lie where they belong."""

import shlex

import numpy as np
import pytest
from PIL import Image
from studio_page import (
    LATE_END,
    MAPPED,
    PATIENCE,
    commands,
    give,
    keep,
    nothing_amiss,
    nothing_lost,
    picture,
    pictures,
    press,
    saved,
    sources,
    until_count,
    until_drawn,
    until_given,
    until_other,
    until_says,
)

from facette.errors import UsageError
from facette.latent import sample
from facette.latent.directions import known_directions
from facette.latent.paths import path
from facette.latent.points import decode_each, encode_each
from facette.studio.chart import chart_files, draw_map, methods, read_columns
from facette.studio.pages.map import STEPS
from facette.studio.pages.sample import ORDINARY

EDGE = 34  # pixels around the whole map, as in map.js
POINTS = "synthetic-faces:48"


@pytest.fixture(scope="module")
def trained():
    """The bundled model as torch computes it, which maps are drawn by."""
    import facette

    return facette.load("faces128")


@pytest.fixture(scope="module")
def drawn(trained, small_map):
    """The map of the model's own samples, as the page must show it."""
    return draw_map(trained, "", methods()[0], MAPPED, 0, lambda *told: None)


@pytest.fixture(scope="module")
def here(open_studio, model):
    with open_studio(model, "faces128", pages=("vary", "blend", "edit", "map", "sample")) as one:
        yield one


def until_ready(page, count: int) -> None:
    page.wait_for_selector(f'.latent-map[data-ready="{count}"]', timeout=PATIENCE)
    page.wait_for_timeout(200)  # a frame is drawn


def spot(page, points: np.ndarray, number: int) -> tuple[float, float]:
    """Where a point of the whole map is on the screen."""
    box = page.locator(".latent-map canvas").bounding_box()
    low, high = points.min(0), points.max(0)
    scale = min((box["width"] - 2 * EDGE) / (high - low)[0], (box["height"] - 2 * EDGE) / (high - low)[1])
    x, y = (points[number] - (low + high) / 2) * scale
    return float(box["x"] + box["width"] / 2 + x), float(box["y"] + box["height"] / 2 - y)


def lonely(points: np.ndarray) -> list[int]:
    """Points, those farthest from all others first: a pointer cannot miss them."""
    far = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(len(points))
    return np.argsort(-far.min(1)).tolist()


def test_faces_are_picked_joined_and_walked_between(visit, here, drawn, model, shot):
    walk, shown = drawn
    page = visit(here, "Map")
    until_ready(page, MAPPED)
    first, second, third = lonely(shown.points)[:3]
    page.locator(".latent-map canvas").scroll_into_view_if_needed()
    page.mouse.click(*spot(page, shown.points, first))
    until_says(page, "#map-picture", walk.name(first))
    until_drawn(page, "#map-picture", [decode_each(model, walk.latent(first))[0]])
    assert not page.locator("#map-place").is_visible()

    page.keyboard.down("Shift")
    page.mouse.click(*spot(page, shown.points, second))
    page.keyboard.up("Shift")
    until_count(page, "#map-way", STEPS)
    way = path(walk.latent(first)[0], walk.latent(second)[0], STEPS)
    until_drawn(page, "#map-way", decode_each(model, way))
    shot(page, "map")
    before = sources(page, "#map-picture")
    press(page, "#map-place", "End")
    until_other(page, "#map-picture", before)
    until_drawn(page, "#map-picture", [decode_each(model, walk.latent(second))[0]])

    before = sources(page, "#map-way")
    page.locator(".latent-map canvas").scroll_into_view_if_needed()
    page.mouse.move(*spot(page, shown.points, third))
    page.mouse.down()
    page.mouse.move(*spot(page, shown.points, first), steps=6)
    page.mouse.up()
    until_other(page, "#map-way", before)
    until_says(page, "#map-words", f"From {walk.name(third)} to {walk.name(first)}")
    ends = pictures(page, "#map-way")[:: STEPS - 1]
    assert np.array_equal(ends, decode_each(model, np.concatenate([walk.latent(third), walk.latent(first)])))
    nothing_amiss(page)


def test_a_face_of_the_map_goes_on_to_every_other_tab(visit, here, drawn, model, relatives, photograph):
    walk, shown = drawn
    page = visit(here, "Map")
    until_ready(page, MAPPED)
    number = lonely(shown.points)[0]
    page.locator(".latent-map canvas").scroll_into_view_if_needed()
    page.mouse.click(*spot(page, shown.points, number))
    face, name = decode_each(model, walk.latent(number))[0], f"face-{number}.png"
    until_drawn(page, "#map-picture", [face])

    def onward(act: str) -> None:
        page.get_by_role("tab", name="Map", exact=True).click()
        page.locator("#map-picture .look").click()
        page.get_by_role("dialog").get_by_role("button", name=act, exact=True).click()

    page.locator("#map-picture .look").click()
    offered = page.get_by_role("dialog").locator(".large-acts button").all_inner_texts()
    assert offered == ["Save", "More like it", "Edit it", "Blend it"]
    with page.expect_download() as waiting:
        page.get_by_role("dialog").get_by_role("button", name="Save", exact=True).click()
    assert waiting.value.suggested_filename == name
    with Image.open(waiting.value.path()) as file:
        assert np.array_equal(np.asarray(file), face)
    page.keyboard.press("Escape")
    onward("Edit it")
    until_given(page, "edit-photo", name)
    until_drawn(page, "#edit-picture", [face])
    onward("More like it")
    until_given(page, "vary-photo", name)
    until_drawn(page, "#vary-gallery", relatives(face).pictures)
    onward("Blend it")
    until_given(page, "blend-photo-1", name)
    give(page, "blend-photo-2", photograph)
    until_count(page, "#blend-steps-shown", 10)
    press(page, "#blend-place", "Home")
    until_drawn(page, "#blend-picture", [face])
    nothing_amiss(page)


def test_relatives_favourites_and_samples_go_on_to_the_map_and_to_a_blend(
    visit, here, model, relatives, anna, anna_face
):
    page = visit(here)
    give(page, "vary-photo", anna)
    ten = relatives(anna_face).pictures
    until_drawn(page, "#vary-gallery", ten)
    keep(page, 2)
    until_drawn(page, "#vary-pins", ten[2:3])
    wall = sample(model, 20, 0, temperature=ORDINARY).pictures
    ways = [
        ("Vary", "#vary-gallery", 4, ten[4], "anna-05.png"),
        ("Vary", "#vary-pins", 0, ten[2], ""),
        ("Sample", "#sample-wall", 6, wall[6], "sample-07.png"),
    ]
    for tab, place, number, face, name in ways:
        page.get_by_role("tab", name=tab, exact=True).click()
        look = page.locator(f"{place} .look").nth(number)
        name = name or page.locator(f"{place} a[download]").nth(number).get_attribute("download")
        look.click()
        page.get_by_role("dialog").get_by_role("button", name="Blend it", exact=True).click()
        until_given(page, "blend-photo-1", name)
        page.get_by_role("tab", name=tab, exact=True).click()
        look.click()
        page.get_by_role("dialog").get_by_role("button", name="Put it on the map", exact=True).click()
        until_says(page, "#map-picture", name)
        mean, _ = encode_each(model, face[None])
        until_drawn(page, "#map-picture", [decode_each(model, mean)[0]])
    page.get_by_role("tab", name="Sample", exact=True).click()
    page.locator("#sample-wall .look").nth(6).click()
    page.get_by_role("dialog").get_by_role("button", name="More like it", exact=True).click()
    page.get_by_text("All samples").wait_for(timeout=PATIENCE)
    nothing_amiss(page)


def test_arrow_keys_walk_the_map_and_a_photo_lies_beside_its_like(visit, here, drawn, model, tmp_path, shot):
    walk, shown = drawn
    page = visit(here, "Map")
    until_ready(page, MAPPED)
    page.locator(".latent-map canvas").focus()
    for _ in range(MAPPED):  # as far as it goes, whoever stands in between
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until_count(page, "#map-picture", 1)
    met = [decode_each(model, walk.latent(number))[0] for number in range(MAPPED)]
    seen = pictures(page, "#map-picture")[0]
    (number,) = [place for place, one in enumerate(met) if np.array_equal(one, seen)]
    assert (shown.points[:, 0] > shown.points[number, 0]).mean() < 0.2
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Enter")
    until_count(page, "#map-way", STEPS)

    photo = tmp_path / "visitor.png"
    Image.fromarray(shown.pictures[7]).save(photo)  # one that is on the map already
    give(page, "map-photo", photo)
    until_says(page, "#map-picture", "visitor.png")
    (placed,) = page.evaluate("JSON.parse(document.querySelector('.latent-map').dataset.placed)")
    assert np.abs(np.array([placed["x"], placed["y"]]) - shown.points[7]).max() < 1e-4
    assert np.array_equal(picture(placed["source"]), shown.pictures[7])
    mean, _ = encode_each(model, shown.pictures[7:8])
    until_drawn(page, "#map-picture", [decode_each(model, mean)[0]])
    colours = page.locator(".latent-map select option").all_inner_texts()
    assert colours == ["nothing", *(name.replace("_", " ") for name in known_directions(model).names)]
    page.get_by_label("Colour by").select_option(label="Young")
    until_says(page, ".map-legend", "more young than usual")
    shot(page, "map-photo")
    nothing_amiss(page)


def test_a_photo_that_looks_for_its_place_is_told_so_at_once_and_finds_it(visit, here, anna, shot):
    page = visit(here, script=LATE_END, locale="de-DE")
    give(page, "vary-photo", anna)
    page.locator("#vary-gallery .look").first.click(timeout=PATIENCE)
    page.locator("dialog .large-acts button", has_text="Auf die Karte setzen").click()
    until_ready(page, MAPPED)  # the photo waits for its map
    until_says(page, "#map-picture", "anna-01.png")
    give(page, "map-photo", anna)
    page.locator("#map-placing progress").wait_for(timeout=PATIENCE)
    assert "Der Platz des Fotos auf der Karte wird gesucht" in page.inner_text("#map-placing")
    (earlier,) = page.evaluate("JSON.parse(document.querySelector('.latent-map').dataset.placed)")
    assert earlier["name"] == "anna-01.png", "told when there is nothing to wait for any more"
    shot(page, "map-placing")
    until_says(page, "#map-picture", "anna.png")
    page.locator("#map-placing progress").wait_for(state="detached", timeout=PATIENCE)
    nothing_lost(page)


COULD_STOP = """() => {
  window.couldStop = false;
  const look = () => { couldStop ||= document.querySelector('#map-stop').checkVisibility(); };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true});
}"""


@pytest.mark.slow
def test_a_folder_is_mapped_saved_and_found_again_on_a_phone(
    visit, here, model, trained, run, tmp_path, shot
):
    page = visit(here, "Map", width=390, height=844, has_touch=True)
    until_ready(page, MAPPED)
    page.get_by_role("button", name="What to map").click()
    assert page.locator("#map-stop").is_hidden(), "there is nothing to stop"
    page.locator("#map-source textarea").fill(str(tmp_path / "nowhere"))
    page.get_by_role("button", name="Draw the map").click()
    until_says(page, "body", "there is no")
    page.locator("#map-source textarea").fill(POINTS)
    page.get_by_label("Projection").click()
    page.get_by_role("option", name="Principal components").click()
    page.evaluate(COULD_STOP)
    page.get_by_role("button", name="Draw the map").click()
    until_ready(page, 48)
    assert page.evaluate("couldStop"), "there is something to stop while it draws, however short that is"
    until_says(page, "#map-under", f"facette map faces128 {POINTS} --method pca --count 500 --seed 0")
    kept = saved(page, "Save the map", tmp_path / "page")
    assert run(*shlex.split(commands(page, "#map-under")[0])[1:]).code == 0
    assert (tmp_path / kept.name).read_bytes() == kept.read_bytes()
    walk, shown = draw_map(trained, str(kept), "pca", 0, 0, lambda *told: None)
    assert walk.settled == 48
    page.locator("#map-source textarea").fill(str(kept))
    page.get_by_role("button", name="Draw the map").click()
    page.wait_for_function("!document.querySelector('#map-under').innerText.includes('facette map')")
    until_ready(page, 48)
    page.locator(".latent-map canvas").scroll_into_view_if_needed()
    number = lonely(shown.points)[0]
    page.touchscreen.tap(*spot(page, shown.points, number))
    until_says(page, "#map-picture", walk.name(number))
    until_drawn(page, "#map-picture", [decode_each(model, walk.latent(number))[0]])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    canvas, face, under = (
        page.locator(place).bounding_box()
        for place in (".latent-map canvas", "#map-picture img", "#map-under")
    )
    assert canvas["y"] < face["y"] < under["y"], "the face that was picked stands right under the map"
    assert face["width"] > 0.9 * canvas["width"]
    assert page.locator(".map-said").inner_text().endswith("Draw ways, and a tap on another, walk there.")
    shot(page, "map-phone")
    nothing_amiss(page)


def test_points_that_are_not_there_are_refused_and_photos_move_nothing(drawn, model, drawn_faces):
    walk, shown = drawn
    for number in (-1, MAPPED):
        with pytest.raises(UsageError, match="no point"):
            walk.latent(number)
        with pytest.raises(UsageError, match="no point"):
            walk.name(number)
    mean, _ = encode_each(model, drawn_faces[10:11])
    (point,) = walk.projection.place(mean)
    after = walk.with_photo("ada.png", mean[0], point)
    assert (after.settled, after.name(MAPPED)) == (MAPPED, "ada.png")
    assert np.array_equal(after.latent(MAPPED), mean)
    assert np.array_equal(after.latent(3), walk.latent(3))
    (photo,) = after.placed
    assert np.array_equal(photo.point, point)
    assert np.array_equal(after.projection.points, shown.points)


def test_what_the_page_draws_from_says_where_each_face_is(drawn, model):
    walk, shown = drawn
    described, atlas = chart_files(model, walk, shown)
    assert sorted(atlas.slots) == list(range(MAPPED))
    assert len(described["names"]) == MAPPED
    columns = {one.name: one.codes for one in read_columns(model, walk)}
    directions = known_directions(model)
    means = np.concatenate([walk.latent(number) for number in range(MAPPED)])
    smiling = directions.scores(means)[:, directions.place("Smiling")] > 0
    assert np.array_equal(columns["Smiling"] == 0, smiling)
