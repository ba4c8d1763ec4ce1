"""Starts the three services as processes of their own, as a pod would."""

import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BACKEND = Path(__file__).resolve().parent.parent / "backend"


class Service:
    """One running service."""

    def __init__(self, name, **environment):
        variables = {"PORT": "0", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", name],
            cwd=BACKEND / name,
            env=os.environ | variables | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.port = self.read_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def read_port(self):
        """Wait for the line that names the port; the end of the process ends the wait."""
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if found := re.search(r"listening on .*:(\d+)$", line.rstrip()):
                return int(found.group(1))
        raise AssertionError("the service ended at start:\n" + "".join(lines))

    def call(self, method, path, document=None, token=None):
        """Return the status and the document of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = None if document is None else json.dumps(document)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def end(self):
        """Ask the service to end and return its exit code."""
        self.process.terminate()
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def start():
    """Return start(name, **environment) -> Service; all are ended after the test."""
    started = []

    def start_service(name, **environment):
        service = Service(name, **environment)
        started.append(service)
        return service

    yield start_service
    for service in started:
        service.process.kill()
        service.process.communicate()


@pytest.fixture
def gateway(start):
    """Return the gateway, with the other two services behind it."""
    return start(
        "api_gateway",
        AUTHENTICATION_URL=start("authentication").url,
        BOT_MANAGER_URL=start("bot_manager").url,
    )
