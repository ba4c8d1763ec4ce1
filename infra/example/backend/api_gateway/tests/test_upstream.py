"""Speaking to the services behind the gateway."""

import socket
import threading

import pytest

from api_gateway.upstream import Upstream
from api_gateway.web import LARGEST_BODY, HttpError, create_server


@pytest.fixture
def upstream():
    """Return an upstream whose service answers with the document it was sent."""
    server = create_server(lambda request: (200, {"path": request.path} | request.json()))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Upstream(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_document_goes_there_and_back(upstream):
    answer = upstream.call("POST", "/bots?page=2", body=b'{"name": "greeter"}')
    assert answer == (200, {"path": "/bots", "name": "greeter"})


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"x" * LARGEST_BODY])
def test_what_the_service_refuses_is_refused(upstream, body):
    assert upstream.call("POST", "/", body=body)[0] == 400


@pytest.mark.parametrize(
    "length, status", [("x", 400), ("-1", 413), (str(LARGEST_BODY + 1), 413)]
)
def test_an_absurd_length_is_refused_unread(upstream, length, status):
    assert upstream.call("POST", "/", {"Content-Length": length})[0] == status


def test_the_url_comes_from_the_environment():
    environment = {"BOT_MANAGER_URL": "http://bots.example:81", "UPSTREAM_TIMEOUT_SECONDS": "2"}
    upstream = Upstream.from_environment("BOT_MANAGER_URL", "http://bot-manager:8000", environment)
    assert (upstream.host, upstream.port, upstream.timeout_seconds) == ("bots.example", 81, 2)


def test_the_default_is_the_service_name():
    upstream = Upstream.from_environment("BOT_MANAGER_URL", "http://bot-manager:8000", {})
    assert (upstream.host, upstream.port) == ("bot-manager", 8000)


@pytest.mark.parametrize("url", ["", "bot-manager:8000", "https://bot-manager", "file:///x"])
def test_anything_but_an_http_url_is_refused(url):
    with pytest.raises(ValueError):
        Upstream(url)


def test_a_service_that_is_down_is_a_bad_gateway():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        upstream = Upstream(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(HttpError) as raised:
            upstream.call("GET", "/")
    assert raised.value.status == 502


def test_a_service_that_never_answers_is_a_bad_gateway():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = Upstream(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.1)
        with pytest.raises(HttpError) as raised:
            upstream.call("GET", "/")
    assert raised.value.status == 502
