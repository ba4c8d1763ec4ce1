"""Tokens: what is accepted and, above all, what is not."""

import pytest

from authentication.tokens import InvalidToken, TokenIssuer, encode


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = 1_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def issuer(clock):
    return TokenIssuer(b"key of the test", lifetime_seconds=60, clock=clock)


def test_a_token_names_its_subject(issuer, clock):
    assert issuer.verify(issuer.issue("ada")) == {"sub": "ada", "exp": clock.now + 60}


def test_a_token_expires(issuer, clock):
    token = issuer.issue("ada")
    clock.now += 59
    issuer.verify(token)
    clock.now += 1
    with pytest.raises(InvalidToken, match="expired"):
        issuer.verify(token)


def test_another_key_is_refused(issuer):
    with pytest.raises(InvalidToken, match="does not match"):
        TokenIssuer(b"another key").verify(issuer.issue("ada"))


def test_a_changed_subject_is_refused(issuer):
    _, signature = issuer.issue("ada").split(".")
    forged = encode(b'{"exp": 9999999999, "sub": "root"}')
    with pytest.raises(InvalidToken, match="does not match"):
        issuer.verify(f"{forged}.{signature}")


@pytest.mark.parametrize("token", ["", "x", ".", "a.b.c", "a.\u00e9", "a.x"])
def test_anything_else_is_refused(issuer, token):
    with pytest.raises(InvalidToken):
        issuer.verify(token)


def test_the_key_comes_from_the_environment():
    environment = {"AUTH_SIGNING_KEY": "shared", "TOKEN_LIFETIME_SECONDS": "10"}
    first, second = (TokenIssuer.from_environment(environment) for _ in range(2))
    assert second.verify(first.issue("ada"))["sub"] == "ada"
    assert first.lifetime_seconds == 10


def test_without_a_key_each_process_makes_its_own():
    first, second = (TokenIssuer.from_environment({}) for _ in range(2))
    with pytest.raises(InvalidToken):
        second.verify(first.issue("ada"))
