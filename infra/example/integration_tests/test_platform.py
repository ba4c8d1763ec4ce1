"""The platform as its users see it: through the gateway alone."""

import pytest


def token_of(gateway, subject):
    status, issued = gateway.call("POST", "/api/v1/auth/token", {"subject": subject})
    assert status == 201
    return issued["token"]


def test_a_user_creates_and_starts_a_bot(gateway):
    token = token_of(gateway, "ada")
    status, bot = gateway.call("POST", "/api/v1/bots", {"name": "greeter"}, token)
    assert status == 201
    status, started = gateway.call("POST", f"/api/v1/bots/{bot['id']}/start", token=token)
    assert (status, started["state"]) == (200, "running")
    assert gateway.call("GET", "/api/v1/bots", token=token) == (200, {"bots": [started]})


def test_users_see_their_own_bots_alone(gateway):
    ada, grace = token_of(gateway, "ada"), token_of(gateway, "grace")
    assert gateway.call("POST", "/api/v1/bots", {"name": "greeter"}, ada)[0] == 201
    assert gateway.call("GET", "/api/v1/bots", token=grace) == (200, {"bots": []})


def test_without_a_token_there_are_no_bots(gateway):
    assert gateway.call("GET", "/api/v1/bots")[0] == 401
    assert gateway.call("GET", "/api/v1/bots", token="forged.token")[0] == 401


def test_the_health_of_authentication_is_seen_through_the_gateway(gateway):
    status, health = gateway.call("GET", "/api/v1/auth/health")
    assert (status, health["service"], health["status"]) == (200, "authentication", "ok")


def test_a_service_behind_that_is_down_is_a_bad_gateway(start):
    down = start("authentication")
    gateway = start("api_gateway", AUTHENTICATION_URL=down.url)
    down.end()
    assert gateway.call("GET", "/api/v1/auth/health")[0] == 502


@pytest.mark.parametrize(
    "name, path",
    [
        ("authentication", "/api/v1/auth/health"),
        ("bot_manager", "/api/v1/bot_manager/health"),
        ("api_gateway", "/api/v1/api_gateway/health"),
    ],
)
def test_each_service_names_its_version_and_ends_cleanly(start, name, path):
    service = start(name, RELEASE_VERSION="9.9.9", DRAIN_SECONDS="0.1")
    assert service.call("GET", path) == (200, {"service": name, "version": "9.9.9", "status": "ok"})
    assert service.end() == 0
