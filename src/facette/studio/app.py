"""The studio as one application: its pages in Gradio, its own addresses beside them, the guard before everything.

Enters: a loaded model and how the studio is bound. Leaves: an ASGI application. Knows nothing of sockets
(`serve.py`).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections import ChainMap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

from facette.errors import FacetteError, UsageError, import_extra
from facette.models import DEFAULT_MODEL
from facette.runtime import yield_to_others
from facette.studio.apart import NamedModel
from facette.studio.downloads import ADDRESS, Downloads
from facette.studio.events import ActiveWork
from facette.studio.guard import UPLOAD, Door, Guard
from facette.studio.photo import Choice, NoFaceError, Photos, photo_words
from facette.studio.state import PreparedPhotos
from facette.studio.theme import HEAD, look
from facette.studio.visitors import Visitors

# In the order of the tabs. Each is a file in `pages/` with one function `page(studio)`.
PAGES = ("vary", "blend", "edit", "map", "sample", "compare", "evaluate", "train")
SHARED_PAGES = ("vary", "blend", "edit", "map", "sample")  # the others read and write folders of this machine
PHOTOS_AT_ONCE = 2  # being decoded: each may take 240 MB meanwhile
DRAWN_MOST = 200_000  # pictures of a generated collection
WAITING = 256  # events that may stand in the queue


@dataclass(eq=False)
class Studio:
    """What every page works with."""

    model: Any  # of pictures, as the commands open it to draw: mostly without torch
    model_name: str  # as on the command line
    runs: Path = Path("runs")  # the folder whose runs are trained and shown, and the only one
    shared: bool = False  # with others on the network, who may not look into this machine's folders
    plain: bool = False  # whether the model was opened without its second stage
    device: str = "auto"  # for what computes by torch
    downloads: Downloads = field(default_factory=Downloads)
    photos: Photos = field(init=False)
    prepared: PreparedPhotos = field(init=False)
    turn: threading.Lock = field(default_factory=threading.Lock)  # held while the model is used
    at_work: ActiveWork = field(default_factory=ActiveWork)
    visitors: Visitors = field(default_factory=Visitors)
    # opens the studio again with another model, where that can be done
    reopen: Callable[[str], None] | None = None
    examples: Any = None  # pictures to begin with, drawn when the page is first opened

    def __post_init__(self) -> None:
        self.photos = Photos(self.model)
        self.prepared = PreparedPhotos(self.model, self.photos)

    @property
    def named(self) -> NamedModel:
        """The same model for another process, where torch computes it: the studio itself never loads that."""
        return NamedModel(self.model_name, self.plain, self.device)

    def readable(self, source: str) -> str:
        """A folder, zip or file that was typed. Raises UsageError for one that may not be read, or for nothing."""
        source = source.strip()
        if not source:
            raise UsageError(
                "nothing is named: type a folder or a zip of pictures, or synthetic-faces:COUNT."
            )
        drawn = re.fullmatch(r"(synthetic-faces|synthetic-mixture)(?::([0-9]{1,12}))?", source)
        if drawn is None and self.shared:
            raise UsageError(f"this studio is shared on the network and reads no folders such as {source!r}.")
        if drawn is not None and int(drawn[2] or 0) > DRAWN_MOST:
            raise UsageError(
                f"the studio draws at most {DRAWN_MOST:,} pictures; the command line takes any count."
            )
        return source

    def command_words(self) -> list[str]:
        """The model as arguments of a command; none for the one that commands take by themselves."""
        named = [] if self.model_name == DEFAULT_MODEL else ["--model", self.model_name]
        return [*named, *(["--plain"] if self.plain else [])]


def build(studio: Studio, door: Door, pages: Sequence[str] = PAGES) -> Any:
    """The application with these pages. Raises MissingExtraError where Gradio or FastAPI is not installed."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    # else it keeps ten thousand, and tabulates them at every one
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**62)
    import_extra("gradio", "studio", "The studio")
    fastapi = import_extra("fastapi", "studio", "The studio")
    app = fastapi.FastAPI(title="Facette studio", docs_url=None, redoc_url=None, openapi_url=None)
    _own_addresses(app, studio)
    within_a_loop(lambda: _mount(app, studio, pages))
    return Guard(app, door, studio.visitors, studio.at_work.rest)


