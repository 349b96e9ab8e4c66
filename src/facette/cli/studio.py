"""`facette studio`: Facette in the browser, on this machine."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from facette.cli.model import Model, Plain
from facette.cli.output import Device, remark
from facette.models import DEFAULT_MODEL

LEAVING = 10  # seconds for what is being drawn when the studio closes


def studio(
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65535, help="0 takes any free one.  [default: the first free from 7860]"
        ),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    share_lan: Annotated[
        bool,
        typer.Option("--share-lan", help="Let others on the network in, by an address with a token in it."),
    ] = False,
    runs: Annotated[
        Path,
        typer.Option("--runs", help="The folder of the runs that are trained and shown.", file_okay=False),
    ] = Path("runs"),
    device: Device = "auto",
) -> None:
    """Open the studio: one page to vary, blend, edit, map, sample, compare, evaluate and train. It needs no network."""
    import os
    import signal
    import sys

    from facette.errors import import_extra
    from facette.studio import serve

    loopback = serve.check_host(host, share_lan)
    place = serve.bind(host, port)
    used = place.getsockname()[1]
    with closing(place), serve.private_folder():
        for library in ("fastapi", "uvicorn"):  # Gradio is imported when its telemetry is off
            import_extra(library, "studio", "The studio")
        from facette.cli.model import open_model
        from facette.latent.inputs import image_size
        from facette.studio.app import PAGES, SHARED_PAGES, Studio, build

        opened = open_model(model, device, plain, light=True)
        image_size(opened)  # refuses models of points
        door = serve.door_for(host, loopback)
        address = serve.address_of(place, door)
        serve.quiet_logs()

        def ready() -> None:
            typer.echo(address)
            remark("the studio is open there; Ctrl-C closes it")
            if open_browser:
                import webbrowser

                webbrowser.open(address)

        pages = PAGES if loopback else SHARED_PAGES
        rooms = Studio(opened, model, runs, shared=not loopback, plain=plain, device=device)
        app = build(rooms, door, pages)
        server = serve.server_of(app, ready)
        wanted: list[str] = []

        def reopen(name: str) -> None:
            wanted.append(name)
            server.should_exit = True

        rooms.reopen = reopen
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it, too, leaves nothing behind
        with suppress(KeyboardInterrupt):
            server.run(sockets=[place])
        rooms.at_work.end(LEAVING)
    if wanted and door.token:
        os.environ[serve.TOKEN] = door.token
    if wanted:  # with a model of other sizes nothing of this process is of use
        again = ["studio", "--model", wanted[-1], "--host", host, "--port", str(used), "--runs", str(runs)]
        again += [
            "--device",
            device,
            *(["--plain"] if plain else []),
            *(["--share-lan"] if share_lan else []),
        ]
        os.execv(sys.executable, [sys.executable, "-m", "facette", *again])
