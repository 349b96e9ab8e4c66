"""The studio in a real browser, without a network: what a visitor does, and that it is what the commands do."""

from __future__ import annotations

import base64
import io
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facette
from facette.latent import sample, vary
from facette.latent.around import Step
from facette.studio.theme import contrasts

PATIENCE = 60_000  # ms


@pytest.fixture(scope="module")
def there(open_studio):
    from facette.cli.model import open_model

    light = open_model("faces64", "auto", light=True)  # as the commands draw
    pages = ("vary", "sample", "compare", "evaluate")
    with open_studio(facette.load("faces64"), "faces64", pages, drawer=light) as one:
        yield one


@pytest.fixture(scope="module")
def model(there):
    return there.studio.drawer


@pytest.fixture(scope="module")
def hopper() -> Path:
    """A photo in the public domain that comes with matplotlib."""
    from facette.cli.demo import find_photo

    return find_photo("hopper")


@pytest.fixture(scope="module")
def face(model, hopper) -> np.ndarray:
    """The same in the model's frame."""
    from facette.cli.photo import take_in

    return take_in(model, hopper).picture


def drawn(page, box: str) -> np.ndarray:
    """The pictures in a box, pixel for pixel."""
    sources = page.locator(f"{box} img").evaluate_all("all => all.map(one => one.src)")
    content = (base64.b64decode(source.partition(",")[2]) for source in sources)
    return np.stack([np.asarray(Image.open(io.BytesIO(one))) for one in content])


