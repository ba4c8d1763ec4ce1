"""The life of the process: it serves, and SIGTERM ends it without cutting an answer off."""

import http.client
import logging
import os
import signal
import threading

import pytest

from api_gateway import web


class AtStart(logging.Handler):
    """Calls a function with the port in a thread of its own once the server listens."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.thread = None

    def emit(self, record):
        """Recognise the one line that names the port."""
        if record.msg.startswith("listening on"):
            self.thread = threading.Thread(target=self.function, args=(record.args[1],))
            self.thread.start()


@pytest.fixture
def restored_signals():
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


def test_an_answer_under_way_is_finished(monkeypatch, caplog, restored_signals):
    statuses = []

    def ask(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        statuses.append(connection.getresponse().status)

    def respond(request):
        os.kill(os.getpid(), signal.SIGTERM)
        return 200, {}

    monkeypatch.setenv("PORT", "0")
    caplog.set_level(logging.INFO)
    at_start = AtStart(ask)
    web.LOGGER.addHandler(at_start)
    try:
        web.serve(respond)
    finally:
        web.LOGGER.removeHandler(at_start)
    at_start.thread.join()
    assert statuses == [200]
