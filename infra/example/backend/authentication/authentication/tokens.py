"""Signed tokens: a JSON payload and its HMAC, both in URL-safe base64, joined by a dot."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import time

LIFETIME_SECONDS = 3600


class InvalidToken(Exception):
    """The token was not issued here, was changed, or has expired."""


class TokenIssuer:
    """Issues tokens for subjects and verifies them with one signing key."""

    def __init__(self, key, lifetime_seconds=LIFETIME_SECONDS, clock=time.time):
        self.key = key
        self.lifetime_seconds = lifetime_seconds
        self.clock = clock

    @classmethod
    def from_environment(cls, environment=os.environ):
        """Use AUTH_SIGNING_KEY, or a key made at start that lives as long as the process."""
        configured = environment.get("AUTH_SIGNING_KEY")
        lifetime_seconds = int(environment.get("TOKEN_LIFETIME_SECONDS", LIFETIME_SECONDS))
        return cls(configured.encode() if configured else secrets.token_bytes(32), lifetime_seconds)

    def issue(self, subject):
        """Return a token for the subject."""
        payload = {"sub": subject, "exp": int(self.clock()) + self.lifetime_seconds}
        encoded = encode(json.dumps(payload, sort_keys=True).encode())
        return f"{encoded}.{encode(self.sign(encoded))}"

    def verify(self, token):
        """Return the payload of a token that is genuine and has not expired."""
        encoded, _, signature = token.partition(".")
        try:
            genuine = hmac.compare_digest(self.sign(encoded), decode(signature))
        except (ValueError, binascii.Error) as error:
            raise InvalidToken("the token is malformed") from error
        if not genuine:
            raise InvalidToken("the signature does not match")
        payload = json.loads(decode(encoded))
        if payload["exp"] <= self.clock():
            raise InvalidToken("the token has expired")
        return payload

    def sign(self, encoded):
        """Return the HMAC of an encoded payload."""
        return hmac.new(self.key, encoded.encode(), hashlib.sha256).digest()


def encode(raw):
    """Return URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text):
    """Undo encode."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