def wait_for(page, box: str, wanted: np.ndarray) -> None:
    """Until the box shows these pictures; says how far off it is when it never does."""
    for _ in range(PATIENCE // 100):
        if page.locator(f"{box} img").count() == len(wanted) and (drawn(page, box) == wanted).all():
            return
        page.wait_for_timeout(100)
    shown = drawn(page, box)
    raise AssertionError(
        f"{box} shows {len(shown)} other pictures: {np.abs(shown[0].astype(int) - wanted[0]).mean()}"
    )


def give(page, photo: Path, box: str = "vary-photo") -> None:
    page.set_input_files(f"#{box}-file", photo)


@pytest.fixture
def varied(visit, there, hopper, face, model):
    """The page Vary with a photo and its ten relatives."""
    page = visit(there)
    give(page, hopper)
    wait_for(page, "#vary-gallery", vary(model, face).pictures)
    page.locator("#vary-meter .meter").wait_for(timeout=PATIENCE)
    return page


def dial(page):
    return page.get_by_label("range slider for Diversity")


def test_a_photo_gives_its_face_its_report_and_ten_relatives(varied, model, face, shot):
    pair = drawn(varied, "#vary-taken")
    assert (pair[0] == face).all()
    assert (pair[1] == model.decode(model.encode(face[None]).mean)[0]).all()
    assert "face brought into the frame" in varied.inner_text("#vary-taken")
    likeness = re.search(
        r"Likeness (\d\.\d\d) \((\d\.\d\d) to (\d\.\d\d)\)", varied.inner_text("#vary-meter")
    )
    each = [float(text.split()[1]) for text in varied.locator("#vary-gallery figcaption").all_inner_texts()]
    assert float(likeness[1]) == pytest.approx(np.mean(each), abs=0.006)
    assert (float(likeness[2]), float(likeness[3])) == (min(each), max(each))
    varied.locator(".flag").wait_for(timeout=PATIENCE)
    shot(varied, "vary")
    automatic = float(re.search(r"Automatic: ([\d.]+)", varied.inner_text("#vary-auto"))[1])
    varied.click("#vary-auto")
    wait_for(varied, "#vary-gallery", vary(model, face, diversity=automatic).pictures)
    assert varied.complaints == []
    assert varied.outside == []
    assert len(varied.asked) > 10


def test_the_dial_draws_while_it_is_dragged_and_sharply_when_it_rests(varied, model, face):
    box = dial(varied).bounding_box()
    y = box["y"] + box["height"] / 2
    first = drawn(varied, "#vary-gallery")
    varied.mouse.move(box["x"] + 0.35 * box["width"], y)
    varied.mouse.down()
    varied.mouse.move(box["x"] + 0.8 * box["width"], y, steps=4)
    wished = float(dial(varied).input_value())
    assert wished > 10
    seen = []
    for _ in range(200):
        seen = drawn(varied, "#vary-gallery")
        if (seen != first).any():
            break
        varied.wait_for_timeout(30)
    assert (seen != first).any(), "nothing moved before the mouse was let go"
    varied.mouse.up()
    wait_for(varied, "#vary-gallery", vary(model, face, diversity=wished).pictures)
    assert f"--diversity {wished:g} " in varied.inner_text("#vary-offers code")


def test_the_keyboard_turns_the_dial_and_presses_the_buttons(varied, model, face):
    dial(varied).focus()
    for _ in range(3):
        varied.keyboard.press("ArrowRight")
    wished = float(dial(varied).input_value())
    assert wished == pytest.approx(7.03)
    wait_for(varied, "#vary-gallery", vary(model, face, diversity=wished).pictures)
    varied.get_by_label("Keep variation 2", exact=True).focus()
    varied.keyboard.press("Enter")
    wait_for(varied, "#vary-pins", vary(model, face, diversity=wished).pictures[1:2])
    pressed = varied.get_by_label("Let go of variation 2", exact=True)
    pressed.wait_for()
    assert pressed.get_attribute("aria-pressed") == "true"
    varied.get_by_role("tab", name="Vary", exact=True).focus()
    varied.keyboard.press("Tab")
    varied.keyboard.press("Enter")
    varied.locator("#sample-draw").wait_for(state="visible")


def test_favourites_stay_and_one_can_go_on_from_a_relative(varied, model, face, shot):
    ten = vary(model, face)
    varied.get_by_label("Keep variation 4", exact=True).click()
    wait_for(varied, "#vary-pins", ten.pictures[3:4])
    varied.get_by_label("Keep this seed").check()
    varied.get_by_label("More like variation 4", exact=True).click()
    step = Step(ten.seeds[3], 7.0)
    wait_for(varied, "#vary-gallery", vary(model, face, around=[step]).pictures)
    assert f"variation {step.seed} at 7" in varied.inner_text("#vary-trail")
    assert f"--around {step}" in varied.inner_text("#vary-offers code")
    varied.get_by_label("Seed", exact=True).fill("21")
    wait_for(varied, "#vary-gallery", vary(model, face, seed=21, around=[step]).pictures)
    assert (drawn(varied, "#vary-pins") == ten.pictures[3:4]).all()
    shot(varied, "vary-favourites")
    varied.locator("#vary-trail button").first.click()
    wait_for(varied, "#vary-gallery", vary(model, face, seed=21).pictures)
    varied.get_by_label("Let favourite 1 go").click()
    varied.locator("#vary-pins img").wait_for(state="detached")


def test_a_kept_seed_stays_and_ten_others_have_another(varied, model, face):
    varied.get_by_label("Keep this seed").check()
    again = varied.locator("#vary-again")
    varied.wait_for_function("document.getElementById('vary-again').disabled")
    varied.get_by_label("Keep this seed").uncheck()
    varied.wait_for_function("!document.getElementById('vary-again').disabled")
    again.click()
    varied.wait_for_function("document.querySelector('#vary-seed input').value !== '0'")
    seed = int(varied.get_by_label("Seed", exact=True).input_value())
    wait_for(varied, "#vary-gallery", vary(model, face, seed=seed).pictures)


def test_what_is_downloaded_is_what_the_shown_command_writes(varied, hopper, run, tmp_path):
    for _ in range(5):
        dial(varied).press("ArrowRight")
    varied.wait_for_function("document.querySelector('#vary-offers code').textContent.includes('7.05')")
    saved = []
    for link in [
        *varied.locator("#vary-gallery a[download]").all(),
        varied.locator("#vary-offers a[download]"),
    ]:
        with varied.expect_download() as waiting:
            link.click()
        saved.append((waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()))
    assert [name for name, _ in saved[:2]] == ["grace_hopper-01.png", "grace_hopper-02.png"]
    program, *words = shlex.split(varied.inner_text("#vary-offers code"))
    assert program == "facette"
    shutil.copy(hopper, tmp_path / hopper.name)
    ended = run(*words)
    assert ended.code == 0, ended.err
    written = sorted((tmp_path / "grace_hopper-variations").iterdir())
    assert [path.read_bytes() for path in written] == [content for _, content in saved[:10]]
    assert saved[10] == (
        "grace_hopper-variations.png",
        (tmp_path / "grace_hopper-variations.png").read_bytes(),
    )


def test_a_favourites_command_makes_it_again(varied, hopper, run, tmp_path):
    varied.get_by_label("Keep variation 6", exact=True).click()
    varied.locator("#vary-pins summary").click()
    program, *words = shlex.split(varied.inner_text("#vary-pins code"))
    shutil.copy(hopper, tmp_path / hopper.name)
    ended = run(*words, "--each", "one")
    assert (program, ended.code) == ("facette", 0), ended.err
    with Image.open(tmp_path / "one" / "01.png") as again:
        assert (np.asarray(again) == drawn(varied, "#vary-pins")[0]).all()


def test_mistakes_are_sentences_in_the_page_and_it_goes_on(visit, there, hopper, face, model, tmp_path):
    page = visit(there)
    (tmp_path / "notes.jpg").write_text("no picture")
    give(page, tmp_path / "notes.jpg")
    page.get_by_text("is not a picture in a format that is read here").wait_for(timeout=PATIENCE)
    Image.new("RGB", (300, 300), (90, 140, 90)).save(tmp_path / "meadow.png")
    give(page, tmp_path / "meadow.png")
    page.get_by_text("no face was found in the photo").wait_for(timeout=PATIENCE)
    assert page.locator("#vary-gallery img").count() == 0
    page.get_by_text("How the photo is taken in").click()
    page.get_by_label("Find the face").uncheck()
    page.locator("#vary-gallery img").first.wait_for(timeout=PATIENCE)
    page.get_by_label("Find the face").check()
    give(page, hopper)
    wait_for(page, "#vary-gallery", vary(model, face).pictures)


def test_the_camera_takes_a_photo(visit, there):
    page = visit(there, permissions=["camera"])
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the photo").click(timeout=PATIENCE)
    page.get_by_text("camera.png").first.wait_for(timeout=PATIENCE)  # taken in, or said to hold no face
    assert page.locator("video").first.is_hidden()


def test_two_tabs_do_not_mix(visit, there, model, hopper, face, drawn_faces, tmp_path):
    Image.fromarray(drawn_faces[8]).save(tmp_path / "other.png")
    one, two = visit(there), visit(there)
    give(one, hopper)
    give(two, tmp_path / "other.png")
    for seed in (5, 6):
        one.get_by_label("Seed", exact=True).fill(str(seed))
        two.get_by_label("Seed", exact=True).fill(str(seed + 10))
    wait_for(one, "#vary-gallery", vary(model, face, seed=6).pictures)
    wait_for(two, "#vary-gallery", vary(model, drawn_faces[8], seed=16).pictures)
    one.get_by_label("Keep variation 1", exact=True).click()
    one.locator("#vary-pins img").wait_for(timeout=PATIENCE)
    assert two.locator("#vary-pins img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_room_for_everything(visit, there, hopper, shot, scheme):
    page = visit(there, width=390, height=844, color_scheme=scheme, has_touch=True)
    give(page, hopper)
    page.locator("#vary-meter .meter").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    narrow = page.locator("button:visible, input[type=range]:visible").evaluate_all(
        "all => all.filter(one => { const b = one.getBoundingClientRect(); return b.left < 0 || b.right > 391; })"
        ".map(one => one.outerHTML)"
    )
    assert narrow == []
    shot(page, f"vary-phone-{scheme}")


def test_every_control_has_a_name(varied):
    for tab in ("Vary", "Sample", "Compare", "Evaluate"):
        varied.get_by_role("tab", name=tab, exact=True).click()
        varied.wait_for_timeout(300)
        nameless = varied.evaluate(
            """() => [...document.querySelectorAll('button, input, select, textarea, a[href], iframe')]
            .filter(one => one.offsetParent && !one.closest('.hidden-input'))
            .filter(one => !(one.getAttribute('aria-label') || one.title || one.textContent.trim()
              || one.labels && [...one.labels].some(label => label.textContent.trim())))
            .map(one => one.outerHTML)"""
        )
        assert nameless == [], tab


@pytest.mark.parametrize("pair", contrasts(), ids=lambda pair: pair[0])
def test_words_stand_out_from_what_they_stand_on(pair):
    _, words, ground = pair

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((light(words), light(ground)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_nothing_of_a_photo_lies_on_the_disk(varied, hopper):
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    content = hopper.read_bytes()[1000:1200]
    near = [path for path in folder.parent.glob("*") if path.is_file() and os.access(path, os.R_OK)]
    assert [path for path in near if content in path.read_bytes()] == []


def test_samples_are_those_of_the_command_and_one_leads_to_others(visit, there, model, shot):
    page = visit(there, "Sample")
    page.get_by_label("number input for Temperature").fill("0.8")
    page.get_by_label("Seed", exact=True).last.fill("3")
    page.click("#sample-draw")
    wall = sample(there.studio.model, 20, 3, temperature=0.8).pictures
    wait_for(page, "#sample-wall", wall)
    shot(page, "sample")
    assert "--temperature 0.8 --seed 3" in page.inner_text("#sample-offers code")
    page.get_by_label("More like sample 7", exact=True).click()
    wait_for(page, "#sample-wall", np.concatenate([wall[6:7], vary(model, wall[6], 20).pictures]))
    assert "facette vary samples/07.png" in page.locator("#sample-offers code").last.inner_text()
    page.get_by_text("all samples").click()
    wait_for(page, "#sample-wall", wall)
    page.click("#sample-others")
    page.wait_for_function("document.querySelector('#sample-seed input').value !== '3'")
    assert page.outside == []


def test_a_card_is_measured_shown_and_can_be_stopped(visit, there, shot):
    page = visit(there, "Evaluate")
    page.locator("#evaluate-data textarea, #evaluate-data input").first.fill("synthetic-faces:40")
    page.get_by_label("How many pictures").fill("24")
    page.click("#evaluate-start")
    page.locator("#evaluate-told progress").wait_for(timeout=PATIENCE)
    page.click("#evaluate-stop")
    page.get_by_text("Stopped.").wait_for(timeout=PATIENCE)
    assert page.locator("#evaluate-report iframe").count() == 0
    page.click("#evaluate-start")
    report = page.frame_locator("#evaluate-report iframe")
    report.get_by_role("heading", name="Reconstructions").first.wait_for(timeout=3 * PATIENCE)
    assert "24 pictures of synthetic-faces:40" in report.locator("body").inner_text()
    shot(page, "evaluate")
    with page.expect_download() as waiting:
        page.locator("#evaluate-report a[download]").click()
    assert Path(waiting.value.path()).read_text("utf-8").startswith("<!DOCTYPE html>")
    page.locator("#evaluate-data textarea, #evaluate-data input").first.fill("/no/such/folder")
    page.click("#evaluate-start")
    page.get_by_text("/no/such/folder").last.wait_for(timeout=PATIENCE)
    assert page.complaints == []


def test_a_comparison_says_what_it_lacks(visit, there, hopper, tmp_path, shot):
    page = visit(there, "Compare")
    page.click("#compare-start")
    page.get_by_text("there is no photo yet").wait_for(timeout=PATIENCE)
    give(page, hopper, "compare-photo")
    page.get_by_text("grace_hopper.jpg").first.wait_for(timeout=PATIENCE)
    page.locator("#compare-with textarea, #compare-with input").first.fill(str(tmp_path))
    page.click("#compare-start")
    page.get_by_text("model_index.json").first.wait_for(timeout=PATIENCE)
    shot(page, "compare")
