"""What the tests of several pages do to a page of the studio: give photos, move sliders, read the pictures shown."""

import base64
import contextlib
import io
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

PATIENCE = 60_000  # milliseconds; a limit for what never comes
MAPPED = 40  # samples on a map that is drawn of the model alone


# The news that a stream has ended comes late, as on a busy machine: what is asked meanwhile must not be lost.
LATE_END = """(() => {
  const plain = window.fetch, END = '"close_stream"';
  window.lateEnds = 0;
  window.fetch = async (asked, ...more) => {
    const answer = await plain(asked, ...more);
    if (!String(asked.url || asked).includes("/queue/data")) return answer;
    const read = new TextDecoder(), write = new TextEncoder();
    const late = new TransformStream({ async transform(chunk, out) {
      const text = read.decode(chunk, { stream: true });
      const at = text.includes(END) ? text.lastIndexOf("data:", text.indexOf(END)) : text.length;
      if (at) out.enqueue(write.encode(text.slice(0, at)));
      if (at === text.length) return;
      window.lateEnds += 1;
      await new Promise(done => setTimeout(done, 600));
      out.enqueue(write.encode(text.slice(at)));
    } });
    return new Response(answer.body.pipeThrough(late), { status: answer.status, headers: answer.headers });
  };
})()"""


def give(page, box: str, photo: Path) -> None:
    """Choose a photo in a box."""
    page.set_input_files(f"#{box}-file", photo)


def sources(page, place: str) -> list[str]:
    """Addresses of the pictures in an element, in order."""
    return page.locator(f"{place} img").evaluate_all("all => all.map(image => image.src)")


def picture(source: str) -> np.ndarray:
    """A data address as uint8 (H, W, 3)."""
    assert source.startswith("data:image/png;base64,")
    image = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    return np.asarray(image.convert("RGB"))


def pictures(page, place: str) -> list[np.ndarray]:
    """The pictures in an element that are there pixel for pixel; photos to begin with are not."""
    return [picture(source) for source in sources(page, place) if source.startswith("data:image/png")]


def until_count(page, place: str, count: int) -> None:
    """Wait until an element shows so many pictures."""
    page.wait_for_function(
        "([place, count]) => document.querySelectorAll(place + ' img').length === count",
        arg=[place, count],
        timeout=PATIENCE,
    )


def until_other(page, place: str, before: Sequence[str]) -> None:
    """Wait until an element shows other pictures than before."""
    page.wait_for_function(
        "([place, before]) => { const now = [...document.querySelectorAll(place + ' img')].map(image => image.src);"
        " return now.length && JSON.stringify(now) !== JSON.stringify(before); }",
        arg=[place, list(before)],
        timeout=PATIENCE,
    )


def until_drawn(page, place: str, wanted: Sequence[np.ndarray] | np.ndarray) -> None:
    """Wait until an element's first pictures are these, (H, W, 3) each; on the way there, earlier answers pass by."""
    from playwright.sync_api import TimeoutError as NothingElse

    end, shown, first = time.monotonic() + PATIENCE / 1000, [], True
    while not _are(shown, wanted) and (left := 1000 * (end - time.monotonic())) > 0:
        with contextlib.suppress(NothingElse):  # then it shows what it showed
            seen = page.wait_for_function(OTHERS, arg=[place, first], timeout=left, polling=50).json_value()
            shown = [picture(source) for source in seen if source.startswith("data:image/png")][: len(wanted)]
        first = False
    assert _are(shown, wanted), f"{place} shows {len(shown)} pictures, not these {len(wanted)}"


# The addresses of the pictures in an element, or nothing while they are those that were looked at last: pictures are
# many and long, and are sent from the browser once.
OTHERS = """([place, first]) => {
  const now = [...document.querySelectorAll(place + ' img')].map(image => image.src);
  const before = (window.lookedAt ??= {})[place];
  if (!first && before && now.length === before.length && now.every((each, i) => each === before[i])) return false;
  window.lookedAt[place] = now;
  return now;
}"""


def _are(shown: Sequence[np.ndarray], wanted: Sequence[np.ndarray] | np.ndarray) -> bool:
    return len(shown) == len(wanted) and all(map(np.array_equal, shown, wanted))


