"""JSON over HTTP on the standard library: routing, request bodies, a clean end on SIGTERM."""

import json
import logging
import os
import signal
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LOGGER = logging.getLogger(__name__)
LARGEST_BODY = 64 * 1024


class HttpError(Exception):
    """An answer other than success, raised wherever the reason is known."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Request:
    """What a route needs to know of one HTTP request; header names are in lower case."""

    method: str
    path: str
    headers: dict = field(default_factory=dict)
    body: bytes = b""

    def json(self):
        """Return the body's JSON object."""
        try:
            document = json.loads(self.body or b"{}")
        except ValueError as error:
            raise HttpError(400, "the body is not JSON") from error
        if not isinstance(document, dict):
            raise HttpError(400, "the body is not a JSON object")
        return document


def create_server(respond, host="127.0.0.1", port=0):
    """Return a server that answers each request with respond(request) -> (status, document)."""

    class Handler(BaseHTTPRequestHandler):
        # HTTP/1.0 closes the connection after each answer, so that the end of the process
        # waits for answers under way and never for an idle connection.
        protocol_version = "HTTP/1.0"
        timeout = 10

        def handle_request(self):
            """Answer one request, whatever its method."""
            try:
                status, document = respond(self.read_request())
            except HttpError as error:
                status, document = error.status, {"error": error.message}
            except Exception:
                LOGGER.exception("%s %s failed", self.command, self.path)
                status, document = 500, {"error": "internal error"}
            payload = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_DELETE = handle_request

        def read_request(self):
            """Read the body, refusing a length that is absurd."""
            try:
                length = int(self.headers.get("Content-Length") or 0)
            except ValueError as error:
                raise HttpError(400, "Content-Length is not a number") from error
            if not 0 <= length <= LARGEST_BODY:
                raise HttpError(413, f"the body is larger than {LARGEST_BODY} bytes")
            headers = {name.lower(): value for name, value in self.headers.items()}
            return Request(self.command, urlsplit(self.path).path, headers, self.rfile.read(length))

        def log_message(self, format, *args):
            """Write the access log as an ordinary log line."""
            LOGGER.info("%s %s", self.address_string(), format % args)

    class Server(ThreadingHTTPServer):
        # Closing the server joins the threads of answers under way.
        daemon_threads = False

    return Server((host, port), Handler)


def serve(respond):
    """Serve until SIGTERM or SIGINT; HOST, PORT and DRAIN_SECONDS come from the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    host = os.environ.get("HOST", "127.0.0.1")
    server = create_server(respond, host, int(os.environ.get("PORT", "8000")))
    drain_seconds = float(os.environ.get("DRAIN_SECONDS", "0"))
    ending = threading.Event()

    def end(signal_number, frame):
        ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    LOGGER.info("listening on %s:%s", host, server.server_port)
    ending.wait()
    # Kubernetes sends SIGTERM and takes the pod out of its Service at the same moment:
    # requests still arrive for a short while, and are answered.
    LOGGER.info("ending, draining for %s s", drain_seconds)
    threading.Event().wait(drain_seconds)
    server.shutdown()
    thread.join()
    server.server_close()
