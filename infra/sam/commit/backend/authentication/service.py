"""Says whom a token belongs to. An expired token is answered with 401."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKENS = {"fresh": "ada", "expired": None}
HEALTH = "/api/v1/authentication/health"


def answer(path, token):
    """The status and the body for a request."""
    if path == HEALTH:
        return 200, {"service": "authentication", "status": "ok"}
    user = TOKENS.get(token)
    if user is None:
        return 401, {"error": "the token is unknown or has expired"}
    return 200, {"user": user}


class Handler(BaseHTTPRequestHandler):
    """Hands requests to answer()."""

    def do_GET(self):
        status, body = answer(self.path, self.headers.get("X-Token"))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def server(port):
    """A server on every interface of its container."""
    return ThreadingHTTPServer(("", port), Handler)


if __name__ == "__main__":
    server(8000).serve_forever()
