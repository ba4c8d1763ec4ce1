"""The endpoints of the bot manager.

The API gateway has checked the token; the owner's name arrives in the header X-User.
"""

import os

from bot_manager import VERSION
from bot_manager.registry import TooManyBots, UnknownBot, WrongState
from bot_manager.web import HttpError

BOTS = "/api/v1/bots"
LONGEST_NAME = 64


class Application:
    """Answers requests; everything that changes lies in the registry."""

    def __init__(self, registry):
        self.registry = registry

    def respond(self, request):
        """Return the status and the document for one request."""
        if (request.method, request.path) == ("GET", "/api/v1/bot_manager/health"):
            return self.health()
        if request.path != BOTS and not request.path.startswith(f"{BOTS}/"):
            raise HttpError(404, "no such endpoint")
        owner = request.headers.get("x-user")
        if not owner:
            raise HttpError(401, "the header X-User is required")
        rest = [part for part in request.path[len(BOTS):].split("/") if part]
        try:
            return self.respond_to_owner(request, owner, rest)
        except UnknownBot as error:
            raise HttpError(404, str(error)) from error
        except (TooManyBots, WrongState) as error:
            raise HttpError(409, str(error)) from error

    def health(self):
        """Say which service and version answers."""
        version = os.environ.get("RELEASE_VERSION", VERSION)
        return 200, {"service": "bot_manager", "version": version, "status": "ok"}

    def respond_to_owner(self, request, owner, rest):
        """Route below /api/v1/bots; rest is the bot's id and perhaps what to do with it."""
        match (request.method, *rest):
            case ("GET",):
                return 200, {"bots": self.registry.list(owner)}
            case ("POST",):
                return 201, self.registry.create(owner, read_name(request))
            case ("GET", bot_id):
                return 200, self.registry.get(owner, bot_id)
            case ("DELETE", bot_id):
                return 200, self.registry.delete(owner, bot_id)
            case ("POST", bot_id, "start"):
                return 200, self.registry.start(owner, bot_id)
            case ("POST", bot_id, "stop"):
                return 200, self.registry.stop(owner, bot_id)
        raise HttpError(404, "no such endpoint")


def read_name(request):
    """Return the name in {"name": …}."""
    name = request.json().get("name")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise HttpError(400, f"`name` must be 1 to {LONGEST_NAME} characters")
    return name
