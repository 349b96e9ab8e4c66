"""A studio for the network, with its token; asked by way of loopback, which is all that a test may use."""

from __future__ import annotations

import pytest
from test_guard import png, refusals


@pytest.fixture(scope="module")
def there(open_studio, quick_model):
    with open_studio(quick_model, "quick", pages=("sample",), host="0.0.0.0", share_lan=True) as one:
        port = one.base.rpartition(":")[2]
        yield type(one)(f"http://127.0.0.1:{port}/?{one.address.partition('?')[2]}", one.studio)


def test_without_the_token_nothing_is_given(ask, caplog):
    for path in ("/", "/config", "/studio.js", "/?token=wrong", "/?token="):
        assert ask("GET", path).status == 401
    assert ask("POST", "/photo", png()).status == 401
    assert ask("GET", "/", Cookie="facette-token=wrong").status == 401
    assert len(refusals(caplog)) == 7


def test_the_printed_address_lets_in_and_hides_the_token(ask, there):
    answer = ask("GET", "/?" + there.address.partition("?")[2])
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert ask("GET", "/", Cookie=cookie.partition(";")[0]).status == 200
    assert ask("GET", "/gradio_api/file=/etc/passwd", Cookie=cookie.partition(";")[0]).status == 404


def test_an_address_in_numbers_is_ours_and_a_strange_name_is_not(ask):
    assert ask("GET", "/", host_header="192.168.1.4:7860").status == 401
    assert ask("GET", "/", host_header="evil.example").status == 421
