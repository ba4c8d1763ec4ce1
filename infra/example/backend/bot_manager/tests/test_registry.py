"""The registry of bots."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bot_manager.registry import BotRegistry, TooManyBots, UnknownBot, WrongState


@pytest.fixture
def registry():
    return BotRegistry(maximum_bots=3)


def test_a_new_bot_is_stopped(registry):
    bot = registry.create("ada", "greeter")
    assert (bot["name"], bot["state"]) == ("greeter", "stopped")
    assert registry.list("ada") == [bot]


def test_a_bot_starts_and_stops_once(registry):
    bot_id = registry.create("ada", "greeter")["id"]
    assert registry.start("ada", bot_id)["state"] == "running"
    with pytest.raises(WrongState):
        registry.start("ada", bot_id)
    assert registry.stop("ada", bot_id)["state"] == "stopped"
    with pytest.raises(WrongState):
        registry.stop("ada", bot_id)


def test_a_bot_is_seen_by_its_owner_alone(registry):
    bot_id = registry.create("ada", "greeter")["id"]
    assert registry.list("grace") == []
    for ask in (registry.get, registry.start, registry.stop, registry.delete):
        with pytest.raises(UnknownBot):
            ask("grace", bot_id)


def test_a_deleted_bot_is_gone(registry):
    bot = registry.create("ada", "greeter")
    assert registry.delete("ada", bot["id"]) == bot
    with pytest.raises(UnknownBot):
        registry.get("ada", bot["id"])


def test_an_owner_has_a_limit_that_threads_cannot_break(registry):
    def create(number):
        try:
            return registry.create("ada", f"bot {number}")
        except TooManyBots:
            return None

    with ThreadPoolExecutor(8) as threads:
        created = [bot for bot in threads.map(create, range(20)) if bot]
    assert len(created) == len(registry.list("ada")) == 3


def test_the_limit_comes_from_the_environment():
    registry = BotRegistry.from_environment({"MAXIMUM_BOTS": "1"})
    registry.create("ada", "first")
    with pytest.raises(TooManyBots):
        registry.create("ada", "second")