def _mount(app: Any, studio: Studio, pages: Sequence[str]) -> None:
    """The pages under `/`, with everything off that the framework would offer besides."""
    import gradio as gr

    theme, css = look()
    blocks = _blocks(studio, pages)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        allowed_paths=[],
        blocked_paths=["/"],
        show_error=True,
        max_file_size=0,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme,
        css=css,
        head=HEAD,
    )
    keep_little_of_each_page(blocks)


def keep_little_of_each_page(blocks: Any) -> None:
    """Keep of a browser's page what its events changed, and no more.

    Gradio describes every control anew for every page that comes (0.1 s and a megabyte, in the server's loop), and
    keeps the last value of each, for links to a page's state that are not served here.
    """
    from gradio.blocks import BlocksConfig

    class Undescribed(BlocksConfig):
        def __copy__(self) -> Undescribed:
            own: Any = Undescribed(self.root_block)
            own.blocks, own.fns, own.fn_id = ChainMap({}, self.blocks), self.fns, self.fn_id
            return own

        @staticmethod
        def config_for_block(*_: Any) -> dict[str, Any]:
            return {}

    every, shared = Undescribed(blocks), blocks.default_config
    every.blocks, every.fns, every.fn_id = shared.blocks, shared.fns, shared.fn_id
    blocks.state_holder.blocks = SimpleNamespace(default_config=every, blocks=())


def within_a_loop(call: Callable[[], None]) -> None:
    """Gradio makes locks where no event loop runs by opening one for each, and closes none of them."""

    async def called() -> None:
        call()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(called())
    else:
        call()


def _blocks(studio: Studio, pages: Sequence[str]) -> Any:
    from importlib import import_module

    import gradio as gr

    with gr.Blocks(title="Facette studio", analytics_enabled=False) as blocks:
        gr.HTML(
            f'<header class="house" title="{_described(studio)}"><h1>Facette</h1>'
            "<p>Give a photo and see relatives of that person who do not exist. Nothing leaves this machine.</p>"
            "</header>"
        )
        with gr.Tabs(elem_id="pages", overflow_behavior="wrap"):
            for name in pages:
                with gr.Tab(name.capitalize(), id=name, elem_id=f"page-{name}"):
                    import_module(f"facette.studio.pages.{name}").page(studio)
        # that events are heard: messages.js keeps its own until then
        heard = gr.HTML(elem_classes="hidden-input")
        blocks.load(
            lambda: "<i data-heard></i>", None, heard, show_progress="hidden", api_visibility="private"
        )
    blocks.queue(max_size=WAITING, api_open=False, status_update_rate="auto")
    return blocks


def _described(studio: Studio) -> str:
    from html import escape

    high, wide = studio.model.input.shape
    return f"Model {escape(studio.model.name)}, {wide} × {high} pixels"


def _faces_in_photo(studio: Studio, chosen: str) -> dict[str, Any]:
    """Everybody in a photo, the largest first, asked for once its largest face is on the page."""
    from facette.studio.parts import preview_address

    return {"faces": [preview_address(face) for face in studio.photos.faces(Choice.of(chosen).token)]}


def _catalogues(faces: bool) -> bytes:
    """The words of the page in other languages, as the script looks them up. Where a model is not one of `faces`, those
    of words/of_pictures take the place of what is said of faces and people, in English too."""
    folder = files("facette.studio").joinpath("words")
    words = _read_catalogues(folder)
    if not faces:
        for language, ours in _read_catalogues(folder.joinpath("of_pictures")).items():
            words[language] = words.get(language, {}) | ours
    return f"const WORDS = {json.dumps(words, ensure_ascii=False)};\n".encode()


