import json
import threading
import urllib.request

import service


def test_a_fresh_token_has_a_user():
    assert service.answer("/whoami", "fresh") == (200, {"user": "ada"})


def test_an_expired_token_is_refused():
    status, _ = service.answer("/whoami", "expired")
    assert status == 401


def test_the_server_is_healthy():
    server = service.server(0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}{service.HEALTH}"
    with urllib.request.urlopen(url, timeout=10) as response:
        assert json.load(response)["status"] == "ok"
    server.shutdown()
    server.server_close()
