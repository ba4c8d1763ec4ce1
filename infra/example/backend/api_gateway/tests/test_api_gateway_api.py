"""The gateway over HTTP, before two services that answer what they were asked."""

import pytest

from api_gateway import VERSION
from api_gateway.app import Application
from api_gateway.web import HttpError


class Service:
    """Stands where an upstream stands and remembers what it was asked."""

    def __init__(self, respond):
        self.respond = respond
        self.asked = []

    def call(self, method, path, headers=None, body=b""):
        """Answer as the test wants."""
        self.asked.append((method, path, headers, body))
        return self.respond(path, headers)


def verify_only_ada(path, headers):
    if path.endswith("/verify") and headers.get("authorization") != "Bearer of-ada":
        return 401, {"error": "the token was refused"}
    return 200, {"subject": "ada"}


@pytest.fixture
def authentication():
    return Service(verify_only_ada)


@pytest.fixture
def bot_manager():
    return Service(lambda path, headers: (201, {"owner": headers["X-User"]}))


@pytest.fixture
def call(serve, authentication, bot_manager):
    return serve(Application(authentication, bot_manager).respond)


def test_health_needs_no_other_service(call, authentication, bot_manager):
    health = {"service": "api_gateway", "version": VERSION, "status": "ok"}
    assert call("GET", "/api/v1/api_gateway/health") == (200, health)
    assert authentication.asked == bot_manager.asked == []


def test_authentication_is_open(call, authentication):
    assert call("POST", "/api/v1/auth/token", {"subject": "ada"})[0] == 200
    assert authentication.asked == [("POST", "/api/v1/auth/token", {}, b'{"subject": "ada"}')]


def test_bots_need_a_token(call, bot_manager):
    assert call("GET", "/api/v1/bots") == (401, {"error": "the token was refused"})
    assert call("GET", "/api/v1/bots/", headers={"Authorization": "Bearer of-eve"})[0] == 401
    assert bot_manager.asked == []


def test_the_owner_is_who_the_token_says(call, bot_manager):
    headers = {"Authorization": "Bearer of-ada", "X-User": "root", "Cookie": "secret"}
    assert call("POST", "/api/v1/bots", {"name": "x"}, headers) == (201, {"owner": "ada"})
    assert bot_manager.asked == [("POST", "/api/v1/bots", {"X-User": "ada"}, b'{"name": "x"}')]


def test_nothing_passes_while_authentication_is_down(call, authentication, bot_manager):
    def down(path, headers):
        raise HttpError(502, "`authentication` does not answer")

    authentication.respond = down
    assert call("GET", "/api/v1/bots", headers={"Authorization": "Bearer of-ada"})[0] == 502
    assert bot_manager.asked == []


@pytest.mark.parametrize("path", ["/", "/api/v1/botsy", "/api/v1/authentic", "/api/v1/other"])
def test_other_paths_are_unknown(call, authentication, bot_manager, path):
    assert call("GET", path)[0] == 404
    assert authentication.asked == bot_manager.asked == []
