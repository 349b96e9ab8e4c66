"""Vary and Sample in a real browser, without a network: what a visitor does, and that it is what the commands do."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from studio_page import (
    PATIENCE,
    commands,
    give,
    keep,
    nothing_amiss,
    pictures,
    saved,
    until_drawn,
    until_given,
    until_holds,
    until_says,
    until_still,
)

from facette.latent import sample, vary
from facette.latent.around import Step
from facette.latent.levels import choose_setting, known_curve
from facette.studio.pages.sample import ORDINARY
from facette.studio.theme import contrasts
from facette.studio.varying import LEVELS, reaches_of

Error = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").Error


@pytest.fixture
def varied(visit, there, anna, anna_face, relatives):
    """The page Vary with a photo and its ten relatives."""
    page = visit(there)
    give(page, "vary-photo", anna)
    until_drawn(page, "#vary-gallery", relatives(anna_face).pictures)
    return page


def dial(page):
    return page.get_by_label("range slider for How different")


def strength(page, other_than: str = "") -> float:
    """What the command under the pictures says of the diversity, once it says another than before."""
    page.wait_for_function(
        "before => { const code = document.querySelector('#vary-offers code');"
        " return code && code.textContent !== before; }",
        arg=other_than,
        timeout=PATIENCE,
    )
    words = shlex.split(commands(page, "#vary-offers")[0])
    return float(words[words.index("--diversity") + 1])


def more(page) -> None:
    """Unfold the figures behind the dial."""
    page.locator("#vary-more button").first.click()
    page.locator("#vary-seed input").wait_for()


def test_the_first_way_from_opening_to_ten_saved_relatives_is_two_clicks_on_what_can_be_read(
    visit, there, shot, tmp_path
):
    page = visit(there, width=1024, height=700)
    page.get_by_text("Whose relatives would you like to see?").wait_for(timeout=PATIENCE)
    shot(page, "first")
    assert page.get_by_role("button", name="Begin with").count() >= 5
    assert "relatives of that person who do not exist" in page.locator("header.house").inner_text()
    assert not dial(page).is_visible(), "a dial that turns nothing"
    lowest = page.locator(".example").last.bounding_box()
    assert 600 <= lowest["y"] + lowest["height"] <= 700, "the faces fill the window, and none is below it"
    page.get_by_role("button", name="Begin with").last.click()
    with zipfile.ZipFile(saved(page, "Save all ten", tmp_path)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        sizes = {Image.open(io.BytesIO(archive.read(name))).size for name in names}
    assert (len(names), sizes) == (10, {(128, 128)})
    nothing_amiss(page)


def test_elsewhere_cannot_be_reached_and_would_be_noticed(visit, there):
    """Else no page of these tests could fail for what it asks of others."""
    page = visit(there)
    elsewhere = ["http://192.0.2.1/", "https://example.org/"]
    for address in elsewhere:
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            page.goto(address)
    assert page.outside == elsewhere


def test_a_photo_gives_ten_relatives_in_sight_and_what_they_are_is_said_in_words(
    varied, model, relatives, anna_face, shot
):
    varied.set_viewport_size({"width": 1024, "height": 700})
    bottoms = varied.locator("#vary-gallery figure").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().bottom)"
    )
    assert len(bottoms) == 10
    assert max(bottoms) <= 700
    assert dial(varied).bounding_box()["y"] > 0
    assert varied.locator("#vary-meter").bounding_box()["y"] >= max(bottoms), (
        "what comes later pushes nothing"
    )
    shot(varied, "vary")
    words = varied.inner_text("#page-vary")
    for figure in ("σ", "realism", "percentile", "stranger in a hundred", "worse than"):
        assert figure not in words
    curve = known_curve(model, choose_setting(model, "auto").noise)
    told = varied.locator("#vary-meter").text_content()
    assert ("Likeness 0." in told and " person" in told) if curve else "never measured" in told
    seen = pictures(varied, "#vary-taken")
    assert np.array_equal(seen, [anna_face, model.plain().decode(model.encode(anna_face[None]).mean)[0]])
    for words, level in LEVELS.items():
        varied.get_by_label(words, exact=True).check(force=True)
        until_drawn(varied, "#vary-gallery", relatives(anna_face, level).pictures)
    nothing_amiss(varied)
    assert len(varied.asked) > 10


def test_the_dial_draws_while_it_is_dragged_and_sharply_when_it_rests(varied, relatives, model, anna_face):
    box = dial(varied).bounding_box()
    y = box["y"] + box["height"] / 2
    first = pictures(varied, "#vary-gallery")
    varied.mouse.move(box["x"] + 0.35 * box["width"], y)
    varied.mouse.down()
    varied.mouse.move(box["x"] + 0.8 * box["width"], y, steps=4)
    assert float(dial(varied).input_value()) > 70
    until = 200
    while until and np.array_equal(pictures(varied, "#vary-gallery"), first):
        varied.wait_for_timeout(30)
        until -= 1
    assert until, "nothing moved before the mouse was let go"
    varied.mouse.up()
    # On a busy machine the dial may have rested on its way: where it rests now is what counts.
    wished = reaches_of(model)["people"].strength(float(dial(varied).input_value()))
    until_holds(varied, "#vary-offers code", f"--diversity {wished}")
    until_drawn(varied, "#vary-gallery", relatives(anna_face, wished).pictures)


def test_no_preview_is_drawn_over_what_stands(varied):
    """A page that does not know yet that these were drawn asks once more: they stay as sharp as they are."""
    dial(varied).press("PageUp")  # to where a hand can bring it: the levels lie between the slider's steps
    until_still(varied, 2.0)
    varied.evaluate(
        """() => {
          window.redrawn = [];
          const first = () => document.querySelector('#vary-gallery img').src;
          const before = first();
          new MutationObserver(() => { if (first() !== before) window.redrawn.push(first().length); })
            .observe(document.querySelector('#vary-gallery'), { subtree: true, childList: true, attributes: true });
        }"""
    )
    with varied.expect_response(lambda answer: "queue/join" in answer.url):
        dial(varied).dispatch_event("input")
    until_still(varied, 2.0)
    assert varied.evaluate("window.redrawn") == []


def test_the_keyboard_alone_turns_the_dial_keeps_and_walks_the_tabs(varied, relatives, anna_face):
    dial(varied).focus()
    assert varied.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    (before,) = commands(varied, "#vary-offers")
    varied.keyboard.press("PageUp")
    wished = strength(varied, before)
    assert wished > relatives(anna_face).factor
    ten = relatives(anna_face, wished).pictures
    until_drawn(varied, "#vary-gallery", ten)
    varied.locator("#vary-gallery").get_by_label("Keep", exact=True).nth(1).focus()
    varied.keyboard.press("Enter")
    until_drawn(varied, "#vary-pins", ten[1:2])
    pressed = varied.locator("#vary-gallery").get_by_label("Let it go", exact=True)
    pressed.wait_for()
    assert pressed.get_attribute("aria-pressed") == "true"
    varied.get_by_role("tab", name="Vary", exact=True).focus()
    varied.keyboard.press("ArrowRight")
    varied.locator("#blend-picture").wait_for(state="visible")
    varied.keyboard.press("ArrowLeft")
    varied.locator("#vary-gallery img").first.wait_for(state="visible")
    varied.locator("#vary-gallery .look").first.focus()
    varied.keyboard.press("Enter")
    varied.get_by_role("dialog").wait_for()
    varied.keyboard.press("ArrowRight")
    until_says(varied, "dialog", "variation 2")
    varied.keyboard.press("Escape")
    varied.wait_for_function("document.activeElement.getAttribute('aria-label') === 'Look at variation 2'")


def test_a_picture_large_is_compared_kept_and_goes_on_to_other_tabs(varied, relatives, anna_face, shot):
    ten = relatives(anna_face).pictures
    varied.locator("#vary-gallery .look").nth(3).click()
    large = varied.get_by_role("dialog")
    until_says(varied, "dialog", "Drawn at 128 × 128 pixels, shown enlarged.")
    shot(varied, "large")
    before = large.locator(".large-before")
    clip = "e => getComputedStyle(e).clipPath"
    assert "100%" in before.evaluate(clip)
    varied.keyboard.down("b")
    assert "100%" not in before.evaluate(clip)
    varied.keyboard.up("b")
    assert "100%" in before.evaluate(clip)
    large.get_by_label("Before and after").fill("60")
    assert before.evaluate(clip) == "inset(0px 0px 0px 40%)", "what was before is on the side that says so"
    stage = large.locator(".large-stage")
    stage.dispatch_event("pointerdown")
    assert " 0%" in before.evaluate(clip)
    stage.dispatch_event("pointerup")
    assert "100%" in before.evaluate(clip)
    large.get_by_role("button", name="Keep", exact=True).click()
    until_drawn(varied, "#vary-pins", ten[3:4])
    large.get_by_role("button", name="Let it go").wait_for()
    with varied.expect_download() as waiting:
        large.get_by_role("button", name="Save", exact=True).click()
    assert np.array_equal(np.asarray(Image.open(waiting.value.path())), ten[3])
    large.get_by_role("button", name="Edit it").click()
    until_drawn(varied, "#edit-picture", ten[3:4])
    until_given(varied, "edit-photo", "anna-04.png")
    nothing_amiss(varied)


def test_favourites_and_samples_go_on_as_the_photo_of_a_tab_and_the_page_keeps_its_own(
    varied, anna, relatives, anna_face, model
):
    kept = relatives(anna_face).pictures[2]
    keep(varied, 2)
    until_drawn(varied, "#vary-pins", [kept])
    varied.get_by_role("tab", name="Edit", exact=True).click()
    until_given(varied, "edit-photo", anna.name)  # one photo for all tabs
    varied.get_by_role("tab", name="Vary", exact=True).click()
    varied.locator("#vary-pins .look").click()
    varied.get_by_role("dialog").get_by_role("button", name="Edit it").click()
    until_drawn(varied, "#edit-picture", [kept])
    varied.get_by_role("tab", name="Sample", exact=True).click()
    fifth = sample(model, 20, 0, temperature=ORDINARY).pictures[4]
    until_drawn(varied, "#sample-wall", sample(model, 20, 0, temperature=ORDINARY).pictures)
    varied.locator("#sample-wall .look").nth(4).click()
    offered = varied.get_by_role("dialog").locator(".large-acts button").all_inner_texts()
    assert offered == ["More like it", "Save", "Edit it", "Blend it", "Put it on the map"]
    varied.get_by_role("dialog").get_by_role("button", name="Edit it").click()
    until_given(varied, "edit-photo", "sample-05.png")
    until_drawn(varied, "#edit-picture", [fifth])
    varied.get_by_role("tab", name="Vary", exact=True).click()
    assert varied.locator('.photo-box[data-input="vary-photo"] .photo-name').inner_text() == anna.name
    nothing_amiss(varied)


def test_a_result_dragged_onto_the_photo_box_is_the_photo(varied, relatives, anna_face):
    fourth = relatives(anna_face).pictures[3]
    result = varied.locator("#vary-gallery figure").nth(3)
    result.locator("img").drag_to(varied.locator('.photo-box[data-input="vary-photo"]'))
    until_given(varied, "vary-photo", "anna-04.png")
    until_drawn(varied, "#vary-gallery", relatives(fourth).pictures)
    nothing_amiss(varied)


def test_the_whole_photo_with_a_relative_in_it_is_that_of_the_command(visit, there, hopper, run, tmp_path):
    page = visit(there)
    give(page, "vary-photo", hopper)
    until_given(page, "vary-photo", hopper.name)
    strength(page)
    page.locator("#vary-gallery .look").nth(2).click()
    with page.expect_download() as waiting:
        page.get_by_role("dialog").get_by_role("button", name="Save the whole photo").click()
    words = [
        str(hopper) if word == hopper.name else word
        for word in shlex.split(commands(page, "#vary-offers")[0])
    ]
    assert run(*words[1:], "--paste").code == 0
    assert waiting.value.suggested_filename == f"{hopper.stem}-variations-photo-03.jpg"
    written = tmp_path / waiting.value.suggested_filename
    assert Path(waiting.value.path()).read_bytes() == written.read_bytes()
    nothing_amiss(page)


def test_favourites_stay_survive_a_reload_and_come_as_one_file_with_commands_that_run(
    varied, relatives, anna, anna_face, run, tmp_path, shot
):
    ten = relatives(anna_face)
    keep(varied, 3)
    until_drawn(varied, "#vary-pins", ten.pictures[3:4])
    varied.locator("#vary-gallery").get_by_label("More like it", exact=True).nth(3).dblclick()
    step = Step(ten.seeds[3], ten.factor)
    varied.locator("#vary-trail img").nth(1).wait_for(timeout=PATIENCE)
    more(varied)
    varied.locator("#vary-seed input").fill("21")
    near = relatives(anna_face, seed=21, around=[step])
    until_drawn(varied, "#vary-gallery", near.pictures)
    assert varied.locator("#vary-trail img").count() == 2, "a double click went two steps"
    until_holds(varied, "#vary-offers code", f"--around {step}")
    keep(varied, 0)
    kept = np.stack([ten.pictures[3], near.pictures[0]])
    until_drawn(varied, "#vary-pins", kept)
    shot(varied, "vary-favourites")

    varied.reload()
    until_drawn(varied, "#vary-pins", kept)
    with zipfile.ZipFile(saved(varied, "Save all favourites", tmp_path)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    lines = files.pop("commands.txt").decode().splitlines()
    shutil.copy(anna, tmp_path / anna.name)
    for line in lines:
        ended = run(*shlex.split(line)[1:])
        assert ended.code == 0, ended.err
    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert len(files) == 2

    varied.get_by_label("Let it go").last.click()
    until_drawn(varied, "#vary-pins", kept[:1])
    nothing_amiss(varied)


def test_a_photo_that_arrives_before_the_pages_memory_takes_no_favourites_away(there):
    """After a reload both are asked for at once, and what the photo's event knows may be of before the other's."""
    import gradio as gr

    from facette.studio.pages.vary import COUNT, Controls, _Acts
    from facette.studio.varying import DETAILS, NOISES

    acts = _Acts(there.studio, reaches_of(there.studio.model))
    controls = Controls("", next(iter(NOISES)), next(iter(DETAILS)), 50.0, COUNT, (), ())
    _, _, kept, *_ = acts.arrive("a tab", *(getattr(controls, name) for name in Controls.__slots__))
    assert kept == gr.skip()


def test_the_model_draws_alone_a_kept_seed_stays_and_ten_others_have_another(varied, relatives, anna_face):
    more(varied)
    varied.get_by_label("the model's drawing alone").check()
    until_drawn(varied, "#vary-gallery", relatives(anna_face, details="model").pictures)
    until_holds(varied, "#vary-offers code", "--details model")
    varied.get_by_label("the photo's own details").check()
    until_drawn(varied, "#vary-gallery", relatives(anna_face).pictures)
    varied.get_by_label("Keep this seed").check()
    again = varied.locator("#vary-again")
    varied.wait_for_function("document.getElementById('vary-again').disabled")
    varied.get_by_label("Keep this seed").uncheck()
    varied.wait_for_function("!document.getElementById('vary-again').disabled")
    again.click()
    varied.wait_for_function("document.querySelector('#vary-seed input').value !== '0'")
    seed = int(varied.locator("#vary-seed input").input_value())
    until_drawn(varied, "#vary-gallery", relatives(anna_face, seed=seed).pictures)


@pytest.mark.parametrize(
    "way", [pytest.param("file", marks=pytest.mark.slow), "long name", "pasted", "camera", "large"]
)
def test_what_is_saved_is_what_the_shown_command_writes(visit, there, anna, hopper, run, tmp_path, way):
    source = hopper if way == "large" else anna
    page, photo = visit(there, permissions=["camera"]), tmp_path / source.name
    shutil.copy(source, photo)
    if way == "long name":
        photo = photo.rename(tmp_path / f"{'grandmother and the whole family ' * 5}.png")
    if way == "pasted":
        page.evaluate(PASTE, list(photo.read_bytes()))
        photo.unlink()
    elif way == "camera":  # which sees nobody here
        page.get_by_role("button", name="Use the camera").click()
        page.get_by_role("button", name="Take the photo").click()
        page.get_by_role("button", name="Take the middle").click(timeout=PATIENCE)
    else:
        give(page, "vary-photo", photo)
    page.locator("#vary-offers .offers").wait_for(timeout=PATIENCE)
    links = page.locator("#vary-gallery a[download]")
    singles = []
    for link in links.all()[:3]:
        with page.expect_download() as waiting:
            link.click()
        singles.append(Path(waiting.value.path()).read_bytes())
    with zipfile.ZipFile(saved(page, "Save all ten", tmp_path)) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name.endswith(".png")}
    sheet = saved(page, "Save the sheet", tmp_path)
    kept = sheet.read_bytes()
    if way == "large":  # small on the page, whole in the file
        assert page.locator("#vary-gallery img").first.get_attribute("src").startswith("data:image/webp")
        assert {Image.open(io.BytesIO(content)).width for content in singles} == {308}
    if way in ("pasted", "camera"):
        page.locator("#vary-offers summary").click()
        saved(page, page.get_by_role("link", name=f"First save {way}").inner_text(), tmp_path)
    (command,) = commands(page, "#vary-offers")
    ended = run(*shlex.split(command)[1:])
    assert ended.code == 0, ended.err
    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert list(files.values())[:3] == singles
    assert (tmp_path / sheet.name).read_bytes() == kept
    nothing_amiss(page)


PASTE = """bytes => { const data = new DataTransfer();
data.items.add(new File([new Uint8Array(bytes)], "image.png", { type: "image/jpeg" }));
document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true })); }"""


def test_two_tabs_do_not_mix(visit, there, relatives, anna, anna_face, drawn_faces, tmp_path):
    Image.fromarray(drawn_faces[8]).save(tmp_path / "other.png")
    one, two = visit(there), visit(there)
    give(one, "vary-photo", anna)
    give(two, "vary-photo", tmp_path / "other.png")
    until_drawn(one, "#vary-gallery", relatives(anna_face).pictures)
    until_drawn(two, "#vary-gallery", relatives(drawn_faces[8]).pictures)
    keep(one, 0)
    one.locator("#vary-pins img").wait_for(timeout=PATIENCE)
    assert two.locator("#vary-pins img").count() == 0


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_a_phone_has_room_for_everything_and_the_dial_stays_over_the_pictures(
    visit, there, anna, shot, scheme
):
    page = visit(there, width=390, height=844, color_scheme=scheme, has_touch=True)
    give(page, "vary-photo", anna)
    page.locator("#vary-meter .meter").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    narrow = page.locator("button:visible, input[type=range]:visible").evaluate_all(
        "all => all.filter(e => { const b = e.getBoundingClientRect(); return b.left < 0 || b.right > 391; })"
        ".map(e => e.outerHTML)"
    )
    assert narrow == []
    tabs = (
        page.get_by_role("tab")
        .locator("visible=true")
        .evaluate_all("all => all.map(e => e.getBoundingClientRect().right)")
    )
    assert len(tabs) == 8
    assert max(tabs) <= 390
    first, last = page.locator("#vary-gallery figure").first, page.locator("#vary-gallery figure").last
    assert first.bounding_box()["y"] < 600
    last.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    assert 0 <= dial(page).bounding_box()["y"] <= last.bounding_box()["y"]
    shot(page, f"vary-phone-{scheme}")


# What stands behind "More" and "Figures", or in no person's mouth at all.
FIGURES = re.compile(
    r"σ|\bnats\b|temperature|\bprior\b|trustworth|percentile|realism|worse than|stranger in a|[A-Z][a-z]+_[A-Z][a-z]+"
)


def test_every_control_has_a_name_every_tab_one_width_and_plain_words_come_first(varied):
    widths = set()
    for tab in ("Vary", "Blend", "Edit", "Map", "Sample", "Compare", "Evaluate", "Train"):
        varied.get_by_role("tab", name=tab, exact=True).click()
        varied.wait_for_timeout(400)
        widths.add(varied.locator(f"#page-{tab.lower()}").bounding_box()["width"])
        nameless = varied.evaluate(
            """() => [...document.querySelectorAll('button, input, select, textarea, a[href], iframe')]
            .filter(e => e.offsetParent && !e.closest('.hidden-input'))
            .filter(e => !(e.getAttribute('aria-label') || e.title || e.textContent.trim()
              || e.labels && [...e.labels].some(label => label.textContent.trim())))
            .map(e => e.outerHTML)"""
        )
        assert nameless == [], tab
        words = varied.inner_text(f"#page-{tab.lower()}")
        assert FIGURES.findall(words) == [], tab
        assert tab == "Vary" or "likeness" not in words.lower(), (
            "a word for who somebody is, and for nothing else"
        )
    assert len(widths) == 1


@pytest.mark.parametrize("pair", contrasts(), ids=lambda pair: pair[0])
def test_words_stand_out_from_what_they_stand_on(pair):
    _, words, ground = pair

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((light(words), light(ground)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_nothing_of_a_photo_lies_on_the_disk(varied, anna):
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    content = anna.read_bytes()[1000:1200]
    near = [path for path in folder.parent.glob("*") if path.is_file() and os.access(path, os.R_OK)]
    assert [path for path in near if content in path.read_bytes()] == []


def _are_those_of_the_commands(page, folder, run) -> None:
    """Two relatives of a sample and their sheet are saved as the two commands write them."""
    links = page.locator("#sample-wall a[download]")
    assert links.count() == 21
    files = {}
    for number, name in ((0, "samples/07.png"), (1, "like-sample-7/01.png"), (20, "like-sample-7/20.png")):
        with page.expect_download() as waiting:
            links.nth(number).click()
        files[name] = Path(waiting.value.path()).read_bytes()
    sheet = saved(page, "Save the sheet", folder)
    files[sheet.name] = sheet.read_bytes()
    for command in commands(page, "#sample-offers"):
        ended = run(*shlex.split(command)[1:])
        assert ended.code == 0, ended.err
    assert {name: (folder / name).read_bytes() for name in files} == files


def test_samples_stand_there_at_opening_are_those_of_the_command_and_one_leads_to_others(
    visit, there, model, shot, run, tmp_path
):
    page = visit(there, "Sample")
    until_drawn(page, "#sample-wall", sample(model, 20, 0, temperature=ORDINARY).pictures)
    shot(page, "sample")
    page.get_by_label("number input for More ordinary, or bolder").fill("0.8")
    wall = sample(model, 20, 0, temperature=0.8).pictures
    until_drawn(page, "#sample-wall", wall)
    assert "--temperature 0.8 --seed 0" in commands(page, "#sample-offers")[0]
    page.locator("#sample-wall").get_by_label("More like it", exact=True).nth(6).click()
    until_drawn(page, "#sample-wall", np.concatenate([wall[6:7], vary(model, wall[6], 20).pictures]))
    _are_those_of_the_commands(page, tmp_path, run)
    page.get_by_text("All samples").click()
    until_drawn(page, "#sample-wall", wall)
    page.click("#sample-others")
    page.wait_for_function(
        "document.querySelector('#sample-offers code').textContent.indexOf('--seed 0 ') < 0"
    )
    nothing_amiss(page)
