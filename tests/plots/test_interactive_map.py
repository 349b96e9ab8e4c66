"""The page to walk in, opened in a real browser: what is drawn, what answers, and that nothing leaves the machine."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from facette.errors import MissingExtraError, UsageError
from facette.images.sheets.palette import ACCENTS, LIGHT
from facette.plots.interactive_map import map_page, save_map_page
from facette.plots.interactive_map.atlas import atlas_side, pack_atlas, slots_by_place
from facette.plots.maps import UNKNOWN, Chart, Column

COUNT, SIZE = 60, 32
HOSTILE = "</script><img src=x onerror=alert(1)>&\u2028.png"


def colour_of(number: int) -> tuple[int, int, int]:
    """Every picture is of one colour, told from all others also after WebP."""
    return (40 + 50 * (number % 5), 40 + 50 * (number // 5 % 5), 60 + 60 * (number // 25))


@pytest.fixture(scope="module")
def chart() -> Chart:
    rng = np.random.default_rng(0)
    # A grid, so that a test knows whom it points at; the last one is a photo that was put there.
    points = np.stack([np.arange(COUNT) % 10, np.arange(COUNT) // 10], axis=1).astype(np.float32)
    pictures = np.stack([np.full((SIZE, SIZE, 3), colour_of(n), np.uint8) for n in range(COUNT)])
    far = np.linalg.norm(points[:, None] - points[None], axis=2) + 100 * np.eye(COUNT)
    left = (points[:, 0] < 3).astype(np.uint8)
    return Chart(
        title="60 & more <of> them",
        subtitle="a grid",
        points=points,
        names=(HOSTILE, *(f"{n:03}.png" for n in range(1, COUNT))),
        neighbours=far.argsort(1, kind="stable")[:, :4].astype(np.int32),
        columns=(
            Column("right", ("right", "not right"), left),
            Column("hat", ("hat", "not hat", UNKNOWN), rng.integers(0, 3, COUNT).astype(np.uint8)),
        ),
        shown="right",
        pictures=pictures,
        reconstructions=255 - pictures,
        placed=1,
        remarks="Trustworthiness 1.000",
    )


@pytest.fixture(scope="module")
def shown(browser, chart, tmp_path_factory):
    """The page, open, with all it asked for and all it complained of."""
    path = save_map_page(chart, tmp_path_factory.mktemp("map") / "map.html")
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]", timeout=60_000)
    page.asked, page.complaints, page.address = asked, complaints, path.as_uri()
    yield page
    page.close()


@pytest.fixture
def walk(shown):
    """The page as it stands at first."""
    for press in ("#whole", "#move"):
        shown.click(press)
    shown.keyboard.press("Escape")
    shown.select_option("#colour", label="right")
    if shown.get_attribute("#faces", "aria-pressed") == "true":
        shown.click("#faces")
    shown.wait_for_timeout(200)
    return shown


def place(page, column: float, row: float) -> tuple[float, float]:
    """Where a point of the grid is on the screen: the whole map stands in the middle of its box."""
    box = page.locator("#map").bounding_box()
    step = max(9 / (box["width"] - 70), 5 / (box["height"] - 70))
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return middle[0] + (column - 4.5) / step, middle[1] - (row - 2.5) / step


def pixels(page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.locator("#map").screenshot())).convert("RGB")).astype(int)


def near(seen: np.ndarray, colour, by: int = 40) -> int:
    return int((np.abs(seen - np.array(colour)).max(2) <= by).sum())


def drawn_colour(page, locator) -> np.ndarray:
    """The colour in the middle of an element on the screen."""
    image = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
    return np.asarray(image.getpixel((image.width // 2, image.height // 2)))


def test_points_are_drawn_in_the_colours_of_their_groups(walk):
    seen = pixels(walk)
    rose, blue = (tuple(0.75 * np.array(ink) + 0.25 * np.array(LIGHT.paper)) for ink in ACCENTS[:2])
    assert near(seen, LIGHT.paper, 3) > seen.shape[0] * seen.shape[1] * 0.8
    assert near(seen, rose) > 300
    assert near(seen, blue) > 300
    x, y = place(walk, 1, 1)  # in the left group
    box = walk.locator("#map").bounding_box()
    spot = seen[
        round(y - box["y"]) - 2 : round(y - box["y"]) + 3, round(x - box["x"]) - 2 : round(x - box["x"]) + 3
    ]
    assert near(spot, blue) > 10


def test_another_column_colours_the_points_anew(walk, chart):
    before = pixels(walk)
    walk.select_option("#colour", label="hat")
    walk.wait_for_timeout(300)
    assert (np.abs(pixels(walk) - before).max(2) > 40).sum() > 200
    words = walk.locator("#legend li").all_inner_texts()
    counts = np.bincount(chart.columns[1].codes[:-1], minlength=3)
    assert [word.split("\n")[0].strip() for word in words] == ["hat", "not hat", UNKNOWN]
    for word, number in zip(words, counts, strict=True):
        assert f"{number} ·" in word


def test_pointing_at_a_dot_shows_the_picture_and_its_reconstruction(walk):
    walk.mouse.move(*place(walk, 4, 3))  # picture 34
    card = walk.locator("#card")
    card.wait_for(state="visible")
    assert "034.png" in card.inner_text()
    faces = card.locator(".face")
    assert faces.count() == 2
    assert np.abs(drawn_colour(walk, faces.nth(0)) - colour_of(34)).max() < 12
    assert np.abs(drawn_colour(walk, faces.nth(1)) - 255 + colour_of(34)).max() < 12
    walk.mouse.move(*place(walk, 4.5, 3.5))
    card.wait_for(state="hidden")


def test_a_click_lists_the_neighbours_and_they_can_be_picked_in_turn(walk, chart):
    walk.mouse.click(*place(walk, 4, 3))
    buttons = walk.locator("#neighbours button")
    assert buttons.count() == 4
    listed = [int(button.get_attribute("data-number")) for button in buttons.all()]
    assert listed == chart.neighbours[34].tolist()
    assert np.abs(drawn_colour(walk, buttons.nth(2)) - colour_of(listed[2])).max() < 12
    buttons.nth(2).click()
    assert walk.locator("#picked h2").inner_text() == chart.names[listed[2]]


def lasso(page, corners) -> None:
    page.click("#lasso")
    page.mouse.move(*place(page, *corners[0]))
    page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        page.mouse.move(*place(page, *corner), steps=4)
    page.mouse.up()
    page.locator("#chosen").wait_for(state="visible")


def test_a_lasso_makes_a_list_of_files(walk, tmp_path):
    lasso(walk, [(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)])
    wanted = ["011.png", "012.png", "021.png", "022.png"]
    assert walk.input_value("#chosen-names").split("\n") == wanted
    assert walk.inner_text("#chosen-count") == "4 chosen"
    assert "not right 100" in walk.inner_text("#chosen-apart")
    with walk.expect_download() as waiting:
        walk.click("#download")
    waiting.value.save_as(tmp_path / "chosen.txt")
    assert (tmp_path / "chosen.txt").read_text().split() == wanted
    walk.click("#copy")
    walk.wait_for_function("document.getElementById('copy').textContent === 'Copied'")
    walk.select_option(
        "#colour", label="hat"
    )  # the points are drawn in another order now; the chosen stay chosen
    assert walk.input_value("#chosen-names").split("\n") == wanted
    walk.click("#clear")
    walk.locator("#chosen").wait_for(state="hidden")


def test_a_group_of_the_legend_can_be_chosen(walk, chart):
    walk.locator("#legend button").nth(1).click()
    names = walk.input_value("#chosen-names").split("\n")
    assert names == [chart.names[i] for i in np.flatnonzero(chart.columns[0].codes[:-1] == 1)]


def test_names_of_files_never_become_markup(walk):
    walk.mouse.move(*place(walk, 0, 0))
    card = walk.locator("#card")
    card.wait_for(state="visible")
    assert HOSTILE.split("\u2028")[0] in card.inner_text()
    assert card.locator("img").count() == 0
    assert walk.locator("h1").inner_text() == "60 & more <of> them"


def test_faces_stand_on_the_map_none_over_another_and_the_placed_photo_always(walk):
    walk.click("#faces")
    for _ in range(3):
        walk.click("#farther")  # until the points stand closer than faces are wide
    walk.wait_for_timeout(400)
    assert abs(place(walk, 1, 0)[0] - place(walk, 0, 0)[0]) / 1.5**3 < 40
    boxes = [face.bounding_box() for face in walk.locator("#thumbnails .face").all()]
    corners = np.array([(box["x"], box["y"]) for box in boxes])
    gaps = np.abs(corners[:, None] - corners[None]).max(2) + 1000 * np.eye(len(corners))
    assert 5 < len(boxes) < COUNT
    assert gaps.min() > 46
    assert walk.locator("#thumbnails .placed").get_attribute("data-name") == "059.png"


def test_wheel_and_drag_move_the_map(walk):
    width = "Bokeh.documents[0].get_model_by_name('pan') && Bokeh.documents[0].roots()[0].x_range"
    before = walk.evaluate(f"[{width}.start, {width}.end]")
    walk.mouse.move(*place(walk, 4.5, 2.5))
    walk.mouse.wheel(0, -240)
    walk.wait_for_timeout(300)
    closer = walk.evaluate(f"[{width}.start, {width}.end]")
    assert closer[1] - closer[0] < before[1] - before[0]
    walk.mouse.down()
    walk.mouse.move(*place(walk, 5.5, 2.5), steps=5)
    walk.mouse.up()
    walk.wait_for_timeout(300)
    moved = walk.evaluate(f"[{width}.start, {width}.end]")
    assert moved[0] < closer[0]
    assert moved[1] - moved[0] == pytest.approx(closer[1] - closer[0])


def test_a_phone_sees_the_map_and_a_tap_picks(browser, shown):
    phone = browser.new_page(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    phone.goto(shown.address)
    phone.wait_for_selector("body[data-ready]", timeout=60_000)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.touchscreen.tap(*place(phone, 4, 3))
    phone.wait_for_selector("#neighbours button")
    assert phone.locator("#picked h2").inner_text() == "034.png"
    phone.close()


def test_no_request_leaves_the_machine_and_nothing_fails(shown):
    """After all that was done to it."""
    assert shown.asked[0] == shown.address
    assert {url.split(":")[0] for url in shown.asked[1:]} <= {"blob", "data"}
    assert shown.complaints == []
    assert (
        shown.evaluate("fetch('http://localhost:9/').then(() => 'let through', () => 'forbidden')")
        == "forbidden"
    )
    assert any("Content Security Policy" in line for line in shown.complaints)


def test_the_page_names_no_address_that_a_browser_would_load(chart):
    text = re.sub(
        r"<script>.*?</script>", "", map_page(chart), flags=re.DOTALL
    )  # Bokeh's code speaks of many
    assert "default-src 'none'" in text.replace("&#x27;", "'")
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text)
    assert (
        text.count("<script type=") == 2 + 2
    )  # data, plot, and a sheet each of pictures and reconstructions


def test_pictures_stand_in_their_slots():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(1200, 2)).astype(np.float32)
    slots = slots_by_place(points)
    assert sorted(slots) == list(range(1200))
    pictures = np.zeros((1200, 48, 48, 3), np.uint8)
    pictures[:] = rng.integers(0, 255, (1200, 1, 1, 3))
    atlas = pack_atlas(pictures, slots)
    each = atlas.columns * atlas.rows
    assert (atlas.side, len(atlas.sheets)) == (48, -(-1200 // each))
    sheets = [np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB")) for sheet in atlas.sheets]
    for i in (0, 7, 734, 1199):
        page, slot = divmod(int(slots[i]), each)
        row, column = divmod(slot, atlas.columns)
        middle = sheets[page][row * 48 + 24, column * 48 + 24]
        assert np.abs(middle.astype(int) - pictures[i, 0, 0]).max() < 25
    # Whoever is near on the map is near in the atlas, so that a look decodes few sheets.
    nearest = np.linalg.norm(points[:, None] - points[None], axis=2).argsort(1)[:, 1]
    assert np.median(np.abs(slots - slots[nearest])) < 100


def test_many_pictures_are_small_pictures():
    assert [atlas_side(count, 64) for count in (10, 4_001, 30_000)] == [64, 48, 32]
    assert atlas_side(30_000, 28) == 28


def test_what_is_no_page_is_a_sentence(chart, tmp_path, monkeypatch):
    import sys

    with pytest.raises(UsageError, match=r"map\.txt"):
        save_map_page(chart, tmp_path / "map.txt")
    monkeypatch.setitem(sys.modules, "bokeh", None)
    with pytest.raises(MissingExtraError, match=r'facette\[map\]"'):
        map_page(chart)


def test_the_same_chart_is_the_same_page(chart):
    first, second = (re.sub(r'"id":"[^"]*"|p\d{4,}', "", map_page(chart)) for _ in range(2))
    assert len(first) == len(second)
    slots = base64.b64decode(re.search(r'"slots": "([^"]+)"', first)[1])  # type: ignore[index]
    assert len(np.frombuffer(slots, "<i4")) == COUNT
