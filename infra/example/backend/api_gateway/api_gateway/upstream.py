"""One service behind the gateway, spoken to in JSON over HTTP."""

import http.client
import json
import os
from urllib.parse import urlsplit

from api_gateway.web import HttpError

TIMEOUT_SECONDS = 5


class Upstream:
    """A service at a base URL such as http://bot-manager:8000."""

    def __init__(self, url, timeout_seconds=TIMEOUT_SECONDS):
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"`{url}` is not an http URL")
        self.host = parts.hostname
        self.port = parts.port or 80
        self.timeout_seconds = timeout_seconds

    @classmethod
    def from_environment(cls, variable, default, environment=os.environ):
        """Read the URL from a variable; the default is the Service's name in Kubernetes."""
        timeout_seconds = float(environment.get("UPSTREAM_TIMEOUT_SECONDS", TIMEOUT_SECONDS))
        return cls(environment.get(variable, default), timeout_seconds)

    def call(self, method, path, headers=None, body=b""):
        """Return the service's status and document; 502 where it cannot be spoken to."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_seconds)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HttpError(502, f"`{self.host}` does not answer") from error
        finally:
            connection.close()
