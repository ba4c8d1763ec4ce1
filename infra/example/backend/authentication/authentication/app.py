"""The endpoints of the authentication service."""

import os
import re

from authentication import VERSION
from authentication.tokens import InvalidToken
from authentication.web import HttpError

# Other services receive the subject in an HTTP header.
SUBJECT = re.compile(r"[A-Za-z0-9._@+-]{1,64}")


class Application:
    """Answers requests; everything that changes lies in the token issuer."""

    def __init__(self, issuer):
        self.issuer = issuer
        self.routes = {
            ("GET", "/api/v1/auth/health"): self.health,
            ("POST", "/api/v1/auth/token"): self.issue,
            ("POST", "/api/v1/auth/verify"): self.verify,
        }

    def respond(self, request):
        """Return the status and the document for one request."""
        route = self.routes.get((request.method, request.path))
        if route is None:
            raise HttpError(404, "no such endpoint")
        return route(request)

    def health(self, request):
        """Say which service and version answers."""
        version = os.environ.get("RELEASE_VERSION", VERSION)
        return 200, {"service": "authentication", "version": version, "status": "ok"}

    def issue(self, request):
        """Issue a token for {"subject": …}."""
        subject = request.json().get("subject")
        if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
            raise HttpError(400, "`subject` must be 1 to 64 letters, digits or one of ._@+-")
        token = self.issuer.issue(subject)
        return 201, {"token": token, "expires_in": self.issuer.lifetime_seconds}

    def verify(self, request):
        """Verify the bearer token and name its subject."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise HttpError(401, "a bearer token is required")
        try:
            payload = self.issuer.verify(token.strip())
        except InvalidToken as error:
            raise HttpError(401, str(error)) from error
        return 200, {"subject": payload["sub"], "expires_at": payload["exp"]}
