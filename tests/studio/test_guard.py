"""What the studio refuses, and that it says so once and goes on: asked over a real socket, byte for byte as sent."""

from __future__ import annotations

import http.client
import io
import json
import os
import struct
import threading
import time
import zlib

import pytest
from PIL import Image

from facette.errors import UsageError
from facette.studio import guard, serve
from facette.studio.photo import MAX_UPLOAD


@pytest.fixture(scope="module")
def there(open_studio, quick_model):
    with open_studio(quick_model, "quick", pages=("vary", "sample")) as one:
        yield one


def alive(ask) -> bool:
    return ask("GET", "/").status == 200


def refusals(caplog) -> list[str]:
    return [line.getMessage() for line in caplog.records if line.name == "facette.studio"]


def png(width: int = 40, height: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (120, 90, 60)).save(buffer, "PNG")
    return buffer.getvalue()


def bomb(side: int = 60_000) -> bytes:
    """A PNG of a few kilobytes that says it has 3,600 million pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes(3 * side + 1) * 20))
        + chunk(b"IEND", b"")
    )


PATHS = (
    *("/gradio_api/file=/etc/passwd", "/gradio_api/file=pyproject.toml", "/gradio_api/file/etc/passwd"),
    *(
        "/file=/etc/passwd",
        "/../../etc/passwd",
        "/assets/../../../../etc/passwd",
        "/static/..%2f..%2f..%2fetc/passwd",
    ),
    *(
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/static/%252e%252e/etc/passwd",
        "/assets//etc/passwd",
        "/svelte/..\\etc",
    ),
    *(
        "/held/../../etc/passwd",
        "/gradio_api/proxy=http://example.org/",
        "/gradio_api/info",
        "/gradio_api/upload",
    ),
    *(
        "/docs",
        "/redoc",
        "/openapi.json",
        "/gradio_api/openapi.json",
        "/monitoring",
        "/gradio_api/runs",
        "/login",
    ),
    *("/gradio_api/stream/a/b/c/playlist.m3u8", "/custom_component/a/b/c/d", "/gradio_api/deep_link"),
)


@pytest.mark.parametrize("path", PATHS)
def test_no_path_but_the_pages_own_is_served(ask, caplog, path):
    answer = ask("GET", path)
    assert answer.status == 404
    assert b"root:" not in answer.body
    assert len(refusals(caplog)) == 1
    assert "refused GET" in refusals(caplog)[0]


@pytest.mark.parametrize(
    "path", ["/gradio_api/upload", "/gradio_api/run/show", "/gradio_api/component_server", "/"]
)
def test_nothing_else_can_be_sent_anywhere(ask, caplog, path):
    assert ask("POST", path, b"x" * 10).status == 404
    assert len(refusals(caplog)) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_known(ask, method):
    assert ask(method, "/photo").status == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "", "127.0.0.1.evil.example", "10.0.0.9", "[::1"]
)
def test_another_name_for_this_machine_is_refused(ask, caplog, host):
    assert ask("GET", "/", host_header=host).status == 421
    assert len(refusals(caplog)) == 1
    assert ask("GET", "/", host_header="localhost").status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost.evil"]
)
def test_what_another_page_sends_is_refused(ask, there, caplog, origin):
    assert ask("POST", "/photo", png(), Origin=origin).status == 403
    assert ask("POST", "/gradio_api/queue/join", b"{}", Origin=origin).status == 403
    assert len(refusals(caplog)) == 2
    assert ask("POST", "/photo", png(), Sec_Fetch_Site="cross-site").status == 403
    assert ask("POST", "/photo", png(), Origin=there.base).status == 200


def test_a_web_socket_from_elsewhere_is_refused(ask, caplog):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    answer = ask(
        "GET",
        "/gradio_api/queue/data",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
        Origin="http://evil",
        **upgrade,
    )
    assert answer.status != 101


def test_a_body_that_is_too_large_is_refused_before_it_is_read(ask, caplog, there):
    before = there.studio.photos.weight
    assert ask("POST", "/photo", b"", content_length=str(MAX_UPLOAD + 1)).status == 413
    assert ask("POST", "/gradio_api/queue/join", b"", content_length=str(guard.MAX_BODY + 1)).status == 413
    assert ask("POST", "/photo", b"", content_length="many").status in (400, 413)
    assert len(refusals(caplog)) >= 2
    assert there.studio.photos.weight == before
    assert alive(ask)


@pytest.mark.parametrize(
    "size", [3 * 2**20, MAX_UPLOAD + 1], ids=["another page's photo", "too large a photo"]
)
def test_whoever_is_refused_while_still_sending_reads_why(ask, there, size):
    refused_by = "null" if size <= MAX_UPLOAD else there.base
    for _ in range(5):
        answer = ask("POST", "/photo", bytes(size), Origin=refused_by)
        assert answer.status == (403 if size <= MAX_UPLOAD else 413)
        assert json.loads(answer.body)["error"]


def test_who_sends_nothing_more_is_not_waited_for(ask):
    start = time.monotonic()
    assert ask("POST", "/photo", b"", content_length=str(MAX_UPLOAD + 1)).status == 413
    assert time.monotonic() - start < guard.LINGER


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(ask, caplog, monkeypatch, there):
    monkeypatch.setattr(guard, "MAX_UPLOAD", 50_000)
    before = there.studio.photos.weight
    body = b"".join(b"%x\r\n%s\r\n" % (10_000, bytes(10_000)) for _ in range(20)) + b"0\r\n\r\n"
    try:
        answer = ask("POST", "/photo", body, transfer_encoding="chunked")
        assert answer.status >= 400
    except (http.client.RemoteDisconnected, ConnectionResetError):
        pass  # hung up on, also right
    assert any("beyond the limit" in line for line in refusals(caplog))
    assert there.studio.photos.weight == before
    assert alive(ask)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"not a picture at all", "not a picture"),
        (b"%PDF-1.7\n%%EOF", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (png()[:60], "damaged"),
        (bomb(), "more than the 80,000,000 pixels"),
    ],
    ids=["empty", "text", "pdf", "eps", "svg", "cut short", "bomb"],
)
def test_what_is_no_picture_is_refused_with_a_sentence(ask, there, body, said):
    before = there.studio.photos.weight
    answer = ask("POST", "/photo", body)
    assert answer.status == 422
    assert said in json.loads(answer.body)["error"]
    assert there.studio.photos.weight == before
    assert alive(ask)


def test_a_line_of_the_log_stays_one_line(ask, caplog):
    ask("GET", "/nothing%0d%0aforged%20line%1b[31m?token=secret")
    (line,) = refusals(caplog)
    assert "\n" not in line
    assert "\x1b" not in line
    assert "secret" not in line


def test_answers_tell_the_browser_to_be_careful(ask):
    answer = ask("GET", "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe-inline" not in scripts
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ask("GET", "/studio.js").headers["cross-origin-resource-policy"] == "same-origin"
    assert b"googleapis" not in answer.body


def test_kept_bytes_are_served_to_those_who_know_where(ask, there):
    address = there.studio.downloads.put(
        "tab", "card", b"<h1>card</h1>", 'c"ard\n.html', "text/html; charset=utf-8"
    )
    answer = ask("GET", address)
    assert (answer.status, answer.body) == (200, b"<h1>card</h1>")
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert ask("GET", address[:-1] + ("a" if address[-1] != "a" else "b")).status == 404


def test_many_bad_requests_at_once_do_not_stop_the_studio(ask):
    threads = [threading.Thread(target=ask, args=("POST", "/photo", b"junk" * 50_000)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alive(ask)


# ── beyond this machine ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "studio.example"])
def test_others_are_let_in_only_when_that_was_asked_for(run, host):
    ended = run("studio", "--host", host, "--port", 0)
    assert ended.code == 2
    assert "--share-lan" in ended.err
    assert not ended.out


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_the_token_too(host):
    """Other accounts may be on it; a studio that takes another's place keeps its token."""
    assert serve.check_host(host, False)
    token = serve.door_for(host, True).token
    assert token
    assert token != serve.door_for(host, True).token
    os.environ[serve.TOKEN] = "handed-on"
    assert serve.door_for(host, True).token == "handed-on"
    assert serve.TOKEN not in os.environ


def test_a_port_that_is_taken_is_said(run):
    place = serve.bind("127.0.0.1", 0)
    place.listen()
    port = place.getsockname()[1]
    with pytest.raises(UsageError, match=f"port {port}"):
        serve.bind("127.0.0.1", port)
    place.close()
