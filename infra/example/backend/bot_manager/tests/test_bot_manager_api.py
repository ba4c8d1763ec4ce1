"""The bot manager over HTTP."""

import pytest

from bot_manager import VERSION
from bot_manager.app import Application
from bot_manager.registry import BotRegistry

ADA = {"X-User": "ada"}


@pytest.fixture
def call(serve):
    return serve(Application(BotRegistry(maximum_bots=1)).respond)


@pytest.fixture
def bot_id(call):
    status, bot = call("POST", "/api/v1/bots", {"name": "greeter"}, ADA)
    assert status == 201
    return bot["id"]


def test_health_names_service_and_version(call):
    health = {"service": "bot_manager", "version": VERSION, "status": "ok"}
    assert call("GET", "/api/v1/bot_manager/health") == (200, health)


def test_the_life_of_a_bot(call, bot_id):
    bot = {"id": bot_id, "name": "greeter", "state": "stopped"}
    assert call("GET", "/api/v1/bots", headers=ADA) == (200, {"bots": [bot]})
    running = bot | {"state": "running"}
    assert call("POST", f"/api/v1/bots/{bot_id}/start", headers=ADA) == (200, running)
    assert call("GET", f"/api/v1/bots/{bot_id}", headers=ADA) == (200, running)
    assert call("POST", f"/api/v1/bots/{bot_id}/start", headers=ADA)[0] == 409
    assert call("POST", f"/api/v1/bots/{bot_id}/stop", headers=ADA) == (200, bot)
    assert call("DELETE", f"/api/v1/bots/{bot_id}", headers=ADA) == (200, bot)
    assert call("GET", f"/api/v1/bots/{bot_id}", headers=ADA)[0] == 404


def test_one_bot_too_many_is_a_conflict(call, bot_id):
    assert call("POST", "/api/v1/bots", {"name": "second"}, ADA)[0] == 409


def test_an_owner_is_required(call):
    assert call("GET", "/api/v1/bots")[0] == 401


@pytest.mark.parametrize("name", [None, "", 7, "x" * 65])
def test_a_name_is_required(call, name):
    assert call("POST", "/api/v1/bots", {"name": name}, ADA)[0] == 400


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_object_is_refused(call, body):
    assert call("POST", "/api/v1/bots", body, ADA)[0] == 400


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/"),
        ("GET", "/api/v1/botsy"),
        ("DELETE", "/api/v1/bots"),
        ("POST", "/api/v1/bots/id/fly"),
        ("GET", "/api/v1/bots/id/start/now"),
    ],
)
def test_other_paths_and_methods_are_unknown(call, method, path):
    assert call(method, path, headers=ADA)[0] == 404