def _read_catalogues(folder: Traversable) -> dict[str, dict[str, str]]:
    """By language."""
    return {
        file.name.removesuffix(".json"): json.loads(file.read_text("utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".json")
    }


def _photo_in_box(studio: Studio, data: bytes, name: str, chosen: str, fleeting: bool) -> dict[str, Any]:
    """What a photo box shows of a photo that came, or of another face of one that is kept.

    The face is searched here, beside everybody's work with the model. Raises as `Photos.put` and `Photos.take` do; a
    photo without a face is no error but "refused": its middle can be taken.
    """
    from facette.studio.parts import preview_address

    choice = Choice.of(chosen or studio.photos.put(data, name, fleeting))
    described: dict[str, Any] = {"photo": str(choice), "token": choice.token}
    try:
        photo = studio.photos.take(str(choice))
    except NoFaceError as error:
        return {**described, "refused": str(error)}
    words, warnings = photo_words(photo.report)
    shown = preview_address(photo.picture)
    return {
        **described,
        "name": photo.name,
        "shown": shown,
        "words": words,
        "warnings": warnings,
    }


def _own_addresses(app: Any, studio: Studio) -> None:
    """Photos in, kept bytes out, and the page's own style and script."""
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import JSONResponse, Response
    from starlette.requests import ClientDisconnect

    # A search takes a second of computing: it yields to whoever draws.
    searching = ThreadPoolExecutor(PHOTOS_AT_ONCE, "photo", initializer=yield_to_others)

    async def take_photo(request: Any) -> Response:
        name = unquote(request.headers.get("x-name", "photo"))
        chosen = request.headers.get("x-photo", "")  # another face of a photo that is kept here
        fleeting = "x-fleeting" in request.headers
        try:
            data = await request.body()  # in memory; the guard has counted it
            described_by = (
                partial(_faces_in_photo, studio, chosen)
                if "x-faces" in request.headers
                else partial(_photo_in_box, studio, data, name, chosen, fleeting)
            )
            described = await asyncio.get_running_loop().run_in_executor(searching, described_by)
        except ClientDisconnect:
            return JSONResponse({"error": "The photo did not come whole."}, status_code=400)
        except FacetteError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse(described)

    async def held(request: Any) -> Response:
        item = studio.downloads.find(request.path_params["token"])
        if item is None:
            return JSONResponse({"error": "this is no longer kept here: make it again."}, status_code=404)
        content = item.content
        body = content if isinstance(content, bytes) else await run_in_threadpool(content)
        shown = "inline" if item.kind.startswith("text/html") else "attachment"
        headers = {"content-disposition": f"{shown}; filename*=UTF-8''{quote(item.name)}"}
        if shown == "inline":  # a report with pictures and its own scripts, in a room of its own
            headers["content-security-policy"] = (
                "sandbox allow-scripts allow-downloads; default-src 'none'; img-src data: blob:; "
                "style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src data:"
            )
        return Response(body, media_type=item.kind, headers=headers)

    def asset(kind: str, *names: str, before: bytes = b"") -> Any:
        folder = files("facette.studio").joinpath("assets")
        content = before + b"\n".join(folder.joinpath(name).read_bytes() for name in names)

        async def give(request: Any) -> Response:
            return Response(content, media_type=kind)

        return give

    app.add_route(UPLOAD, take_photo, methods=["POST"])
    app.add_route(f"{ADDRESS}{{token}}", held, methods=["GET", "HEAD"])
    scripts = ("streams.js", "messages.js", "photos.js", "looking.js", "words.js", "map.js")
    app.add_route(
        "/studio.js",
        asset("text/javascript", *scripts, before=_catalogues(studio.model.input.frame is not None)),
        methods=["GET"],
    )
    app.add_route("/studio.css", asset("text/css", "studio.css", "pages.css"), methods=["GET"])
