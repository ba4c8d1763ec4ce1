"""The authentication service over HTTP."""

import pytest

from authentication import VERSION
from authentication.app import Application
from authentication.tokens import TokenIssuer
from authentication.web import LARGEST_BODY


@pytest.fixture
def call(serve):
    return serve(Application(TokenIssuer(b"key of the test")).respond)


def test_health_names_service_and_version(call, monkeypatch):
    health = {"service": "authentication", "version": VERSION, "status": "ok"}
    assert call("GET", "/api/v1/auth/health") == (200, health)
    monkeypatch.setenv("RELEASE_VERSION", "9.9.9")
    assert call("GET", "/api/v1/auth/health")[1]["version"] == "9.9.9"


def test_an_issued_token_is_verified(call):
    status, issued = call("POST", "/api/v1/auth/token", {"subject": "ada"})
    assert (status, issued["expires_in"]) == (201, 3600)
    headers = {"Authorization": f"Bearer {issued['token']}"}
    status, verified = call("POST", "/api/v1/auth/verify", headers=headers)
    assert (status, verified["subject"]) == (200, "ada")


@pytest.mark.parametrize("authorization", [None, "Bearer", "Basic abc", "Bearer not.a-token"])
def test_verify_refuses(call, authorization):
    headers = {"Authorization": authorization} if authorization else {}
    assert call("POST", "/api/v1/auth/verify", headers=headers)[0] == 401


@pytest.mark.parametrize("subject", [None, "", 7, "x" * 65, "ada\r\nX-User: root", "\u00e9"])
def test_a_subject_that_is_no_name_is_refused(call, subject):
    assert call("POST", "/api/v1/auth/token", {"subject": subject})[0] == 400


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(call, body):
    assert call("POST", "/api/v1/auth/token", body)[0] == 400


@pytest.mark.parametrize(
    "length, status", [("x", 400), ("-1", 413), (str(LARGEST_BODY + 1), 413)]
)
def test_an_absurd_length_is_refused_unread(call, length, status):
    headers = {"Content-Length": length}
    assert call("POST", "/api/v1/auth/token", headers=headers)[0] == status


def test_other_paths_and_methods_are_unknown(call):
    assert call("GET", "/api/v1/auth")[0] == 404
    assert call("DELETE", "/api/v1/auth/token")[0] == 404


def test_a_failure_inside_is_reported_without_its_details(serve):
    def fail(request):
        raise RuntimeError("the details")

    assert serve(fail)("GET", "/") == (500, {"error": "internal error"})
