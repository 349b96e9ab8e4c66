"""One studio and one browser for the tests of this room: a real server on loopback, a real Chromium, no network."""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from studio_page import MAPPED, PATIENCE

if find_spec("gradio") is None:  # looked for, not imported: every process that tests collects this room
    pytest.skip("the studio's tests need its extra", allow_module_level=True)

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"  # ignored by git, kept by CI


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the warnings of others be warnings where a studio answers in threads of this process.

    The filters of warnings belong to the process: what a library silences for itself in one thread
    (`warnings.catch_warnings`) comes back as soon as another thread leaves its own, and is an error then.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))
            item.add_marker(pytest.mark.filterwarnings("error:::facette"))


@dataclass(frozen=True, slots=True)
class Open:
    """A studio that answers."""

    address: str  # http://127.0.0.1:PORT/, with the token where there is one
    studio: object

    @property
    def base(self) -> str:
        return self.address.partition("?")[0].rstrip("/")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="session")
def model():
    """The bundled model as the commands and the studio draw with it."""
    from facette.cli.model import open_model

    return open_model("faces128", "auto", light=True)


@pytest.fixture(scope="session")
def small_map():
    """Maps of the model's own samples are small and soon drawn, as where the libraries of the better projections are
    not installed: many a page draws one on the way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("facette.studio.pages.map.SAMPLES", MAPPED)
        patch.setattr("facette.studio.chart.find_spec", lambda library: None)
        yield


@pytest.fixture(scope="session")
def open_studio(small_map):
    """Open a studio: `with open_studio(model, "faces128") as there:`."""
    from contextlib import closing, contextmanager

    from facette.studio import serve
    from facette.studio.app import PAGES, Studio, build

    @contextmanager
    def opened(
        model, name: str, pages=PAGES, host: str = "127.0.0.1", share_lan: bool = False, **options
    ) -> Iterator[Open]:
        loopback = serve.check_host(host, share_lan)
        door = serve.door_for(host, loopback, token=False)
        answers = threading.Event()
        with closing(serve.bind(host, 0)) as place, serve.private_folder():
            studio = Studio(model, name, **options)
            server = serve.server_of(build(studio, door, pages), answers.set)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
            thread.start()
            assert answers.wait(60), "the studio did not open"
            yield Open(serve.address_of(place, door), studio)
            server.should_exit = True
            thread.join(30)
            assert studio.at_work.end(60), "something is still being drawn"

    return opened


@pytest.fixture(scope="session")
def there(open_studio, model, tmp_path_factory) -> Iterator[Open]:
    """One studio with the bundled model and all pages, for every test that needs none of its own."""
    runs = tmp_path_factory.mktemp("runs")
    with open_studio(model, "faces128", runs=runs) as one:
        yield one


@pytest.fixture
def ask(there, caplog):
    """Send a request exactly as it is written; `caplog` sees what the studio says of it."""
    caplog.set_level(logging.WARNING, "facette.studio")
    host, port = there.base.removeprefix("http://").split(":")

    def call(
        method: str, path: str, body: bytes | None = None, host_header: str | None = None, **headers: str
    ):
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"{host}:{port}" if host_header is None else host_header)
        if body is not None and "content_length" not in headers and "transfer_encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        try:
            if body is not None:
                connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has stopped listening, which is the point
        answer = connection.getresponse()
        found = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        connection.close()
        return found

    return call


@pytest.fixture
def visit(browser):
    """Open a page of a studio: `page = visit(there)`. What it asked for and complained of is in page.asked and
    page.complaints; every address but the studio's leads nowhere (`browser`) and is recorded in page.outside. `script`
    runs before those of the page."""
    contexts = []

    def call(there: Open, tab: str = "", width: int = 1200, height: int = 900, script: str = "", **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        context.add_init_script(script)
        asked, outside, complaints = [], [], []
        ours = (there.base, "data:", "blob:")

        def record(request) -> None:
            asked.append(request.url)
            if not request.url.startswith(ours):
                outside.append(request.url)

        context.on("request", record)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(there.address)
        page.get_by_role("tablist").first.wait_for()
        if tab:
            page.get_by_role("tab", name=tab, exact=True).click()
        page.asked, page.outside, page.complaints = asked, outside, complaints
        return page

    yield call
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def photograph(tmp_path_factory, drawn_faces) -> Path:
    """A photo of nobody: a face that the bundled model drew, enlarged."""
    from PIL import Image

    path = tmp_path_factory.mktemp("photograph") / "anna.png"
    Image.fromarray(drawn_faces[3]).resize((256, 256), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="session")
def hopper() -> Path:
    """A photo in the public domain that comes with matplotlib."""
    from facette.cli.demo import find_photo

    return find_photo("hopper")


@pytest.fixture(scope="session")
def group(hopper, tmp_path_factory) -> Path:
    """A photo of two."""
    path = tmp_path_factory.mktemp("group") / "group.png"
    with Image.open(hopper) as photo:
        two = Image.new("RGB", (2 * photo.width, photo.height))
        for place in (0, photo.width):
            two.paste(photo, (place, 0))
    two.save(path)
    return path


@pytest.fixture(scope="session")
def anna(tmp_path_factory, anna_face) -> Path:
    """A photo of nobody, in the model's own frame and at its size: what the page shows of it is exact."""
    from PIL import Image

    path = tmp_path_factory.mktemp("anna") / "anna.png"
    Image.fromarray(anna_face).save(path)
    return path


@pytest.fixture(scope="session")
def photos(tmp_path_factory, drawn_faces) -> list[Path]:
    """Four pictures of nobody in the model's own frame, so that what a page takes in is known to the pixel."""
    folder = tmp_path_factory.mktemp("four")
    paths = [folder / f"{name}.png" for name in ("ada", "ben", "cleo", "dan")]
    for path, face in zip(paths, drawn_faces[10:14], strict=True):
        Image.fromarray(face).save(path)
    return paths


@pytest.fixture(scope="session")
def anna_face(drawn_faces):
    """The same as an array."""
    return drawn_faces[3]


@pytest.fixture(scope="session")
def relatives(model):
    """What the page Vary must show of a face, at a level or a number, as the commands draw it."""
    from facette.latent import vary
    from facette.latent.levels import choose_setting

    def draw(face, diversity="auto", **options):
        level = diversity if isinstance(diversity, str) else "auto"
        setting = choose_setting(model, level)
        strength = setting.strength if isinstance(diversity, str) else diversity
        return vary(model, face, diversity=strength, noise=setting.noise, **options)

    return draw


@pytest.fixture
def shot():
    """Keep a picture of the page for looking at: `shot(page, "vary")`."""

    def call(page, name: str) -> Path:
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return call
