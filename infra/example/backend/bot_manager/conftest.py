"""Puts this folder on the import path and calls an application over real HTTP."""

import http.client
import json
import threading

import pytest

from bot_manager.web import create_server


@pytest.fixture
def serve():
    """Return start(respond) -> call(method, path, document, headers) -> (status, document)."""
    servers = []

    def start(respond):
        server = create_server(respond)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))

        def call(method, path, document=None, headers=None):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
            body = document if isinstance(document, (bytes, type(None))) else json.dumps(document)
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

        return call

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()