def until_says(page, place: str, words: str) -> None:
    """Wait until an element says these words."""
    page.locator(place, has_text=words).first.wait_for(timeout=PATIENCE)


def until_holds(page, place: str, words: str) -> None:
    """Wait until an element has these words in it, folded away or not."""
    page.locator(place, has_text=words).first.wait_for(state="attached", timeout=PATIENCE)


def until_given(page, box: str, name: str) -> None:
    """Wait until a photo box shows this photo as one that can be worked with."""
    shown = page.locator(f'.photo-box[data-input="{box}"]', has_text=name).locator(".photo-shown")
    shown.wait_for(timeout=PATIENCE)


def commands(page, place: str) -> list[str]:
    """The command lines in an element, folded away or not."""
    return page.locator(f"{place} code").all_text_contents()


def until_still(page, seconds: float = 0.7) -> None:
    """Wait until nothing has come or gone on the page for so long: the focus goes with what is drawn anew."""
    page.evaluate(
        """wait => new Promise(done => {
          let timer;
          const again = () => { clearTimeout(timer); timer = setTimeout(end, wait); };
          const watcher = new MutationObserver(again);
          const end = () => { watcher.disconnect(); done(); };
          watcher.observe(document.body, { subtree: true, childList: true });
          again();
        })""",
        1000 * seconds,
    )


def keep(page, number: int) -> None:
    """Keep the picture of this number among those that are not kept, until the ten are drawn anew: what is pressed
    before that goes with what it was pressed on."""
    ten = page.locator("#vary-gallery")
    kept = ten.get_by_label("Let it go", exact=True)
    before = kept.count()
    ten.get_by_label("Keep", exact=True).nth(number).click()
    kept.nth(before).wait_for(timeout=PATIENCE)


def press(page, slider: str, *keys: str) -> None:
    """Move a slider by keys, as somebody does who has no mouse."""
    knob = page.locator(f"{slider} input[type=range]")
    for key in keys:
        knob.press(key)


def set_to(page, slider: str, value: float) -> None:
    """Type a slider's value; again where it was unfolded so lately that the page set it back while it was typed."""
    field, knob = (page.locator(f"{slider} input[type={kind}]") for kind in ("number", "range"))
    for _ in range(20):
        field.fill(str(value))
        field.press("Tab")
        page.wait_for_timeout(150)
        if float(knob.input_value()) == value:
            return
    raise AssertionError(f"{slider} stays at {knob.input_value()} when {value} is typed")


def in_colours(page, scheme: str) -> np.ndarray:
    """Show the page light or dark; the colour of what can be pressed there, (3,) uint8."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # nothing is between two colours
    page.wait_for_function(
        "dark => document.body.classList.contains('dark') === dark", arg=scheme == "dark", timeout=PATIENCE
    )
    accent = page.evaluate("getComputedStyle(document.body).getPropertyValue('--f-press').trim()")
    return np.frombuffer(bytes.fromhex(accent.removeprefix("#")), np.uint8)


def colours_of(element) -> np.ndarray:
    """What is seen of an element, (H, W, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"))


def accented(page, place: str, scheme: str) -> bool:
    """Whether the colour of what can be pressed is seen in an element, light or dark."""
    accent = in_colours(page, scheme)
    return bool((np.abs(colours_of(page.locator(place)).astype(int) - accent).max(2) <= 3).any())


def saved(page, link: str, folder: Path) -> Path:
    """Press a link that saves something; the file."""
    with page.expect_download(timeout=PATIENCE) as waiting:
        page.get_by_role("link", name=link, exact=True).locator("visible=true").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def nothing_amiss(page) -> None:
    """No address but the studio's was asked for, and the page complained of nothing."""
    assert page.outside == [], page.outside
    assert page.complaints == [], page.complaints


def nothing_lost(page) -> None:
    """A page that runs LATE_END has come through the ends of streams, and nothing is amiss."""
    assert page.evaluate("window.lateEnds") > 2, "no stream has ended: nothing was tried"
    nothing_amiss(page)
