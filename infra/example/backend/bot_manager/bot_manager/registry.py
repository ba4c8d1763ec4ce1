"""The bots in memory; a bot belongs to the owner who created it."""

import os
import threading
import uuid
from dataclasses import asdict, dataclass

MAXIMUM_BOTS = 100


class UnknownBot(Exception):
    """The owner has no bot of this id."""


class WrongState(Exception):
    """The bot is already in the state that was asked for."""


class TooManyBots(Exception):
    """The owner has as many bots as one owner may have."""


@dataclass
class Bot:
    """One bot as its owner sees it."""

    id: str
    name: str
    state: str = "stopped"


class BotRegistry:
    """Creates, lists, starts, stops and deletes bots; safe for several threads."""

    def __init__(self, maximum_bots=MAXIMUM_BOTS):
        self.maximum_bots = maximum_bots
        self.lock = threading.Lock()
        self.bots_of = {}

    @classmethod
    def from_environment(cls, environment=os.environ):
        """Allow each owner MAXIMUM_BOTS bots."""
        return cls(int(environment.get("MAXIMUM_BOTS", MAXIMUM_BOTS)))

    def create(self, owner, name):
        """Create a stopped bot."""
        with self.lock:
            bots = self.bots_of.setdefault(owner, {})
            if len(bots) >= self.maximum_bots:
                raise TooManyBots(f"an owner may have {self.maximum_bots} bots")
            bot = Bot(uuid.uuid4().hex, name)
            bots[bot.id] = bot
            return asdict(bot)

    def list(self, owner):
        """Return the owner's bots in the order of their creation."""
        with self.lock:
            return [asdict(bot) for bot in self.bots_of.get(owner, {}).values()]

    def get(self, owner, bot_id):
        """Return one bot."""
        with self.lock:
            return asdict(self._find(owner, bot_id))

    def start(self, owner, bot_id):
        """Start a stopped bot."""
        return self._move(owner, bot_id, "running")

    def stop(self, owner, bot_id):
        """Stop a running bot."""
        return self._move(owner, bot_id, "stopped")

    def delete(self, owner, bot_id):
        """Forget a bot, whatever its state, and return what it was."""
        with self.lock:
            bot = self._find(owner, bot_id)
            del self.bots_of[owner][bot_id]
            return asdict(bot)

    def _move(self, owner, bot_id, state):
        with self.lock:
            bot = self._find(owner, bot_id)
            if bot.state == state:
                raise WrongState(f"the bot is already {state}")
            bot.state = state
            return asdict(bot)

    def _find(self, owner, bot_id):
        try:
            return self.bots_of[owner][bot_id]
        except KeyError:
            raise UnknownBot(f"no bot `{bot_id}`") from None
