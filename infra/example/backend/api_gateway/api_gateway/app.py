"""The routes of the gateway: /api/v1/auth/* is open, /api/v1/bots/* needs a token."""

import os

from api_gateway import VERSION
from api_gateway.web import HttpError

AUTHENTICATION = "/api/v1/auth"
BOTS = "/api/v1/bots"


class Application:
    """Forwards requests to the two services behind it."""

    def __init__(self, authentication, bot_manager):
        self.authentication = authentication
        self.bot_manager = bot_manager

    def respond(self, request):
        """Return the status and the document for one request."""
        if (request.method, request.path) == ("GET", "/api/v1/api_gateway/health"):
            return self.health()
        if is_below(request.path, AUTHENTICATION):
            headers = keep(request.headers, "authorization", "content-type")
            return self.forward(self.authentication, request, headers)
        if is_below(request.path, BOTS):
            # X-User is set here alone: a caller's own X-User never passes the gateway.
            headers = keep(request.headers, "content-type") | {"X-User": self.subject(request)}
            return self.forward(self.bot_manager, request, headers)
        raise HttpError(404, "no such endpoint")

    def health(self):
        """Say which service and version answers."""
        version = os.environ.get("RELEASE_VERSION", VERSION)
        return 200, {"service": "api_gateway", "version": version, "status": "ok"}

    def subject(self, request):
        """Ask authentication whose token this is."""
        headers = keep(request.headers, "authorization")
        status, document = self.authentication.call("POST", f"{AUTHENTICATION}/verify", headers)
        if status != 200:
            raise HttpError(status, document.get("error", "the token was refused"))
        return document["subject"]

    def forward(self, service, request, headers):
        """Pass the request on as it is, but for its headers."""
        return service.call(request.method, request.path, headers, request.body)


def is_below(path, prefix):
    """Whether a path is the prefix itself or lies below it."""
    return path == prefix or path.startswith(f"{prefix}/")


def keep(headers, *names):
    """Return only the named headers, those that are there."""
    return {name: headers[name] for name in names if name in headers}
